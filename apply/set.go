package apply

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// An ID names a set: it is the name and the namespace of the set's parent, a Secret that holds the inventory. The
// namespace has to exist before the first Apply.
type ID struct{ Namespace, Name string }

// String returns "namespace/name".
func (id ID) String() string { return id.Namespace + "/" + id.Name }

// label is the value of the members' part-of label, in the form of KEP-3659.
func (id ID) label() string {
	sum := sha256.Sum256([]byte(id.Name + "." + id.Namespace + ".Secret."))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// A Set is the desired state of a group of objects: Apply creates and changes what it names, and prunes what an earlier
// Apply of the same ID named and this one does not.
type Set struct {
	ID ID
	// Objects are manifests in any order; Apply neither changes nor re-sorts them.
	Objects []*unstructured.Unstructured
	// Namespace is for objects of namespaced kinds that do not say theirs; empty: the ID's.
	Namespace string
	// AllowEmpty lets a set without objects prune all that it had. Otherwise that is [ErrEmptySet]: an empty set is more
	// often a mistake than a wish.
	AllowEmpty bool
	// Plan, where there is one, has Apply do what it says or nothing: [ErrPlanOutdated] where the set, its inventory or an
	// object that is to be sent or pruned is not as it was.
	Plan *Plan
}

// A Ref names an object. The version is the one by which it was reached, and no part of its identity.
type Ref struct {
	Group, Version, Kind string
	Namespace, Name      string // Namespace is empty for cluster-scoped objects
}

// String returns "Deployment.apps namespace/name", as kubectl would write it.
func (r Ref) String() string {
	kind := r.Kind
	if r.Group != "" {
		kind += "." + r.Group
	}
	if r.Namespace != "" {
		return kind + " " + r.Namespace + "/" + r.Name
	}
	return kind + " " + r.Name
}

// Compare orders references by group, kind, namespace and name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(strings.Compare(r.Group, o.Group), strings.Compare(r.Kind, o.Kind),
		strings.Compare(r.Namespace, o.Namespace), strings.Compare(r.Name, o.Name))
}

func (r Ref) groupKind() schema.GroupKind { return schema.GroupKind{Group: r.Group, Kind: r.Kind} }

// identity is the reference without its version: the key of maps.
func (r Ref) identity() Ref {
	r.Version = ""
	return r
}

func refOf(o *unstructured.Unstructured) Ref {
	gvk := o.GroupVersionKind()
	return Ref{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

// check tells what keeps the set from being applied at all, whatever is on the cluster.
func (s Set) check() error {
	if s.ID.Name == "" || s.ID.Namespace == "" || !plainName(s.ID.Name) || !plainName(s.ID.Namespace) {
		return fmt.Errorf("%w: the ID %q needs the namespace and the name of a Secret", ErrInvalid, s.ID)
	}
	if wrong := append(validation.IsDNS1123Subdomain(s.ID.Name), validation.IsDNS1123Label(s.ID.Namespace)...); len(wrong) > 0 {
		return fmt.Errorf("%w: the ID %q cannot be of a Secret: %s", ErrInvalid, s.ID, wrong[0])
	}
	for i, o := range s.Objects {
		if err := checkObject(i, o); err != nil {
			return err
		}
	}
	return nil
}

// checkObject tells what keeps an object from being a manifest, in words that lead to it.
func checkObject(index int, o *unstructured.Unstructured) error {
	if o == nil || o.Object == nil {
		return fmt.Errorf("%w: object %d is nil", ErrInvalid, index)
	}
	var missing []string
	for _, f := range []struct{ name, value string }{
		{"apiVersion", o.GetAPIVersion()}, {"kind", o.GetKind()}, {"metadata.name", o.GetName()},
	} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return &Error{Op: "reading the manifest of", Ref: refOf(o),
			Err: fmt.Errorf("%w: object %d has no %s", ErrInvalid, index, strings.Join(missing, ", no "))}
	}
	if wrong := wrongField(o); wrong != "" {
		return &Error{Op: "reading the manifest of", Ref: refOf(o), Err: fmt.Errorf("%w: %s", ErrInvalid, wrong)}
	}
	return nil
}

// wrongField tells what the server would refuse by words that quote a Secret, or would not refuse though it is lost.
func wrongField(o *unstructured.Unstructured) string {
	metadata, _ := o.Object["metadata"].(map[string]any)
	namespace, given := metadata["namespace"]
	_, isText := namespace.(string)
	labels, labelled := metadata["labels"].(map[string]any)
	gv, err := schema.ParseGroupVersion(o.GetAPIVersion())
	switch {
	case err != nil || !plainName(gv.Group) || !plainName(gv.Version):
		return fmt.Sprintf("apiVersion %q is not group/version", o.GetAPIVersion())
	case !plainName(o.GetName()) || !plainName(o.GetNamespace()):
		return "a name or namespace cannot be a part of a URL path"
	case given && namespace != nil && !isText:
		return "metadata.namespace is not a string; quote it"
	case metadata["labels"] != nil && !labelled:
		return fmt.Sprintf("metadata.labels is a %T and not a map[string]any", metadata["labels"])
	case o.IsList():
		return "it is a list; give its items"
	}
	for k, v := range labels {
		if _, ok := v.(string); !ok {
			return fmt.Sprintf("metadata.labels[%q] is not a string; quote it", k)
		}
	}
	switch (schema.GroupKind{Group: gv.Group, Kind: o.GetKind()}) {
	case schema.GroupKind{Kind: "Secret"}:
		return cmp.Or(noText(o, "data"), noText(o, "stringData"))
	case schema.GroupKind{Kind: "ConfigMap"}:
		if _, isMap := o.Object["data"].(map[string]any); isMap {
			return noText(o, "data")
		}
	}
	return ""
}

// noText names what is no text in a map of texts, and not what it is.
func noText(o *unstructured.Unstructured, field string) string {
	texts, ok := o.Object[field].(map[string]any)
	if o.Object[field] != nil && !ok {
		return field + " is not a map"
	}
	for k, v := range texts {
		if _, ok := v.(string); !ok {
			return fmt.Sprintf("%s[%q] is not a string; quote it", field, k)
		}
	}
	return ""
}

// plainName keeps names that would lead a request to another path away from the server.
func plainName(name string) bool {
	return name != "." && name != ".." && !strings.ContainsAny(name, "/%?#")
}
