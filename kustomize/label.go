//lint:file-ignore SA1019 deprecated fields are read: kustomizations in the wild have them

package kustomize

import (
	"sigs.k8s.io/kustomize/api/types"
)

// entries is a transformer that sets labels or annotations.
type entries struct {
	values map[string]string
	fields *fieldSpecs
}

// labelEntries returns the transformers of the field labels and of commonLabels behind it.
func labelEntries(k *types.Kustomization) ([]transformer, error) {
	defaults := defaultFields().fields
	var all []transformer
	for _, label := range k.Labels {
		fields := types.FsSlice(label.FieldSpecs[:len(label.FieldSpecs):len(label.FieldSpecs)])
		merge := []types.FsSlice{defaults["commonLabels"]}
		if !label.IncludeSelectors {
			merge = []types.FsSlice{{{Path: "metadata/labels", CreateIfNotPresent: true}}}
			if label.IncludeVolumeClaimTemplates {
				merge = append([]types.FsSlice{defaults["volumeClaimTemplateLabels"]}, merge...)
			}
			if label.IncludeTemplates {
				merge = append([]types.FsSlice{defaults["templateLabels"]}, merge...)
			}
		}
		var err error
		for _, m := range merge {
			if fields, err = fields.MergeAll(m); err != nil {
				return nil, errUnsure
			}
		}
		if all, err = appendEntries(all, label.Pairs, fields); err != nil {
			return nil, err
		}
	}
	return appendEntries(all, k.CommonLabels, defaults["commonLabels"])
}

func annotationEntries(k *types.Kustomization) ([]transformer, error) {
	for key := range k.CommonAnnotations {
		if isForeignNote(key) || key == localConfig {
			return nil, errUnsure
		}
	}
	return appendEntries(nil, k.CommonAnnotations, defaultFields().fields["commonAnnotations"])
}

func appendEntries(all []transformer, values map[string]string, fields types.FsSlice) ([]transformer, error) {
	if len(values) == 0 {
		return all, nil
	}
	compiled, err := compileFields(fields)
	return append(all, entries{values, compiled}), err
}

// transform sets the entries in an object.
func (e entries) transform(o *item) error {
	for key, value := range e.values {
		s := &placedEntry{key: key, value: value}
		if err := e.fields.each(o, &setting{create: createMap, leaf: s.set}); err != nil {
			return err
		}
		o.shared = o.shared || s.shared != nil
	}
	return nil
}

// placedEntry is one label or annotation that is being set in the maps of an object.
type placedEntry struct {
	key, value string
	first      map[string]any // where it was new
	shared     *sharedText    // once it was new in a second map
}

func (e *placedEntry) set(value any) (any, error) {
	m, ok := value.(map[string]any)
	if !ok {
		return nil, errUnsure
	}
	before, ok := m[e.key]
	if shared, isShared := before.(*sharedText); isShared {
		shared.text = e.value
		return m, nil
	}
	switch {
	case ok:
		m[e.key] = e.value
	case e.first == nil:
		m[e.key], e.first = e.value, m
	default:
		if e.shared == nil {
			e.shared = &sharedText{e.value}
			e.first[e.key] = e.shared
		}
		m[e.key] = e.shared
	}
	return m, nil
}
