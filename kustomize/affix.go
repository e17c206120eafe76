package kustomize

import (
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// affixing is the transformer of the fields namePrefix and nameSuffix. References to the names are mended in the end.
type affixing struct{ prefix, suffix string }

// isRenamed says whether kustomize puts prefixes and suffixes to objects of this kind.
func (id itemID) isRenamed() bool {
	switch id.gvk.Kind {
	case "CustomResourceDefinition", "Namespace":
		return false
	case "APIService":
		return id.gvk.Group != "apiregistration.k8s.io"
	}
	return true
}

func newAffixing(k *types.Kustomization) (affixing, error) {
	for _, field := range []string{"namePrefix", "nameSuffix"} {
		if !slices.Equal(defaultFields().fields[field], types.FsSlice{{Path: types.MetadataNamePath}}) {
			return affixing{}, errUnsure
		}
	}
	return affixing{k.NamePrefix, k.NameSuffix}, nil
}

func (a affixing) transform(o *item) error {
	original, err := o.originalID()
	if err != nil || !original.isRenamed() {
		return err
	}
	if err := a.put(o, prefixesNote, a.prefix, a.prefix+o.name()); err != nil {
		return err
	}
	return a.put(o, suffixesNote, a.suffix, o.name()+a.suffix)
}

func (a affixing) put(o *item, note, affix, name string) error {
	if affix == "" {
		return nil
	}
	if !isPlainText(name) {
		return errUnsure
	}
	if err := o.appendNote(note, affix); err != nil {
		return err
	}
	if err := o.storeID(); err != nil {
		return err
	}
	o.metadata()["name"] = name
	return nil
}

// Where kustomize notes down what was put to a name.
const (
	prefixesNote = konfig.ConfigAnnoDomain + "/prefixes"
	suffixesNote = konfig.ConfigAnnoDomain + "/suffixes"
)
