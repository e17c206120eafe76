package apply

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

type partialObject = metav1.PartialObjectMetadata

// observe looks at the members and at what is to be pruned. Of what was applied before, one LIST by the set's own label
// tells all; whether a new object, or one that is not found so, belongs to another set, only a LIST of all sets' labels.
// What of an object is to be left alone counts also where it lost its label. A set that is watched is asked only for what
// the watch does not know.
func (r *run) observe(ctx context.Context) (err error) {
	r.watch.expect(ctx, r)
	known := r.watch.recall(r)
	if r.live, err = r.inquire(ctx, r.set.ID, r.inquiries(known), r.was.kinds); err != nil {
		return err
	}
	r.watch.noteAll(r.live.objects)
	known.addTo(r.live)
	labelled, byName := make(map[scopedKind]*inquiry), make(map[scopedKind]*inquiry)
	for _, m := range r.members {
		e, had := r.was.entries[m.ref.identity()]
		gk := m.ref.groupKind()
		if !had || m.err != nil || r.live.objects[m.ref.identity()] != nil || r.live.gone[gk] {
			continue
		}
		switch {
		case m.leavesAlone(), r.opts.Adopt == AdoptNone && !e.applied:
			inquiryOf(byName, r.was.kinds[gk]).ask(m.ref)
		case e.applied && r.opts.Adopt != AdoptAlways && !known[m.ref.identity()].searched:
			inquiryOf(labelled, r.was.kinds[gk]).ask(m.ref)
		}
	}
	missing := append(inquiriesOf(labelled, func(q *inquiry) { q.foreign = true }), inquiriesOf(byName, func(q *inquiry) { q.byName = true })...)
	if len(missing) == 0 {
		return nil
	}
	found, err := r.inquire(ctx, r.set.ID, missing, r.was.kinds)
	maps.Copy(r.live.objects, found.objects)
	return err
}

// leavesAlone tells whether there may be something about the object, as it is, that is not to be touched.
func (m *member) leavesAlone() bool { return m.policy.createOnly != "" || len(m.ignored) > 0 }

// inquiries are for all that the inventory names, but for what is known; what is only written ahead may be another set's.
func (v *inventory) inquiries(known recollection) map[scopedKind]*inquiry {
	all := make(map[scopedKind]*inquiry)
	for ref, e := range v.entries {
		if _, is := known[ref]; is {
			continue
		}
		q := inquiryOf(all, v.kinds[ref.groupKind()])
		q.ask(ref)
		q.foreign = q.foreign || !e.applied
	}
	return all
}

// inquiries are for all that the inventory names, but for what is known, and all that is new in the set.
func (r *run) inquiries(known recollection) []inquiry {
	all, byName := r.was.inquiries(known), make(map[scopedKind]*inquiry)
	for _, m := range r.members {
		if _, known := r.was.entries[m.ref.identity()]; known || m.err != nil {
			continue
		}
		_, told := known[m.ref.identity()] // that it is not another set's
		switch {
		case r.opts.Adopt == AdoptNone || m.leavesAlone():
			q := inquiryOf(byName, m.resource)
			q.ask(m.ref)
			q.young = q.young || m.defined
		case r.opts.Adopt != AdoptAlways && !told:
			q := inquiryOf(all, m.resource)
			q.ask(m.ref)
			before, had := r.was.kinds[m.ref.groupKind()]
			q.foreign = true
			q.young = q.young || m.defined && (!had || before.Namespaced != m.resource.Namespaced)
		}
	}
	return append(inquiriesOf(all, nil), inquiriesOf(byName, func(q *inquiry) { q.byName = true })...)
}

// A scopedKind keeps apart objects of a kind whose definition the set is to change from namespaced to not, or back.
type scopedKind struct {
	schema.GroupKind
	namespaced bool
}

func inquiryOf(all map[scopedKind]*inquiry, r resource) *inquiry {
	kind := scopedKind{r.GroupKind(), r.Namespaced}
	q := all[kind]
	if q == nil {
		q = &inquiry{reached: r}
		all[kind] = q
	}
	return q
}

func (q *inquiry) ask(ref Ref) { q.refs = append(q.refs, ref.identity()) }

func inquiriesOf(all map[scopedKind]*inquiry, with func(*inquiry)) []inquiry {
	var list []inquiry
	for _, q := range all {
		if with != nil {
			with(q)
		}
		list = append(list, *q)
	}
	return list
}

// claim tells whether the member is dealt with since it is not this set's to change, or is left alone by its own word.
func (r *run) claim(change *Change, m *member, seen *partialObject, known bool) bool {
	var label string
	if seen != nil {
		label = seen.Labels[partOfLabel]
	}
	leave := func(action Action, err error) bool {
		change.end(action, "applying", err)
		return true
	}
	ignore := m.policy.ignore
	if seen != nil && hasPolicy(seen.Annotations, seen.Labels) {
		ignore = cmp.Or(ignore, policyOf(seen.Annotations, seen.Labels).ignore)
	}
	switch {
	case ignore != "":
		return leave(Skipped, fmt.Errorf("%w: %s", ErrProtected, ignore))
	case label != "" && label != r.label && r.opts.Adopt != AdoptAlways:
		return leave(Failed, &ownedError{label: label})
	case seen != nil && !r.was.entries[m.ref.identity()].applied && label == "" && r.opts.Adopt == AdoptNone:
		return leave(Failed, fmt.Errorf("%w; delete it, or set Adopt to %q", ErrExists, AdoptFree))
	case seen != nil && m.policy.createOnly != "" && known:
		change.Action = Unchanged
		return true
	case seen != nil && m.policy.createOnly != "":
		return leave(Skipped, fmt.Errorf("%w, since it exists: %s", ErrProtected, m.policy.createOnly))
	}
	return false
}

// An ownedError is of an object that has the label of another set.
type ownedError struct{ label, owner string }

func (e *ownedError) Error() string {
	owner := e.owner
	if owner == "" {
		owner = "with the label " + e.label
	}
	return fmt.Sprintf("%s: the set %s; take it out of one of the two sets, or set Adopt to %q", ErrOwned, owner, AdoptAlways)
}

func (e *ownedError) Unwrap() error { return ErrOwned }

// nameOwners finds the names of the other sets by their parents, as far as those may be listed.
func (r *run) nameOwners(ctx context.Context) error {
	names := make(map[string]string)
	for _, c := range r.changes {
		var owned *ownedError
		if e, ok := c.Err.(*Error); !ok || !asOwned(e.Err, &owned) {
			continue
		}
		if _, asked := names[owned.label]; !asked {
			names[owned.label] = r.nameOf(ctx, owned.label, c.Ref.Namespace, r.set.ID.Namespace)
		}
		owned.owner = names[owned.label]
	}
	return context.Cause(ctx)
}

func asOwned(err error, to **ownedError) bool {
	owned, ok := err.(*ownedError)
	*to = owned
	return ok
}

// nameOf returns "namespace/name" of the set that has the label, or nothing where it cannot be found.
func (a *Applier) nameOf(ctx context.Context, label string, namespaces ...string) string {
	for _, namespace := range append([]string{""}, namespaces...) {
		parents, err := a.client.listMetadata(ctx, secretResource.path(namespace, ""), idLabel+"="+label)
		if err == nil && len(parents) > 0 {
			return parents[0].Namespace + "/" + parents[0].Name
		}
		if !apierrors.IsForbidden(err) {
			return ""
		}
	}
	return ""
}
