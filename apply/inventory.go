package apply

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// An inventory is what a set may have on the cluster: every object of it, and for those that were applied what was sent
// and what the server made of it.
type inventory struct {
	// revalidated is when all objects were last sent.
	revalidated time.Time
	// writer is a random mark of the run that wrote it ahead, so that two runs never write the same bytes.
	writer  string
	entries map[Ref]entry // by identity
	kinds   map[schema.GroupKind]resource
}

// An entry without sums is of an object that was about to be sent: it may exist, or not.
type entry struct {
	applied             bool
	intent, fingerprint sum
}

func newInventory() *inventory {
	return &inventory{entries: make(map[Ref]entry), kinds: make(map[schema.GroupKind]resource)}
}

func (v *inventory) clone() *inventory {
	return &inventory{revalidated: v.revalidated, writer: v.writer, entries: maps.Clone(v.entries), kinds: maps.Clone(v.kinds)}
}

// add names an object and how its kind is reached.
func (v *inventory) add(ref Ref, r resource, e entry) {
	v.entries[ref.identity()] = e
	v.kinds[ref.groupKind()] = r
}

// refs returns the objects that keep says, all where it is nil, with the versions by which they are reached, in their
// order.
func (v *inventory) refs(keep func(Ref) bool) []Ref {
	var refs []Ref
	for ref := range v.entries {
		if keep != nil && !keep(ref) {
			continue
		}
		ref.Version = v.kinds[ref.groupKind()].Version
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

// groupKinds returns the kinds of which there is an object, in the order in which KEP-3659 writes them.
func (v *inventory) groupKinds() []schema.GroupKind {
	seen := make(map[schema.GroupKind]bool)
	for ref := range v.entries {
		seen[ref.groupKind()] = true
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b schema.GroupKind) int { return strings.Compare(a.String(), b.String()) })
}

// The document that the parent holds: gzip over JSON, objects under their kinds in order, so that an inventory that says
// the same has the same bytes.
type (
	inventoryDocument struct {
		Version     int            `json:"version"`
		Revalidated int64          `json:"revalidated,omitempty"` // seconds since 1970
		Writer      string         `json:"writer,omitempty"`
		Kinds       []kindDocument `json:"kinds"`
	}
	kindDocument struct {
		Group      string           `json:"group,omitempty"`
		Version    string           `json:"version"`
		Kind       string           `json:"kind"`
		Plural     string           `json:"plural"`
		Namespaced bool             `json:"namespaced,omitempty"`
		Objects    []objectDocument `json:"objects"`
	}
	objectDocument struct {
		Namespace   string `json:"ns,omitempty"`
		Name        string `json:"name"`
		Intent      []byte `json:"intent,omitempty"`
		Fingerprint []byte `json:"fp,omitempty"`
	}
)

const inventoryVersion = 1

func (v *inventory) encode() ([]byte, error) {
	doc := inventoryDocument{Version: inventoryVersion, Writer: v.writer}
	if !v.revalidated.IsZero() {
		doc.Revalidated = v.revalidated.Unix()
	}
	for _, ref := range v.refs(nil) {
		if n := len(doc.Kinds); n == 0 || doc.Kinds[n-1].Group != ref.Group || doc.Kinds[n-1].Kind != ref.Kind {
			r := v.kinds[ref.groupKind()]
			doc.Kinds = append(doc.Kinds, kindDocument{
				Group: r.Group, Version: r.Version, Kind: r.Kind, Plural: r.Plural, Namespaced: r.Namespaced})
		}
		o := objectDocument{Namespace: ref.Namespace, Name: ref.Name}
		if e := v.entries[ref.identity()]; e.applied {
			o.Intent, o.Fingerprint = e.intent[:], e.fingerprint[:]
		}
		last := &doc.Kinds[len(doc.Kinds)-1]
		last.Objects = append(last.Objects, o)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed) // most of it are sums, which no effort makes smaller
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(z).Encode(doc); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decodeInventory reads what encode wrote. Whatever it cannot make sense of is [ErrInventory]: to guess would be to
// orphan objects.
func decodeInventory(data []byte, limit int64) (*inventory, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInventory, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInventory, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%w: %w: more than %d bytes; raise MaxInventoryBytes", ErrInventory, ErrTooLarge, limit)
	}
	var doc inventoryDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInventory, err)
	}
	if doc.Version != inventoryVersion {
		return nil, fmt.Errorf("%w: its version is %d and this program knows %d", ErrInventory, doc.Version, inventoryVersion)
	}
	v := newInventory()
	if doc.Revalidated != 0 {
		v.revalidated = time.Unix(doc.Revalidated, 0)
	}
	for _, k := range doc.Kinds {
		if err := v.addKind(k); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *inventory) addKind(k kindDocument) error {
	if k.Kind == "" || k.Version == "" || !plainName(k.Plural) || k.Plural == "" || !plainName(k.Group) || !plainName(k.Version) {
		return fmt.Errorf("%w: a kind of it is %q, version %q, plural %q", ErrInventory, k.Kind, k.Version, k.Plural)
	}
	gvk := schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}
	r := resource{GroupVersionKind: gvk, Plural: k.Plural, Namespaced: k.Namespaced}
	for _, o := range k.Objects {
		if o.Name == "" || !plainName(o.Name) || !plainName(o.Namespace) {
			return fmt.Errorf("%w: an object of kind %s is %q in namespace %q", ErrInventory, k.Kind, o.Name, o.Namespace)
		}
		var e entry
		if len(o.Intent) == len(e.intent) && len(o.Fingerprint) == len(e.fingerprint) {
			e.applied = true
			copy(e.intent[:], o.Intent)
			copy(e.fingerprint[:], o.Fingerprint)
		}
		v.add(Ref{Group: k.Group, Kind: k.Kind, Namespace: o.Namespace, Name: o.Name}, r, e)
	}
	return nil
}
