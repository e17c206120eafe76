package apply

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// checkNoneStays refuses to have a namespace deleted, or a definition, of which the set still has objects: they would go
// with it, whatever the options say.
func (d *deletion) checkNoneStays(ref Ref) error {
	for _, m := range d.stay {
		inIt := ref.groupKind() == namespaceKind && m.ref.Namespace == ref.Name
		ofIt := ref.groupKind() == definitionKind && m.resource.Plural+"."+m.resource.Group == ref.Name
		if inIt || ofIt {
			return fmt.Errorf("%w: %s is of the set; take it out too, or put this back, or keep it by an annotation on the cluster",
				ErrOccupied, m.ref)
		}
	}
	return nil
}

// checkEmpty refuses to have a namespace deleted, or a definition, that still has objects outside the set, which would go
// with it. Whatever is not allowed to be looked at may be such.
func (a *Applier) checkEmpty(ctx context.Context, id ID, ref Ref) error {
	if a.opts.DeleteOccupied {
		return nil
	}
	switch ref.groupKind() {
	case namespaceKind:
		kinds, err := a.mapper.listable(ctx, func(r resource) bool { return r.Namespaced })
		if err != nil {
			return err
		}
		return parallel(ctx, a.opts.Concurrency, kinds, func(ctx context.Context, r resource) error {
			return a.checkNone(ctx, id, r, ref.Name)
		})
	case definitionKind:
		plural, group, _ := strings.Cut(ref.Name, ".")
		kinds, err := a.mapper.listable(ctx, func(r resource) bool { return r.Group == group && r.Plural == plural })
		if err != nil || len(kinds) == 0 {
			return err
		}
		return a.checkNone(ctx, id, kinds[0], "")
	}
	return nil
}

// checkNone looks for an object outside the set, page by page.
func (a *Applier) checkNone(ctx context.Context, id ID, r resource, namespace string) error {
	if derived[r.GroupKind()] || strings.HasSuffix(r.Group, "metrics.k8s.io") {
		return nil
	}
	for next := ""; ; {
		items, more, err := a.client.listPage(ctx, r.path(namespace, ""), next)
		if kindGone(err) || apierrors.IsMethodNotSupported(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking for objects outside the set: %w", err)
		}
		for i := range items {
			if outside(id, r, &items[i]) {
				found := Ref{Group: r.Group, Kind: r.Kind, Namespace: items[i].Namespace, Name: items[i].Name}
				return fmt.Errorf("%w: first %s, which is outside the set; delete them, or set DeleteOccupied", ErrOccupied, found)
			}
		}
		if next = more; next == "" {
			return nil
		}
	}
}

// derived are kinds that the cluster itself keeps about other objects, as it does with metrics.
var derived = map[schema.GroupKind]bool{
	{Kind: "Event"}: true, {Group: "events.k8s.io", Kind: "Event"}: true,
	{Kind: "Endpoints"}: true, {Group: "discovery.k8s.io", Kind: "EndpointSlice"}: true,
}

// outside tells whether an object is neither the set's, nor made by the cluster for another object or for each namespace,
// nor going already.
func outside(id ID, r resource, o *partialObject) bool {
	switch {
	case o.Labels[partOfLabel] == id.label(), o.Labels[idLabel] == id.label(), o.DeletionTimestamp != nil, len(o.OwnerReferences) > 0:
		return false
	case r.Group == "" && r.Plural == "configmaps" && o.Name == "kube-root-ca.crt":
		return false
	case r.Group == "" && r.Plural == "serviceaccounts" && o.Name == "default":
		return false
	case r.Group == "" && r.Plural == "secrets" && o.Annotations["kubernetes.io/service-account.name"] == "default":
		return false
	}
	return true
}
