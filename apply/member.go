package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A member is an object of the set on its way to the cluster.
type member struct {
	ref      Ref
	resource resource
	manifest map[string]any // what is sent: ours to change at the top, in metadata and in labels, and nowhere else
	intent   sum
	policy   policy
	ignored  []pointer // fields that are left to others
	defined  bool      // the set has the CustomResourceDefinition of its kind
	needs    []int     // the places in the set of what it depends on
	err      error
}

func (m *member) path() []string { return m.resource.path(m.ref.Namespace, m.ref.Name) }

// body is the manifest as it is sent to where seen is the object now, if there is one.
func (m *member) body(seen *partialObject, manager string) ([]byte, error) {
	manifest, err := withoutIgnored(m.manifest, m.ignored, seen, manager)
	if err != nil {
		return nil, err
	}
	return json.Marshal(manifest)
}

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
	return members, addNeeds(members)
}

// addNeeds finds what depends on what, where any object says so.
func addNeeds(members []*member) error {
	if !slices.ContainsFunc(members, (*member).saysNeeds) {
		return nil
	}
	nodes := make([]node, len(members))
	for i, m := range members {
		metadata, _ := m.manifest["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		nodes[i] = node{ref: m.ref, annotations: textsOf(annotations)}
		if m.ref.groupKind() == definitionKind {
			nodes[i].defines = definedKind(m.manifest)
		}
	}
	needs, err := dependencies(nodes)
	for i, m := range members {
		m.needs = needs[i]
	}
	return err
}

func (m *member) saysNeeds() bool {
	metadata, _ := m.manifest["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	_, says := annotations[dependsOn]
	return says
}

// textsOf returns labels or annotations of a manifest.
func textsOf(values map[string]any) map[string]string {
	if len(values) == 0 {
		return nil
	}
	texts := make(map[string]string, len(values))
	for k, v := range values {
		texts[k], _ = v.(string)
	}
	return texts
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
	annotations, _ := given["annotations"].(map[string]any)
	if hasPolicy(annotations, labels) {
		m.policy = policyOf(textsOf(annotations), textsOf(labels))
	}
	if len(a.ignore) > 0 {
		m.ignored = a.ignore.pointers(m.ref, textsOf(labels))
	}
}
