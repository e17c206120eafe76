package kustomize

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// checkObject returns an error that matches ErrNotObject and names what m lacks.
func checkObject(m map[string]any) error {
	metadata, _ := m["metadata"].(map[string]any)
	var problems []string
	for _, field := range []struct {
		name  string
		value any
	}{{"apiVersion", m["apiVersion"]}, {"kind", m["kind"]}, {"metadata.name", metadata["name"]}} {
		switch s, ok := field.value.(string); {
		case field.value == nil, ok && s == "":
			problems = append(problems, "no "+field.name)
		case !ok:
			problems = append(problems, field.name+" is not a string")
		}
	}
	problems = append(problems, metadataProblems(metadata)...)
	if problems == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotObject, strings.Join(problems, ", "))
}

// metadataProblems names the optional fields that code for objects relies on to be of their types.
func metadataProblems(metadata map[string]any) []string {
	var problems []string
	if namespace, ok := metadata["namespace"]; ok && namespace != nil {
		if _, ok := namespace.(string); !ok {
			problems = append(problems, "metadata.namespace is not a string")
		}
	}
	for _, field := range []string{"labels", "annotations"} {
		if value, ok := metadata[field]; ok && value != nil {
			if _, ok := value.(map[string]any); !ok {
				problems = append(problems, "metadata."+field+" is not a map")
			}
		}
	}
	return problems
}

// identity is what makes two objects one and the same to a cluster. Versions of a kind are views of one object.
type identity struct {
	group, kind, namespace, name string
}

// identityOf returns the identity of an object that has passed checkObject. No namespace stands for "default", as it does
// in kustomize.
func identityOf(m map[string]any) identity {
	apiVersion, _ := m["apiVersion"].(string)
	group, _, grouped := strings.Cut(apiVersion, "/")
	if !grouped {
		group = ""
	}
	metadata, _ := m["metadata"].(map[string]any)
	kind, _ := m["kind"].(string)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	if namespace == "" {
		namespace = "default"
	}
	return identity{group, kind, namespace, name}
}

// String writes the identity as kubectl does: deployments.apps would need the plural, so it is Deployment.apps.
func (id identity) String() string {
	kind := id.kind
	if id.group != "" {
		kind += "." + id.group
	}
	return kind + " " + id.namespace + "/" + id.name
}

// localConfig is the annotation of objects that are input for tools and not meant for the cluster.
const localConfig = "config.kubernetes.io/local-config"

func isLocal(m map[string]any) bool {
	metadata, _ := m["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	value, ok := annotations[localConfig]
	return ok && value != "false"
}

// notes are annotations that kustomize takes away from every object. Other annotations of config.kubernetes.io belong to those
// who wrote them: depends-on is one, and origin is one when a kustomization asks for it.
var notes = map[string]bool{
	"config.kubernetes.io/index":                 true,
	"config.kubernetes.io/path":                  true,
	"config.k8s.io/id":                           true,
	"config.kubernetes.io/origin":                true,
	"alpha.config.kubernetes.io/transformations": true,
}

// internalPrefix begins the annotations by which kustomize tells itself what to do with an object.
const internalPrefix = "internal.config.kubernetes.io/"

// isForKustomize says whether m has an annotation that means something to kustomize, which may be to rename the object.
func isForKustomize(m map[string]any) bool {
	metadata, _ := m["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for key := range annotations {
		if strings.HasPrefix(key, internalPrefix) {
			return true
		}
	}
	return false
}

// stripNotes removes from an object that kustomize has not seen what it would have removed.
func stripNotes(m map[string]any) {
	metadata, _ := m["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	for key := range annotations {
		if notes[key] {
			delete(annotations, key)
		}
	}
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
}

// finish makes the result of a build from the objects in it: those for the cluster, without kustomize's notes, each there
// once.
func finish(objects []map[string]any, t *tree, limits Options) ([]*unstructured.Unstructured, error) {
	if err := limits.checkObjects(len(objects)); err != nil {
		return nil, err
	}
	seen := make(map[identity]bool, len(objects))
	result := make([]*unstructured.Unstructured, 0, len(objects))
	for _, m := range objects {
		id := identityOf(m)
		if seen[id] {
			return nil, t.duplicate(id, nil)
		}
		seen[id] = true
		if isLocal(m) {
			continue
		}
		if t.plain {
			stripNotes(m)
		}
		if t.overlaid != nil && t.noted {
			t.renameNotes(m)
		}
		result = append(result, &unstructured.Unstructured{Object: m})
	}
	return result, nil
}

// checkWork returns an error if work is more than the limit.
func (o Options) checkWork(work int64) error {
	if work <= o.MaxWork {
		return nil
	}
	return fmt.Errorf("%w: maps that are too wide or nested too deep for kustomize (Options.MaxWork)", ErrTooLarge)
}

// checkObjects returns an error if n is more than the limit.
func (o Options) checkObjects(n int) error {
	if n <= o.MaxObjects {
		return nil
	}
	return fmt.Errorf("%w: more than %d objects (Options.MaxObjects)", ErrTooLarge, o.MaxObjects)
}
