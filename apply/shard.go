package apply

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An inventory that is too large for one Secret is split by a hash of the objects' identities into 2, 4, 8, … shards, each
// a Secret beside the parent, which then has only their names and sums. One changed object makes one shard anew, and the
// parent.
//
// A shard never changes: its name is drawn anew for each write, and the server holds it to be immutable. A write is
//
//  1. a LIST of the shards that there are,
//  2. a POST of each shard that is new,
//  3. the PUT of the parent, guarded by its resourceVersion: the one step that makes them the inventory,
//  4. a DELETE of each shard that step 1 saw and the parent no longer names.
//
// A kill before step 3 leaves the inventory as it was, and one after it leaves it as it is to be; shards are left over in
// both cases, which the next write of shards takes away. A set that is large at its first write gets a parent without
// objects before step 1, so that each shard has an owner to be collected with. Nothing is sent before the inventory is
// written, so that an empty one is true.
//
// Step 4 takes away nothing that anybody needs, though it asks for no shard's age. Another applier sends its shards after
// it read, or wrote, the version of the parent on which its PUT depends. A shard that step 1 saw is older than step 3, and
// so is the version that its writer depends on. Either that writer's PUT came before step 3: then step 3 was refused, for
// the parent was no longer what this applier had read, or this applier had read it, and knows whether it still names the
// shard. Or it comes after step 3, and is refused, for step 3 changes the parent: it names other shards. By the same
// argument Delete may take away what it saw before it deleted the parent.
//
// The loser of a conflict leaves its shards to the next write: a PUT that was sent twice, as it is after an answer that
// says to try again, is in conflict with itself, and then its shards are the inventory. What a kill leaves beside a set
// that is never again in shards goes with its parent, by the server's garbage collection.
const maxShards = 1 << 10

// A shard is a part of an inventory, in a Secret of its own.
type shard struct {
	name string
	size int
	sum  [sha256.Size]byte
	data []byte // where it is yet to be sent
}

// Labels by which the shards of a set are found. They are not those of KEP-3659, which are of parents and of members.
const (
	managedByLabel = "app.kubernetes.io/managed-by"
	instanceLabel  = "app.kubernetes.io/instance" // its value is that of the parent's idLabel
	managedBy      = "gitopskit"
)

// layout returns the document for the parent and the shards that it names. What could not be read again is not written.
func (p *parent) layout(inv *inventory) ([]byte, []shard, error) {
	refs := inv.refs(nil)
	weighs := int64(0)
	for _, ref := range refs {
		weighs += weight(ref)
	}
	parts := inv.split(refs, len(p.shards), p.opts.shardBytes)
	if max(weighs, int64(size(parts))) > p.opts.MaxInventoryBytes {
		return nil, nil, fmt.Errorf("the inventory of %d objects: %w", len(refs), tooLarge(p.opts.MaxInventoryBytes))
	}
	n := len(parts)
	switch {
	case n > maxShards:
		return nil, nil, fmt.Errorf("%w: the inventory of %d objects does not fit %d Secrets; split the set", ErrTooLarge, len(refs), maxShards)
	case n == 1:
		return parts[0], nil, nil
	}
	shards := make([]shard, n)
	for i, part := range parts {
		shards[i] = shard{size: len(part), sum: sha256.Sum256(part)}
		if n == len(p.shards) && p.shards[i].sum == shards[i].sum {
			shards[i].name = p.shards[i].name
			continue
		}
		shards[i].name, shards[i].data = p.shardName(), part
	}
	return inv.encode(nil, shards), shards, nil
}

// shardName is of 130 random bits, so that no two writes have a shard in common.
func (p *parent) shardName() string {
	random := "-inventory-" + strings.ToLower(rand.Text())
	name := p.id.Name[:min(len(p.id.Name), 253-len(random))]
	return strings.TrimRight(name, "-.") + random
}

// split returns documents of up to limit bytes that have all the objects. There are n of them, as there were before, while
// they are not too large, and not so small that half as many would be half empty.
func (v *inventory) split(refs []Ref, n, limit int) [][]byte {
	n = max(n, 1)
	parts := v.parts(refs, n)
	for n > 1 && size(parts) < n/2*limit/2 {
		n /= 2
		parts = v.parts(refs, n)
	}
	for n <= maxShards && slices.ContainsFunc(parts, func(part []byte) bool { return len(part) > limit }) {
		n *= 2
		parts = v.parts(refs, n)
	}
	return parts
}

// parts returns n documents that have all the objects. Two parts have what one had.
func (v *inventory) parts(refs []Ref, n int) [][]byte {
	if n == 1 {
		return [][]byte{v.encode(refs, nil)}
	}
	buckets := make([][]Ref, n)
	for _, ref := range refs {
		i := bucket(ref, n)
		buckets[i] = append(buckets[i], ref)
	}
	bare := &inventory{entries: v.entries, kinds: v.kinds} // what is about the whole is in the parent
	parts := make([][]byte, n)
	for i := range parts {
		parts[i] = bare.encode(buckets[i], nil)
	}
	return parts
}

// bucket is the FNV-1a hash of the identity, modulo n, which is a power of two.
func bucket(ref Ref, n int) int {
	h := uint32(2166136261)
	for _, s := range []string{ref.Group, ref.Kind, ref.Namespace, ref.Name} {
		for i := range len(s) {
			h = (h ^ uint32(s[i])) * 16777619
		}
		h = (h ^ '/') * 16777619
	}
	return int(h) & (n - 1)
}

func size(parts [][]byte) int {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// errShardMissing is of a shard that the parent names and that is not there, or no longer.
var errShardMissing = errors.New("is missing")

// readShards reads what the parent names, all at once.
func (p *parent) readShards(ctx context.Context) (*decoder, error) {
	total := int64(0)
	for _, s := range p.shards {
		total += int64(s.size)
	}
	if total > p.opts.MaxInventoryBytes {
		return nil, fmt.Errorf("%w: %w", ErrInventory, tooLarge(p.opts.MaxInventoryBytes))
	}
	data, errs := make([][]byte, len(p.shards)), make([]error, len(p.shards))
	each(p.opts.Concurrency, places(p.shards), func(i int) { data[i], errs[i] = p.readShard(ctx, p.shards[i]) })
	d := newDecoder(p.opts.MaxInventoryBytes, int(total))
	for i := range data {
		if errs[i] != nil {
			return nil, errs[i]
		}
		nested, err := d.read(data[i])
		if err != nil {
			return nil, fmt.Errorf("its shard %s: %w", p.shards[i].name, err)
		}
		if len(nested) > 0 {
			return nil, fmt.Errorf("%w: its shard %s has shards", ErrInventory, p.shards[i].name)
		}
	}
	return d, nil
}

func (p *parent) readShard(ctx context.Context, s shard) ([]byte, error) {
	secret, err := p.getSecret(ctx, s.name)
	if apierrors.IsNotFound(err) {
		return nil, p.broken(s.name, errShardMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("reading its shard %s: %w", s.name, err)
	}
	data := secret.Data[inventoryKey]
	if secret.Type != secretType || len(data) != s.size || sha256.Sum256(data) != s.sum {
		return nil, p.broken(s.name, errors.New("is not what was written"))
	}
	return data, nil
}

// broken says how to mend it.
func (p *parent) broken(name string, err error) error {
	return fmt.Errorf("%w: its shard, the Secret %s, %w; restore it, or delete the Secret %s and apply again: what the set no "+
		"longer has then stays on the cluster, with the label %s=%s", ErrInventory, name, err, p.id.Name, partOfLabel, p.id.label())
}

// postShards creates the shards that are new. Where one is refused, those that were created are of no use.
func (p *parent) postShards(ctx context.Context, shards []shard) error {
	shards = fresh(shards)
	errs := make([]error, len(shards))
	each(p.opts.Concurrency, places(shards), func(i int) {
		_, errs[i] = p.client.write(ctx, "POST", secretResource.path(p.id.Namespace, ""), p.renderShard(shards[i]), p.opts.FieldManager)
	})
	err := cmp.Or(errs...)
	if err != nil {
		p.dropShards(ctx, names(shards))
	}
	return err
}

func (p *parent) renderShard(s shard) *secretDocument {
	immutable := true
	return &secretDocument{APIVersion: "v1", Kind: "Secret", Type: secretType, Immutable: &immutable,
		Data: map[string][]byte{inventoryKey: s.data},
		Metadata: metav1.ObjectMeta{Name: s.name, Namespace: p.id.Namespace,
			Labels:          map[string]string{managedByLabel: managedBy, instanceLabel: p.id.label()},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Secret", Name: p.id.Name, UID: p.metadata.UID}}}}
}

// seenShards returns the shards that there are, by name: those that the parent names, and others that are left over, for
// which it looks once. Where that is not allowed, they stay until the parent goes.
func (p *parent) seenShards(ctx context.Context) []string {
	seen := names(p.shards)
	if p.listed {
		return seen
	}
	items, err := p.client.listMetadata(ctx, secretResource.path(p.id.Namespace, ""), managedByLabel+"="+managedBy+","+instanceLabel+"="+p.id.label())
	p.listed = err == nil
	for _, item := range items {
		seen = append(seen, item.Name)
	}
	slices.Sort(seen)
	return slices.Compact(seen)
}

// dropShards deletes what nobody needs. What it cannot delete is seen again by the next that writes shards.
func (p *parent) dropShards(ctx context.Context, names []string) {
	each(p.opts.Concurrency, names, func(name string) {
		_ = p.client.delete(ctx, secretResource.path(p.id.Namespace, name), metav1.DeleteOptions{})
	})
}

// isRefusal tells whether the server decided against a write by rights, admission or validation, which come before anything
// is stored. A conflict is none: see above.
func isRefusal(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code/100 == 4 && code != http.StatusConflict && code != http.StatusTooManyRequests
}

// fresh returns the shards that are yet to be sent.
func fresh(shards []shard) []shard {
	return slices.DeleteFunc(slices.Clone(shards), func(s shard) bool { return s.data == nil })
}

func names(shards []shard) []string {
	all := make([]string, len(shards))
	for i, s := range shards {
		all[i] = s.name
	}
	return all
}

func places[T any](items []T) []int {
	all := make([]int, len(items))
	for i := range all {
		all[i] = i
	}
	return all
}
