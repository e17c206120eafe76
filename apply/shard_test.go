package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// smallShards splits an inventory of some twenty objects and more.
var smallShards = Options{shardBytes: 600}

// sharded has n objects of a set that is not on the cluster, with sums that the round makes.
func sharded(n, round int) *inventory {
	v := newInventory()
	for i := range n {
		v.add(Ref{Kind: "ConfigMap", Namespace: "n", Name: fmt.Sprintf("name-%05d", i)}, configMaps,
			entry{applied: true, intent: sum{byte(i), byte(i >> 8)}, fingerprint: sum{byte(round)}})
	}
	return v
}

// changed is the inventory with one object that has other sums.
func changed(v *inventory) *inventory {
	v = v.clone()
	v.entries[v.refs(nil)[0].identity()] = entry{applied: true, intent: sum{255, 255}, fingerprint: sum{255}}
	return v
}

func (b *bench) read() (*parent, *inventory) {
	b.t.Helper()
	p, inv, err := b.readParent(b.t.Context(), b.set().ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return p, inv
}

func (b *bench) write(inv *inventory) *parent {
	b.t.Helper()
	p, _ := b.read()
	if err := p.write(b.t.Context(), inv); err != nil {
		b.t.Fatal(err)
	}
	return p
}

// wantStored wants the inventory, and no Secret of the set that its parent does not name. It returns the shards' names.
func (b *bench) wantStored(want *inventory) []string {
	b.t.Helper()
	p, got := b.read()
	if !reflect.DeepEqual(got.entries, want.entries) {
		b.t.Errorf("the inventory has %d objects, want %d, and those told", len(got.entries), len(want.entries))
	}
	named := names(p.shards)
	if there := b.shards(); !slices.Equal(slices.Sorted(slices.Values(named)), there) {
		b.t.Errorf("there are the shards %v, want just %v", there, named)
	}
	return named
}

// shards lists all Secrets of the set beside its parent.
func (b *bench) shards() []string {
	b.t.Helper()
	items, err := newApplier(b.t, b.config, Options{}).client.listMetadata(b.t.Context(), secretResource.path(b.namespace, ""), "")
	if err != nil {
		b.t.Fatal(err)
	}
	var found []string
	for _, item := range items {
		if item.Name != "the-set" && strings.HasPrefix(item.Name, "the-set") {
			found = append(found, item.Name)
		}
	}
	slices.Sort(found)
	return found
}

// other is an applier of the same set whose requests are not recorded.
func (b *bench) other() *bench {
	c := *b
	c.Applier = newApplier(b.t, b.config, b.opts)
	return &c
}

func TestInventoryOfManyObjectsIsSharedOut(t *testing.T) {
	b := newBench(t, Options{})
	v := newInventory()
	for i := range 20000 {
		ref := Ref{Kind: "ConfigMap", Namespace: b.namespace, Name: fmt.Sprintf("%x", intent(map[string]any{"i": int64(i)}, "", nil)) + "-of-an-application"}
		v.add(ref, configMaps, entry{applied: true, intent: intent(map[string]any{"a": int64(i)}, "", nil), fingerprint: intent(map[string]any{"b": int64(i)}, "", nil)})
	}
	b.write(v)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "LIST": 1, "POST inventory": 5, "PUT inventory": 1})
	before := b.wantStored(v)
	if len(before) != 4 {
		t.Errorf("there are %d shards, want 4", len(before))
	}
	v = changed(v)
	b.Take()
	b.write(v)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 5, "LIST": 1, "POST inventory": 1, "PUT inventory": 1, "DELETE inventory": 1})
	after := b.wantStored(v)
	if same := slices.DeleteFunc(slices.Clone(after), func(name string) bool { return !slices.Contains(before, name) }); len(same) != 3 {
		t.Errorf("of the shards %v there are left %v, want 3", before, same)
	}
	b.Take()
	b.write(v)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 5})
}

func TestApplyWithinItsBudgetWhereTheInventoryIsInShards(t *testing.T) {
	b := newBench(t, smallShards)
	var objects []*unstructured.Unstructured
	for i := range 60 {
		objects = append(objects, configMap(t, fmt.Sprintf("name-%d", i), "1"))
	}
	b.apply(objects...)
	if n := len(b.shards()); n != 4 {
		t.Errorf("there are %d shards, want 4", n)
	}
	b.Take()
	for _, c := range []*bench{b, b.again()} {
		c.apply(objects...)
		wantRequests(t, c.Take(), map[string]int{"GET inventory": 5, "LIST": 1})
	}
	objects[7] = configMap(t, "name-7", "2")
	if result := b.apply(objects...); result.Count(Configured) != 1 || result.Count(Unchanged) != 59 {
		t.Errorf("one changed: %s", result.Counts())
	}
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 5, "LIST": 2, "PATCH": 1,
		"POST inventory": 1, "PUT inventory": 2, "DELETE inventory": 1})
	if result := b.apply(objects[:59]...); result.Count(Pruned) != 1 || result.Count(Unchanged) != 59 {
		t.Errorf("one pruned: %s", result.Counts())
	}
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 5, "LIST": 2, "DELETE": 1,
		"POST inventory": 1, "PUT inventory": 2, "DELETE inventory": 1})
	if result, err := b.Delete(t.Context(), b.set().ID); err != nil || result.Count(Deleted) != 59 {
		t.Errorf("deleted: %s, %v", result.Counts(), err)
	}
	if left := append(b.members(), b.shards()...); len(left) > 0 || b.exists(b.path("secrets", "the-set")) {
		t.Errorf("after Delete there is %v", left)
	}
}

func TestInventoryGrowsAndShrinks(t *testing.T) {
	b := newBench(t, smallShards)
	for _, step := range []struct{ objects, shards int }{{5, 0}, {60, 4}, {58, 4}, {40, 4}, {20, 4}, {10, 2}, {4, 0}, {0, 0}, {200, 16}, {3, 0}, {30, 2}} {
		v := sharded(step.objects, 1)
		b.write(v)
		if got := b.wantStored(v); len(got) != step.shards {
			t.Errorf("%d objects are in %d shards, want %d", step.objects, len(got), step.shards)
		}
	}
	p, _ := b.read()
	if err := p.remove(t.Context()); err != nil || len(b.shards()) > 0 || b.exists(b.path("secrets", "the-set")) {
		t.Errorf("after its removal there is %v, %v", b.shards(), err)
	}
}

func TestBrokenShardsAreToldAndNothingIsSent(t *testing.T) {
	b := newBench(t, smallShards)
	var objects []*unstructured.Unstructured
	for i := range 40 {
		objects = append(objects, configMap(t, fmt.Sprintf("name-%d", i), "1"))
	}
	b.apply(objects...)
	name := b.shards()[0]
	if err := b.do("PATCH", b.path("secrets", name), `{"data":{"inventory":"AAAA"}}`); !apierrors.IsInvalid(err) {
		t.Errorf("a shard is changed: %v, want that it is immutable", err)
	}
	if err := b.do("DELETE", b.path("secrets", name), ""); err != nil {
		t.Fatal(err)
	}
	refused := func(says string) {
		t.Helper()
		b.Take()
		_, err := b.Apply(t.Context(), b.set(objects[:20]...))
		b.wantBroken(err, name, says)
		_, err = b.Delete(t.Context(), b.set().ID)
		b.wantBroken(err, name, says)
		if requests := b.Take(); len(requests) != testbed.Count(requests, "GET") {
			t.Errorf("it sent %v", requests)
		}
	}
	refused("is missing")
	tampered := fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":%q},"data":{"inventory":"AAAA"}}`, name)
	if err := b.do("POST", b.path("secrets", ""), tampered); err != nil {
		t.Fatal(err)
	}
	refused("is not what was written")
}

func (b *bench) wantBroken(err error, name, says string) {
	b.t.Helper()
	if !errors.Is(err, ErrInventory) {
		b.t.Errorf("the error is %v, want ErrInventory", err)
		return
	}
	for _, part := range []string{name, says, "restore it, or delete the Secret the-set and apply again", partOfLabel + "="} {
		if !strings.Contains(err.Error(), part) {
			b.t.Errorf("the error is %v, want one that says %q", err, part)
		}
	}
}

func TestShardsStayWhileAFinalizerHoldsTheParent(t *testing.T) {
	b := newBench(t, smallShards)
	b.write(sharded(60, 1))
	parent := b.path("secrets", "the-set")
	if err := b.do("PATCH", parent, `{"metadata":{"finalizers":["example.com/hold"]}}`); err != nil {
		t.Fatal(err)
	}
	p, _ := b.read()
	if err := p.remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantStored(sharded(60, 1))
	if err := b.do("DELETE", b.path("secrets", b.shards()[0]), ""); err != nil { // as the garbage collector may
		t.Fatal(err)
	}
	if _, _, err := b.readParent(t.Context(), b.set().ID); !errors.Is(err, ErrTerminating) {
		t.Errorf("the error is %v, want ErrTerminating", err)
	}
	if err := b.do("PATCH", parent, `{"metadata":{"finalizers":null}}`); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedShardsAreTakenAway(t *testing.T) {
	b := newBench(t, smallShards)
	b.write(sharded(5, 1))
	for _, refuse := range []string{"PUT", "POST"} {
		var posts atomic.Int32
		b.Before = func(r *http.Request) error {
			if r.Method == refuse && (refuse == "PUT" || posts.Add(1) == 3) {
				return apierrors.NewForbidden(secretResource.GroupVersion().WithResource("secrets").GroupResource(), "the-set", errors.New("refused"))
			}
			return nil
		}
		p, _ := b.read()
		if err := p.write(t.Context(), sharded(60, 2)); !apierrors.IsForbidden(err) {
			t.Errorf("the error is %v, want the refusal", err)
		}
		b.Before = nil
		b.wantStored(sharded(5, 1))
	}
}

func TestShardsAreCollectedWithTheirParent(t *testing.T) {
	server, err := testbed.StartKubernetes(t.Context(), testbed.KubernetesOptions{Controllers: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	b := &bench{t: t, config: server.Config, namespace: "default", Applier: newApplier(t, server.Config, smallShards)}
	b.write(sharded(30, 1))
	b.cutOff(&cut{request: 7}, sharded(30, 2)) // at the PUT
	if n := len(b.shards()); n != 4 {
		t.Errorf("there are %d shards, want 2 and 2 that are left over", n)
	}
	if err := b.do("DELETE", b.path("secrets", "the-set"), ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(b.shards()) > 0 {
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("the shards %v are still there: %v", b.shards(), err)
		}
	}
}
