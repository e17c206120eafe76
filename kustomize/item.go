package kustomize

import (
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// item is an object on its way through the kustomizations. As with kustomize, what it was called before stands in annotations
// that are gone in the end: patches see them and can remove them.
type item struct {
	object   map[string]any
	spelling spelling
	shared   bool // it has entries that are a *sharedText
	scopes   scopes
}

// Kustomize's notes.
const (
	previousNames      = konfig.ConfigAnnoDomain + "/previousNames"
	previousNamespaces = konfig.ConfigAnnoDomain + "/previousNamespaces"
	previousKinds      = konfig.ConfigAnnoDomain + "/previousKinds"
)

func (o *item) gvk() resid.Gvk {
	apiVersion, _ := o.object["apiVersion"].(string)
	kind, _ := o.object["kind"].(string)
	group, version := resid.ParseGroupVersion(apiVersion)
	return resid.Gvk{Group: group, Version: version, Kind: kind}
}

func (o *item) metadata() map[string]any {
	metadata, _ := o.object["metadata"].(map[string]any)
	return metadata
}

func (o *item) name() string {
	name, _ := o.metadata()["name"].(string)
	return name
}

func (o *item) namespace() string {
	namespace, _ := o.metadata()["namespace"].(string)
	return namespace
}

func (o *item) annotations() map[string]any {
	annotations, _ := o.metadata()["annotations"].(map[string]any)
	return annotations
}

// itemID is kustomize's identity of an object. A namespace is never empty: it is "default", or notNamespaced.
type itemID struct {
	gvk             resid.Gvk
	name, namespace string
}

const notNamespaced = resid.TotallyNotANamespace

func (o *item) id() itemID {
	id := itemID{gvk: o.gvk(), name: o.name(), namespace: orDefaultNamespace(o.namespace())}
	if o.scopes.isCluster(id.gvk) {
		id.namespace = notNamespaced
	}
	return id
}

func orDefaultNamespace(namespace string) string {
	if namespace == "" {
		return resid.DefaultNamespace
	}
	return namespace
}

func (o *item) isCluster() bool { return o.scopes.isCluster(o.gvk()) }

// previousIDs are the identities that the object had before, the oldest first.
func (o *item) previousIDs() ([]itemID, error) {
	annotations := o.annotations()
	text, ok := annotations[previousNames]
	if !ok {
		return nil, nil
	}
	names, ok1 := text.(string)
	namespaces, ok2 := textOrEmpty(annotations[previousNamespaces])
	kinds, ok3 := textOrEmpty(annotations[previousKinds])
	if !ok1 || !ok2 || !ok3 {
		return nil, errUnsure
	}
	name, namespace, kind := strings.Split(names, ","), strings.Split(namespaces, ","), strings.Split(kinds, ",")
	if len(name) != len(namespace) || len(name) != len(kind) {
		return nil, errUnsure
	}
	gvk := o.gvk()
	ids := make([]itemID, len(name))
	for i := range name {
		gvk.Kind = kind[i]
		ids[i] = itemID{gvk: gvk, name: name[i], namespace: orDefaultNamespace(namespace[i])}
	}
	return ids, nil
}

func textOrEmpty(value any) (string, bool) {
	if value == nil {
		return "", true
	}
	text, ok := value.(string)
	return text, ok
}

// originalID is what the object was called at first.
func (o *item) originalID() (itemID, error) {
	ids, err := o.previousIDs()
	if err != nil || len(ids) == 0 {
		return o.id(), err
	}
	return ids[0], nil
}

// storeID notes down what the object is called now.
func (o *item) storeID() error {
	id := o.id()
	for _, note := range []struct{ key, value string }{
		{previousNames, id.name}, {previousNamespaces, id.namespace}, {previousKinds, id.gvk.Kind},
	} {
		if err := o.appendNote(note.key, note.value); err != nil {
			return err
		}
	}
	return nil
}

func (o *item) appendNote(key, value string) error {
	metadata := o.metadata()
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		if metadata["annotations"] != nil {
			return errUnsure
		}
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	if before, ok := annotations[key]; ok {
		text, ok := before.(string)
		if !ok {
			return errUnsure
		}
		value = text + "," + value
	}
	annotations[key] = value
	return nil
}

// isForeignNote says whether an annotation is one that kustomize acts on or takes away. An object that comes with one is not
// for the direct path.
func isForeignNote(key string) bool {
	return notes[key] || key == konfig.HelmGeneratedAnnotation || strings.HasPrefix(key, internalPrefix)
}

// isOwnNote says whether an annotation is one that the direct path makes itself.
func isOwnNote(key string) bool {
	switch key {
	case previousNames, previousNamespaces, previousKinds, prefixesNote, suffixesNote, behaviorNote, needsHashNote:
		return true
	}
	return false
}

// scopes remembers which kinds are known not to be in namespaces. Its owner is in schemaGate.
type scopes map[resid.Gvk]bool

func (s scopes) isCluster(gvk resid.Gvk) bool {
	is, ok := s[gvk]
	if !ok {
		is = openapi.IsCertainlyClusterScoped(gvk.AsTypeMeta())
		s[gvk] = is
	}
	return is
}

// sharedText is a text that stands in several places of one object, so that to change it in one is to change it in all. That
// is what kustomize makes of labels and annotations where it sets them anew: one YAML node.
type sharedText struct{ text string }

// unshared returns value with texts in place of shared ones.
func unshared(value any) any {
	switch v := value.(type) {
	case *sharedText:
		return v.text
	case map[string]any:
		for key, child := range v {
			switch child.(type) {
			case *sharedText, map[string]any, []any:
				v[key] = unshared(child)
			}
		}
	case []any:
		for i, child := range v {
			v[i] = unshared(child)
		}
	}
	return value
}

// finished returns the object as it leaves kustomize: without its notes, and without annotations where there are none.
func (o *item) finished() (map[string]any, error) {
	if o.shared {
		unshared(o.object)
	}
	metadata := o.metadata()
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		for key := range annotations {
			if strings.HasPrefix(key, internalPrefix) {
				delete(annotations, key)
			}
		}
	}
	if len(o.annotations()) == 0 {
		delete(metadata, "annotations")
	}
	return o.object, checkObject(o.object)
}
