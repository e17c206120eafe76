package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A resource is how a kind is reached.
type resource struct {
	schema.GroupVersionKind
	Plural     string // "deployments"
	Namespaced bool
}

// path of an object, or of all objects where name is empty; of all namespaces where the namespace is.
func (r resource) path(namespace, name string) []string {
	path := make([]string, 0, 7)
	if r.Group == "" {
		path = append(path, "api", r.Version)
	} else {
		path = append(path, "apis", r.Group, r.Version)
	}
	if namespace != "" {
		path = append(path, "namespaces", namespace)
	}
	path = append(path, r.Plural)
	if name != "" {
		path = append(path, name)
	}
	return path
}

// A mapper knows the cluster's kinds. It asks for the aggregated discovery document when it is first asked for a kind that
// nobody told it, once for the core group and once for all others.
type mapper struct {
	client *client

	turn  chan struct{} // held by whoever looks or asks, also while the server answers
	asked map[bool]bool // which documents were read: of the core group, of the others
	kinds map[schema.GroupVersionKind]resource
	lists map[resource]bool // those that can be listed
	// preferred has the version of a group and kind that the server lists first.
	preferred map[schema.GroupKind]resource
}

// find returns the kind's resource, from discovery where it is not known; where fresh is set, discovery is asked in any
// case. The version counts only where it is not empty.
func (m *mapper) find(ctx context.Context, gvk schema.GroupVersionKind, fresh bool) (resource, error) {
	if err := m.enter(ctx); err != nil {
		return resource{}, err
	}
	defer m.leave()
	if !fresh {
		if r, ok := m.known(gvk); ok {
			return r, nil
		}
	}
	if core := gvk.Group == ""; fresh || !m.asked[core] {
		if err := m.ask(ctx, core); err != nil {
			return resource{}, err
		}
	}
	if r, ok := m.known(gvk); ok {
		return r, nil
	}
	name := gvk.Kind + "." + gvk.Version
	if gvk.Group != "" {
		name += "." + gvk.Group
	}
	mend := "apply its CustomResourceDefinition, in this set or before it"
	if other := m.likely(gvk.Kind); other != "" {
		mend = "it has " + other
	}
	return resource{}, fmt.Errorf("%w: %s; %s", ErrUnknownKind, name, mend)
}

func newMapper(c *client) *mapper {
	return &mapper{client: c, turn: make(chan struct{}, 1), asked: make(map[bool]bool),
		kinds: make(map[schema.GroupVersionKind]resource), lists: make(map[resource]bool), preferred: make(map[schema.GroupKind]resource)}
}

// listable returns the resources that match and can be listed, each kind by one version of it, as the server has them now.
func (m *mapper) listable(ctx context.Context, match func(resource) bool) ([]resource, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.leave()
	for _, core := range []bool{true, false} {
		if err := m.ask(ctx, core); err != nil {
			return nil, err
		}
	}
	var found []resource
	for _, r := range m.preferred {
		if m.lists[r] && match(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b resource) int { return strings.Compare(a.Group+"/"+a.Plural, b.Group+"/"+b.Plural) })
	return found, nil
}

func (m *mapper) enter(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *mapper) leave() { <-m.turn }

func (m *mapper) ask(ctx context.Context, core bool) error {
	if err := m.discover(ctx, core); err != nil {
		return fmt.Errorf("asking which kinds the cluster has: %w", err)
	}
	m.asked[core] = true
	return nil
}

// likely returns the kind of that name that the writer of a wrong apiVersion may have meant.
func (m *mapper) likely(kind string) string {
	var found []string
	for gk, r := range m.preferred {
		if gk.Kind == kind {
			found = append(found, kind+" in "+r.GroupVersion().String())
		}
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func (m *mapper) known(gvk schema.GroupVersionKind) (resource, bool) {
	if gvk.Version == "" {
		r, ok := m.preferred[gvk.GroupKind()]
		return r, ok
	}
	r, ok := m.kinds[gvk]
	return r, ok
}

// discoveryDocument is the part that matters here of apidiscovery.k8s.io/v2's APIGroupDiscoveryList.
type discoveryDocument struct {
	Kind  string
	Items []struct {
		Metadata struct{ Name string }
		Versions []struct {
			Version   string
			Resources []struct {
				Resource     string
				Scope        string
				Verbs        []string
				ResponseKind *schema.GroupVersionKind
			}
		}
	}
}

func (m *mapper) discover(ctx context.Context, core bool) error {
	root := "apis"
	if core {
		root = "api"
	}
	var doc discoveryDocument
	if err := m.client.getJSON(ctx, []string{root}, acceptDiscovery, &doc); err != nil {
		return err
	}
	if doc.Kind != "APIGroupDiscoveryList" {
		return fmt.Errorf("the server has no aggregated discovery, which Kubernetes has since 1.30")
	}
	m.forget(core)
	seen := make(map[schema.GroupKind]bool)
	for _, group := range doc.Items {
		for _, version := range group.Versions {
			for _, r := range version.Resources {
				if r.ResponseKind == nil || r.ResponseKind.Kind == "" {
					continue
				}
				gvk := schema.GroupVersionKind{Group: group.Metadata.Name, Version: version.Version, Kind: r.ResponseKind.Kind}
				found := resource{GroupVersionKind: gvk, Plural: r.Resource, Namespaced: r.Scope == "Namespaced"}
				m.kinds[gvk], m.lists[found] = found, slices.Contains(r.Verbs, "list")
				if !seen[gvk.GroupKind()] {
					seen[gvk.GroupKind()], m.preferred[gvk.GroupKind()] = true, found
				}
			}
		}
	}
	return nil
}

// forget has kinds not be known that the server no longer has.
func (m *mapper) forget(core bool) {
	maps.DeleteFunc(m.kinds, func(gvk schema.GroupVersionKind, _ resource) bool { return (gvk.Group == "") == core })
	maps.DeleteFunc(m.lists, func(r resource, _ bool) bool { return (r.Group == "") == core })
	maps.DeleteFunc(m.preferred, func(gk schema.GroupKind, _ resource) bool { return (gk.Group == "") == core })
}

var definitionKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

// definedKind reads the kind that a CustomResourceDefinition defines.
func definedKind(definition map[string]any) schema.GroupKind {
	group, _, _ := unstructured.NestedString(definition, "spec", "group")
	kind, _, _ := unstructured.NestedString(definition, "spec", "names", "kind")
	return schema.GroupKind{Group: group, Kind: kind}
}

// definedKinds reads the kinds that the set's own CustomResourceDefinitions will bring.
func definedKinds(objects []*unstructured.Unstructured) map[schema.GroupVersionKind]resource {
	kinds := make(map[schema.GroupVersionKind]resource)
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() != definitionKind {
			continue
		}
		text := func(fields ...string) string {
			s, _, _ := unstructured.NestedString(o.Object, fields...)
			return s
		}
		versions, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "versions")
		list, _ := versions.([]any)
		for _, v := range list {
			version, _ := v.(map[string]any)
			name, _ := version["name"].(string)
			if served, _ := version["served"].(bool); !served {
				continue
			}
			gk := definedKind(o.Object)
			gvk := gk.WithVersion(name)
			plural, scope := text("spec", "names", "plural"), text("spec", "scope")
			wrong := gvk.Group == "" || gvk.Version == "" || gvk.Kind == "" || plural == "" || scope != "Namespaced" && scope != "Cluster"
			if wrong || !plainName(plural) || !plainName(gvk.Group) || !plainName(gvk.Version) {
				continue // the server will refuse it, and say why
			}
			kinds[gvk] = resource{GroupVersionKind: gvk, Plural: plural, Namespaced: scope == "Namespaced"}
		}
	}
	return kinds
}
