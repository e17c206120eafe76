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
