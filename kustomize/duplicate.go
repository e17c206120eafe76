package kustomize

import "fmt"

// duplicate says that two objects have the identity id, and in which files they are where that can be told: names may have
// changed on the way.
func (t *tree) duplicate(id identity, original error) error {
	var files []string
	for _, m := range t.manifests {
		for _, o := range m.objects {
			if identityOf(o) == id {
				files = append(files, m.file)
			}
		}
	}
	if len(files) < 2 {
		return &reason{text: fmt.Sprintf("%v: %s", ErrDuplicate, id), sentinel: ErrDuplicate, original: original}
	}
	return at(files[1], &reason{
		text:     fmt.Sprintf("%v: %s is also in %s", ErrDuplicate, id, files[0]),
		sentinel: ErrDuplicate, original: original,
	})
}

// meeting names two objects that get one identity where all get one namespace, as far as that can be told.
func (t *tree) meeting() string {
	type found struct{ namespace, file string }
	first := map[identity]found{}
	for _, m := range t.manifests {
		for _, o := range m.objects {
			id := identityOf(o)
			here := found{id.namespace, m.file}
			if id.kind == "Namespace" && id.group == "" { // it gets the name
				here.namespace, id.name = id.name, ""
			}
			id.namespace = ""
			other, ok := first[id]
			if !ok {
				first[id] = here
			} else if other.namespace != here.namespace {
				return fmt.Sprintf("%s %s of %s in %s and of %s in %s get one identity",
					id.kind, id.name, shown(other.namespace), other.file, shown(here.namespace), here.file)
			}
		}
	}
	return "two objects get one identity"
}
