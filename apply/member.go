package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A member is an object of the set on its way to the cluster.
type member struct {
	ref      Ref
	resource resource
	object   map[string]any // the consumer's, and not to be changed
	label    string         // of the set's members
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
	manifest, err := withoutIgnored(m.manifest(), m.ignored, seen, manager)
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
		m := &member{ref: refOf(o), object: o.Object, label: label}
		if m.err = a.mapMember(ctx, m, o.GroupVersionKind(), inv, defined, &asked); m.err != nil && ctx.Err() != nil {
			return nil, m.err
		}
		a.place(m, set)
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
		nodes[i] = node{ref: m.ref, annotations: textsOf(m.given("annotations"))}
		if m.ref.groupKind() == definitionKind {
			nodes[i].defines = definedKind(m.object)
		}
	}
	needs, err := dependencies(nodes)
	for i, m := range members {
		m.needs = needs[i]
	}
	return err
}

func (m *member) saysNeeds() bool {
	_, says := m.given("annotations")[dependsOn]
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

// place gives the member its namespace, and reads what its annotations and labels ask for.
func (a *Applier) place(m *member, set Set) {
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
	annotations, labels := m.given("annotations"), m.given("labels")
	if hasPolicy(annotations, labels) {
		m.policy = policyOf(textsOf(annotations), textsOf(labels))
	}
	if len(a.ignore) > 0 {
		m.ignored = a.ignore.pointers(m.ref, textsOf(labels))
	}
}

// given returns the labels or annotations of the object as it was given.
func (m *member) given(field string) map[string]any {
	metadata, _ := m.object["metadata"].(map[string]any)
	values, _ := metadata[field].(map[string]any)
	return values
}

// manifest is what is sent: the object with its namespace and the set's label, and without what is the server's to set. It
// is a copy where it differs from the object, made when it is needed and not kept.
func (m *member) manifest() map[string]any {
	given, _ := m.object["metadata"].(map[string]any)
	metadata := maps.Clone(given)
	for _, f := range serverFields {
		delete(metadata, f)
	}
	delete(metadata, "namespace")
	if m.ref.Namespace != "" {
		metadata["namespace"] = m.ref.Namespace
	}
	metadata["name"] = m.ref.Name
	had := m.given("labels")
	labels := make(map[string]any, len(had)+1)
	maps.Copy(labels, had)
	labels[partOfLabel] = m.label
	metadata["labels"] = labels
	manifest := maps.Clone(m.object)
	manifest["metadata"] = metadata
	if isSecret(m.ref) { // the server forgets whose data stringData was, and would keep what is no longer in it
		mergeStringData(manifest)
	}
	return manifest
}
