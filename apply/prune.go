package apply

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// errDetached is why an object of the inventory was left alone.
var errDetached = errors.New("it no longer has the set's label, so it is not the set's to delete")

// pruneAll deletes what the set no longer has.
func (r *run) pruneAll(ctx context.Context) {
	if r.home != nil {
		r.result.Changes = append(r.result.Changes, *r.home)
	}
	d := deletion{Applier: r.Applier, op: "pruning", done: Pruned, id: r.set.ID, live: r.live, inventory: r.now}
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
}

// run deletes wave by wave, the last wave first, and none before one in which something failed.
func (d *deletion) run(ctx context.Context, refs []Ref) []Change {
	var changes []Change
	failed := false
	for wave := waves - 1; wave >= 0; wave-- {
		first := len(changes)
		for _, ref := range refs {
			if waveOf(ref) == wave {
				changes = append(changes, Change{Ref: ref})
			}
		}
		todo := changes[first:]
		places := make([]int, len(todo))
		for i := range todo {
			places[i] = i
		}
		if failed {
			for i := range todo {
				todo[i].end(Skipped, d.op, ErrNotReached)
			}
			continue
		}
		each(d.opts.Concurrency, places, func(i int) { d.delete(ctx, &todo[i]) })
		for _, c := range todo {
			if c.Action == Failed {
				failed = true
				continue
			}
			delete(d.inventory.entries, c.Ref.identity())
		}
	}
	return changes
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
		path := reached.path(change.Ref.Namespace, change.Ref.Name)
		if seen == nil {
			seen, err = d.look(ctx, path, change)
		}
		if seen != nil {
			change.Action = d.done
			err = d.client.delete(ctx, path, deleteOptions(string(seen.UID), seen.ResourceVersion, d.opts.Propagation))
		}
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
		seen = nil
	}
	if err != nil && !objectGone(err) {
		change.end(Failed, d.op, err)
	}
}

// look reads an object that the LIST did not have, or had in another state. It returns nil where there is nothing to
// delete, after noting in the change why.
func (d *deletion) look(ctx context.Context, path []string, change *Change) (*metav1.PartialObjectMetadata, error) {
	seen, err := d.client.getMetadata(ctx, path)
	switch {
	case objectGone(err):
		change.Action = d.done
		return nil, nil
	case err != nil:
		return nil, err
	case seen.Labels[partOfLabel] != d.id.label():
		change.end(Skipped, d.op, errDetached)
		return nil, nil
	}
	return seen, nil
}

// Delete deletes all members of a set, the last wave first, and then its parent. It does not wait until they are gone.
// Where an object cannot be deleted, the inventory keeps it, and Delete may be called again. A set that is not there has
// an empty result.
func (a *Applier) Delete(ctx context.Context, id ID) (*Result, error) {
	result := &Result{ID: id}
	if err := (Set{ID: id}).check(); err != nil {
		return result, err
	}
	parent, inv, err := a.readParent(ctx, id)
	if err != nil {
		return result, err
	}
	seen, err := a.observe(ctx, id, inv)
	if err != nil {
		return result, err
	}
	d := deletion{Applier: a, op: "deleting", done: Deleted, id: id, live: seen, inventory: inv.clone()}
	home := inv.refs(id.isHome) // last, for the inventory goes with it
	result.Changes = d.run(ctx, inv.refs(func(ref Ref) bool { return !id.isHome(ref) }))
	if len(d.inventory.entries) == len(home) {
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
