package apply

import (
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
	if keep == nil {
		refs = make([]Ref, 0, len(v.entries))
	}
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
