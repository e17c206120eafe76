package apply

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A decoder adds documents to an inventory. Whatever it cannot make sense of is [ErrInventory]: to guess would be to
// orphan objects.
type decoder struct {
	inventory   *inventory
	objects     int   // read so far
	limit, left int64 // of Options.MaxInventoryBytes
}

// newDecoder returns a decoder for documents of so many bytes in all.
func newDecoder(limit int64, size int) *decoder {
	d := &decoder{inventory: newInventory(), limit: limit, left: limit}
	d.inventory.entries = make(map[Ref]entry, size/(2*len(sum{})+4)) // about right where most were applied
	return d
}

// read adds a document, and returns the shards that it names.
func (d *decoder) read(data []byte) ([]shard, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // gzip
		return nil, d.readVersion1(data)
	}
	t := openDocument(data)
	if seconds := t.seconds(); seconds != 0 {
		d.inventory.revalidated = time.Unix(seconds, 0)
	}
	d.inventory.writer = t.text()
	shards := t.shards()
	for count := t.number(); count > 0 && t.err == nil; count = t.number() {
		d.readKind(t, count)
	}
	if len(t.rest) > 0 {
		t.fail(errors.New("there is more than it says"))
	}
	if d.objects != len(d.inventory.entries) {
		t.fail(errors.New("an object is in it twice"))
	}
	if t.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInventory, t.err)
	}
	return shards, nil
}

// openDocument returns what is between the title and the checksum.
func openDocument(data []byte) *taker {
	text, ok := bytes.CutPrefix(data, []byte(title))
	if !ok {
		return &taker{err: errors.New("it does not begin as one")}
	}
	body, ok := bytes.CutPrefix(text, []byte(version))
	if !ok {
		number, _, _ := bytes.Cut(text[:min(len(text), 20)], []byte("\n"))
		return &taker{err: fmt.Errorf("its version is %q and this program knows 1 and 2", number)}
	}
	end := len(data) - crc32.Size
	if len(body) < crc32.Size || crc32.ChecksumIEEE(data[:end]) != binary.BigEndian.Uint32(data[end:]) {
		return &taker{err: errors.New("its checksum is of something else")}
	}
	return &taker{rest: body[:len(body)-crc32.Size]}
}

func (d *decoder) readKind(t *taker, count int) {
	r := resource{GroupVersionKind: schema.GroupVersionKind{Group: t.text(), Version: t.text(), Kind: t.text()}, Plural: t.text()}
	r.Namespaced = t.flags(1) == 1
	if err := d.addKind(r); err != nil {
		t.fail(err)
	}
	d.objects += count
	last := Ref{Group: r.Group, Kind: r.Kind}
	for i := 0; i < count && t.err == nil; i++ {
		ref, e := t.object(last)
		if i > 0 && cmp.Or(strings.Compare(last.Namespace, ref.Namespace), strings.Compare(last.Name, ref.Name)) >= 0 {
			t.fail(errors.New("objects are not in their order"))
		}
		if d.left -= weight(ref); d.left < 0 {
			t.fail(tooLarge(d.limit))
		}
		if err := d.add(ref, e); err != nil {
			t.fail(err)
		}
		last = ref
	}
}

// addKind takes a kind once, or again just as it was.
func (d *decoder) addKind(r resource) error {
	if r.Kind == "" || r.Version == "" || r.Plural == "" || !plainName(r.Plural) || !plainName(r.Group) || !plainName(r.Version) {
		return fmt.Errorf("a kind of it is %q, version %q, plural %q", r.Kind, r.Version, r.Plural)
	}
	if had, ok := d.inventory.kinds[r.GroupKind()]; ok && had != r {
		return fmt.Errorf("the kind %s is in it twice, in two ways", r.GroupKind())
	}
	d.inventory.kinds[r.GroupKind()] = r
	return nil
}

func (d *decoder) add(ref Ref, e entry) error {
	if ref.Name == "" || !plainName(ref.Name) || !plainName(ref.Namespace) {
		return fmt.Errorf("an object of kind %s is %q in namespace %q", ref.Kind, ref.Name, ref.Namespace)
	}
	d.inventory.entries[ref] = e
	return nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: more than %d bytes; raise MaxInventoryBytes", ErrTooLarge, limit)
}

// A taker takes values off a document. After the first that is not there it has an error, and gives zeros.
type taker struct {
	rest []byte
	err  error
}

// fail keeps the first error.
func (t *taker) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *taker) take(n int) []byte {
	if n > len(t.rest) {
		t.fail(errors.New("it ends too early"))
	}
	if t.err != nil {
		return nil
	}
	taken := t.rest[:n]
	t.rest = t.rest[n:]
	return taken
}

func (t *taker) text() string { return string(t.take(t.number())) }

// flags returns a byte that has no bit beside those known.
func (t *taker) flags(known byte) byte {
	b := t.take(1)
	if len(b) == 0 {
		return 0
	}
	if b[0]&^known != 0 {
		t.fail(fmt.Errorf("the flags %#x are unknown", b[0]))
	}
	return b[0]
}

func (t *taker) number() int {
	n, used := binary.Uvarint(t.rest)
	if used <= 0 || n > math.MaxInt32 {
		t.fail(errors.New("a number is too large, or ends too early"))
		return 0
	}
	t.take(used)
	return int(n)
}

func (t *taker) seconds() int64 {
	n, used := binary.Varint(t.rest)
	t.take(max(used, 1))
	return n
}

// object returns the object that is after last.
func (t *taker) object(last Ref) (Ref, entry) {
	ref, e, flags := last, entry{}, t.flags(isApplied|hasNamespace)
	if flags&hasNamespace != 0 {
		ref.Namespace = t.text()
	}
	shared := t.number()
	if shared > len(last.Name) {
		t.fail(errors.New("a name shares more than there is"))
		return ref, e
	}
	ref.Name = last.Name[:shared] + string(t.take(t.number()))
	if flags&isApplied != 0 {
		e.applied = true
		copy(e.intent[:], t.take(len(e.intent)))
		copy(e.fingerprint[:], t.take(len(e.fingerprint)))
	}
	return ref, e
}

func (t *taker) shards() []shard {
	n := t.number()
	if n > maxShards || n&(n-1) != 0 {
		t.fail(fmt.Errorf("it has %d shards, which is no power of two up to %d", n, maxShards))
		return nil
	}
	var shards []shard
	for range n {
		s := shard{name: t.text(), size: t.number()}
		copy(s.sum[:], t.take(sha256.Size))
		if s.name == "" || !plainName(s.name) {
			t.fail(errors.New("a shard has no name"))
			return nil
		}
		shards = append(shards, s)
	}
	return shards
}
