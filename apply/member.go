package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A member is an object of the set on its way to the cluster.
type member struct {
	ref      Ref
	resource resource
	manifest map[string]any // what is sent: ours to change at the top, in metadata and in labels, and nowhere else
	intent   sum
	defined  bool                          // the set has the CustomResourceDefinition of its kind
	answer   *metav1.PartialObjectMetadata // of the server, where it took the manifest
	err      error
}

func (m *member) path() []string { return m.resource.path(m.ref.Namespace, m.ref.Name) }

func (m *member) body() ([]byte, error) { return json.Marshal(m.manifest) }

// members maps the set's objects to resources and readies their manifests, one for each object and in the same order. An
// object whose kind nobody knows has its error in it; an error of members itself is about the whole set.
func (a *Applier) members(ctx context.Context, set Set, inv *inventory) ([]*member, error) {
	defined, label := definedKinds(set.Objects), set.ID.label()
	members := make([]*member, len(set.Objects))
	seen := make(map[Ref]int, len(set.Objects))
	asked := false
	for i, o := range set.Objects {
		m := &member{ref: refOf(o)}
		if m.err = a.mapMember(ctx, m, o.GroupVersionKind(), inv, defined, &asked); m.err != nil && ctx.Err() != nil {
			return nil, m.err
		}
		a.place(m, o, set, label)
		if first, ok := seen[m.ref.identity()]; ok {
			return nil, &Error{Op: "reading the manifest of", Ref: m.ref, Err: fmt.Errorf("%w: objects %d and %d", ErrDuplicate, first, i)}
		}
		seen[m.ref.identity()] = i
		if m.ref.identity() == (Ref{Kind: "Secret", Namespace: set.ID.Namespace, Name: set.ID.Name}) {
			return nil, &Error{Op: "reading the manifest of", Ref: m.ref,
				Err: fmt.Errorf("%w: it is the set's own parent; choose another name for the set", ErrInvalid)}
		}
		members[i] = m
	}
	return members, nil
}

// mapMember finds the member's resource: by the set's own definitions, by the inventory, by discovery; and asks discovery
// anew at most once for a set.
func (a *Applier) mapMember(ctx context.Context, m *member, gvk schema.GroupVersionKind, inv *inventory,
	defined map[schema.GroupVersionKind]resource, asked *bool) error {
	if r, ok := defined[gvk]; ok {
		m.resource, m.defined = r, true
		return nil
	}
	if r, ok := inv.kinds[gvk.GroupKind()]; ok && r.Version == gvk.Version {
		m.resource = r
		return nil
	}
	r, err := a.mapper.find(ctx, gvk, false)
	if err != nil && ctx.Err() == nil && !*asked {
		*asked = true
		r, err = a.mapper.find(ctx, gvk, true)
	}
	if err != nil {
		return &Error{Op: "applying", Ref: m.ref, Err: err}
	}
	m.resource = r
	return nil
}

// serverFields of metadata are left over in manifests that were read from a cluster, and are the server's to set.
var serverFields = []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"}

// place gives the member its namespace and its manifest: a copy where it differs from the object, which stays as it is.
func (a *Applier) place(m *member, o *unstructured.Unstructured, set Set, label string) {
	if m.err != nil {
		return
	}
	switch {
	case !m.resource.Namespaced:
		m.ref.Namespace = ""
	case m.ref.Namespace == "" && set.Namespace != "":
		m.ref.Namespace = set.Namespace
	case m.ref.Namespace == "":
		m.ref.Namespace = set.ID.Namespace
	}
	m.manifest = maps.Clone(o.Object)
	given, _ := o.Object["metadata"].(map[string]any)
	metadata := maps.Clone(given)
	for _, f := range serverFields {
		delete(metadata, f)
	}
	if m.ref.Namespace == "" {
		delete(metadata, "namespace")
	} else {
		metadata["namespace"] = m.ref.Namespace
	}
	had, _ := given["labels"].(map[string]any)
	labels := make(map[string]any, len(had)+1)
	maps.Copy(labels, had)
	labels[partOfLabel] = label
	metadata["labels"] = labels
	m.manifest["metadata"] = metadata
	m.intent = intent(m.manifest, a.opts.FieldManager)
}
