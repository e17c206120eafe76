package apply

import (
	"context"
	"fmt"
	"maps"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// A live view is of the set's members as the server has them.
type live struct {
	objects map[Ref]*metav1.PartialObjectMetadata // by identity
	gone    map[schema.GroupKind]bool             // kinds that the server no longer has
}

// observe lists the members by the set's label: one request for each kind of the inventory, in the namespace where the
// kind's objects are in one, else in all. It notes in the inventory where a kind is now reached in another way.
func (a *Applier) observe(ctx context.Context, id ID, inv *inventory) (live, error) {
	spaces := make(map[schema.GroupKind]string)
	for ref := range inv.entries {
		space, ok := spaces[ref.groupKind()]
		if ok && space != ref.Namespace {
			spaces[ref.groupKind()] = metav1.NamespaceAll
			continue
		}
		spaces[ref.groupKind()] = ref.Namespace
	}
	var mu sync.Mutex
	seen := live{objects: make(map[Ref]*metav1.PartialObjectMetadata), gone: make(map[schema.GroupKind]bool)}
	was := maps.Clone(inv.kinds)
	err := a.parallel(ctx, inv.groupKinds(), func(ctx context.Context, gk schema.GroupKind) error {
		items, reached, err := a.listMembers(ctx, id, was[gk], spaces[gk])
		mu.Lock()
		defer mu.Unlock()
		switch {
		case isUnknownKind(err):
			seen.gone[gk] = true
			return nil
		case err != nil:
			return fmt.Errorf("listing the members of %s of kind %s: %w", id, gk, err)
		}
		inv.kinds[gk] = reached
		for i := range items {
			seen.objects[Ref{Group: gk.Group, Kind: gk.Kind, Namespace: items[i].Namespace, Name: items[i].Name}] = &items[i]
		}
		return nil
	})
	return seen, err
}

// listMembers lists in another way where the server no longer has the one that the inventory remembers: by another
// version, say. A kind that it does not have at all is [ErrUnknownKind].
func (a *Applier) listMembers(ctx context.Context, id ID, r resource, namespace string) ([]metav1.PartialObjectMetadata, resource, error) {
	items, err := a.client.listMetadata(ctx, r.path(namespace, ""), partOfLabel+"="+id.label())
	if !kindGone(err) {
		return items, r, err
	}
	r, err = a.mapper.find(ctx, schema.GroupVersionKind{Group: r.Group, Kind: r.Kind}, true)
	if err != nil {
		return nil, r, err
	}
	items, err = a.client.listMetadata(ctx, r.path(namespace, ""), partOfLabel+"="+id.label())
	return items, r, err
}

// parallel calls do for each of the kinds, with as many at once as the options say, and returns the first error.
func (a *Applier) parallel(ctx context.Context, kinds []schema.GroupKind, do func(context.Context, schema.GroupKind) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each(a.opts.Concurrency, kinds, func(gk schema.GroupKind) {
		if ctx.Err() != nil {
			return
		}
		if err := do(ctx, gk); err != nil {
			cancel(err)
		}
	})
	return context.Cause(ctx)
}

// each calls do for all items, by at most n goroutines, and returns when they are done.
func each[T any](n int, items []T, do func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range min(n, len(items)) {
		workers.Go(func() {
			for item := range queue {
				do(item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}

// deleteOptions let the server delete just the object that was seen, in the state in which it was seen.
func deleteOptions(uid, resourceVersion string, propagation metav1.DeletionPropagation) metav1.DeleteOptions {
	id := types.UID(uid)
	return metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &id, ResourceVersion: &resourceVersion},
		PropagationPolicy: &propagation,
	}
}
