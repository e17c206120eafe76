package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// errDetached is why an object of the inventory was left alone.
var errDetached = errors.New("it no longer has the set's label, so it is not the set's to delete")

// pruneAll deletes what the set no longer has.
func (r *run) pruneAll(ctx context.Context) {
	if r.home != nil {
		r.result.Changes = append(r.result.Changes, *r.home)
		r.tell(r.set.ID, *r.home)
	}
	d := deletion{Applier: r.Applier, op: "pruning", done: Pruned, id: r.set.ID, live: r.live, inventory: r.now, stay: r.members}
	r.result.Changes = append(r.result.Changes, d.run(ctx, r.prune)...)
}

// errHome is why a namespace is not pruned.
var errHome = errors.New("the set's own inventory is in it; Delete takes it with the set, or take it by hand")

// isHome tells whether the object is the namespace that the set's parent is in.
func (id ID) isHome(ref Ref) bool {
	return ref.identity() == (Ref{Kind: "Namespace", Name: id.Namespace})
}

// A deletion deletes members of a set and takes them out of the inventory.
type deletion struct {
	*Applier
	op        string
	done      Action
	id        ID
	live      live
	inventory *inventory
	stay      []*member // of the set, which are not to go with what is deleted
	wait      bool      // until what was deleted is gone
	dry       bool      // nothing is to change

	mu    sync.Mutex
	going []target // deleted, of the group that is at work
}

// run deletes group by group, and none after one in which something failed.
func (d *deletion) run(ctx context.Context, refs []Ref) []Change {
	var changes []Change
	failed := false
	for _, group := range d.groups(refs) {
		first := len(changes)
		for _, ref := range group {
			changes = append(changes, Change{Ref: ref})
		}
		todo := changes[first:]
		places := make([]int, len(todo))
		for i := range todo {
			places[i] = i
		}
		if !failed {
			each(d.opts.Concurrency, places, func(i int) { d.delete(ctx, &todo[i]) })
			d.awaitGroup(ctx, todo)
		}
		for i := range todo {
			if failed {
				todo[i].end(Skipped, d.op, ErrNotReached)
			}
			d.tell(d.id, todo[i])
		}
		for _, c := range todo {
			if c.unfinished() {
				failed = true
				continue
			}
			delete(d.inventory.entries, c.Ref.identity())
		}
	}
	return changes
}

// groups returns the objects in the order of their deletion: the last wave first, and before an object those that depend
// on it, as far as the cluster tells; so these are of its wave at least.
func (d *deletion) groups(refs []Ref) [][]Ref {
	nodes, wave := make([]node, len(refs)), make([]int, len(refs))
	for i, ref := range refs {
		nodes[i].ref, wave[i] = ref, waveOf(ref)
		if seen := d.live.objects[ref.identity()]; seen != nil {
			nodes[i].annotations = seen.Annotations
		}
	}
	order := levels(nodes)
	needs, _ := annotated(nodes)
	for _, level := range slices.Backward(order) { // what is needed before what needs it
		for _, i := range level {
			for _, need := range needs[i] {
				wave[i] = max(wave[i], wave[need])
			}
		}
	}
	var groups [][]Ref
	for at := waves - 1; at >= 0; at-- {
		for _, level := range order {
			var group []Ref
			for _, i := range level {
				if wave[i] == at {
					group = append(group, refs[i])
				}
			}
			if len(group) > 0 {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// delete deletes one object, if it still is the member that was seen. A member that changed in the meantime, as its
// status does, is looked at again; and where its kind is now reached in another way, by that.
func (d *deletion) delete(ctx context.Context, change *Change) {
	if d.live.gone[change.Ref.groupKind()] {
		change.Action = d.done
		return
	}
	reached := d.inventory.kinds[change.Ref.groupKind()]
	seen := d.live.objects[change.Ref.identity()]
	var err error
	for range 10 {
		if err = d.tryDelete(ctx, change, reached, seen); err == nil {
			return
		}
		seen = nil
		if kindGone(err) {
			now, findErr := d.mapper.find(ctx, schema.GroupVersionKind{Group: reached.Group, Kind: reached.Kind}, true)
			if isUnknownKind(findErr) || findErr == nil && now.Namespaced != (change.Ref.Namespace != "") {
				change.Action = d.done // there can be no such object
				return
			}
			if findErr == nil && now != reached {
				reached = now
				continue
			}
		}
		if !apierrors.IsConflict(err) {
			break
		}
	}
	if objectGone(err) {
		change.Action = d.done
		return
	}
	change.end(Failed, d.op, err)
}

// tryDelete deletes what was seen, and looks at it first where it was not.
func (d *deletion) tryDelete(ctx context.Context, change *Change, reached resource, seen *partialObject) (err error) {
	if seen == nil {
		if seen, err = d.client.getMetadata(ctx, reached.path(change.Ref.Namespace, change.Ref.Name)); err != nil {
			return err
		}
	}
	return d.deleteSeen(ctx, change, reached, seen)
}

// deleteSeen deletes the object in just the state that was seen, if it is the set's to delete.
func (d *deletion) deleteSeen(ctx context.Context, change *Change, reached resource, seen *partialObject) error {
	path := reached.path(change.Ref.Namespace, change.Ref.Name)
	if seen.Labels[partOfLabel] != d.id.label() {
		change.end(Skipped, d.op, errDetached)
		return nil
	}
	if p := policyOf(seen.Annotations, seen.Labels); p.keep != "" {
		if !d.dry {
			if err := d.detach(ctx, path, seen); err != nil {
				return err
			}
		}
		change.end(Skipped, d.op, fmt.Errorf("%w: %s; it stays, and is no longer the set's", ErrProtected, p.keep))
		return nil
	}
	if err := d.checkNoneStays(change.Ref); err != nil {
		return err
	}
	if err := d.checkEmpty(ctx, d.id, change.Ref); err != nil {
		return err
	}
	if d.dry {
		change.Action = d.done
		return nil
	}
	if err := d.client.delete(ctx, path, deleteOptions(string(seen.UID), seen.ResourceVersion, d.opts.Propagation)); err != nil {
		return err
	}
	change.Action = d.done
	d.mu.Lock()
	defer d.mu.Unlock()
	d.going = append(d.going, target{ref: change.Ref, resource: reached, uid: seen.UID})
	return nil
}

// detach takes the set's label off an object that stays.
func (d *deletion) detach(ctx context.Context, path []string, seen *partialObject) error {
	patch := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q,"labels":{%q:null}}}`, seen.ResourceVersion, partOfLabel)
	return d.client.patchMerge(ctx, path, patch, d.opts.FieldManager)
}

// awaitGroup waits until what was deleted is gone, where that was asked for, and fails what is not in time.
func (d *deletion) awaitGroup(ctx context.Context, todo []Change) {
	going := d.going
	d.going = nil
	if !d.wait || len(going) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, d.opts.WaitForDeletion)
	defer cancel()
	err := d.awaitGone(ctx, going, partOfLabel+"="+d.id.label())
	left := make(map[Ref]error)
	for _, e := range joined(err) {
		var about *Error
		if errors.As(e, &about) {
			left[about.Ref.identity()] = about.Err
		}
	}
	for i := range todo {
		switch remains, is := left[todo[i].Ref.identity()]; {
		case is:
			todo[i].end(Failed, d.op, remains)
		case err != nil && len(left) == 0 && todo[i].Action == d.done:
			todo[i].end(Failed, d.op, err)
		}
	}
}

// joined returns the errors that were joined.
func joined(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return nil
}

// Delete deletes all members of a set, those that were applied last first, and then its parent. With
// [Options.WaitForDeletion] it waits until they are gone. Where an object cannot be deleted, the inventory keeps it, and
// Delete may be called again. A set that is not there has an empty result.
func (a *Applier) Delete(ctx context.Context, id ID) (*Result, error) {
	result := &Result{ID: id}
	if err := (Set{ID: id}).check(); err != nil {
		return result, err
	}
	parent, inv, err := a.readParent(ctx, id)
	if err != nil {
		return result, err
	}
	seen, err := a.inquire(ctx, id, inquiriesOf(inv.inquiries(nil), nil), inv.kinds)
	if err != nil {
		return result, err
	}
	d := deletion{Applier: a, op: "deleting", done: Deleted, id: id, live: seen, inventory: inv.clone(), wait: a.opts.WaitForDeletion > 0}
	home := inv.refs(id.isHome) // last, for the inventory goes with it
	result.Changes = d.run(ctx, inv.refs(func(ref Ref) bool { return !id.isHome(ref) }))
	if len(d.inventory.entries) == len(home) {
		d.wait = false // the parent is in it
		result.Changes = append(result.Changes, d.run(ctx, home)...)
	}
	if ctx.Err() != nil {
		return result, errors.Join(fmt.Errorf("deleting %s: %w", id, context.Cause(ctx)), result.err())
	}
	if len(d.inventory.entries) > 0 {
		return result, errors.Join(result.err(), parent.write(ctx, d.inventory))
	}
	return result, parent.remove(ctx)
}
