package kustomize

import (
	"slices"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// mergePatches does strategic merge patches of one entry of the field patches: each on the object that it names itself.
func (b *directBuild) mergePatches(items []*item, patches []*resource.Resource) error {
	for _, patch := range patches {
		org := patch.OrgId()
		want := itemID{
			gvk:  resid.Gvk{Group: org.Group, Version: org.Version, Kind: org.Kind},
			name: org.Name, namespace: org.EffectiveNamespace(),
		}
		var found []*item
		for _, o := range items {
			if o.object == nil {
				continue // a patch before this one deleted it
			}
			was, err := o.everWas(func(id itemID) bool { return id == want })
			if err != nil {
				return err
			}
			if was {
				found = append(found, o)
			}
		}
		if len(found) != 1 {
			return errUnsure
		}
		if err := b.merge(found[0], patchFields(patch), func() (*resource.Resource, error) { return patch, nil }); err != nil {
			return err
		}
	}
	return nil
}

// mergeInto does one strategic merge patch on all of the items, as whatever they are.
func (b *directBuild) mergeInto(items []*item, patch *resource.Resource) error {
	copied := func() (*resource.Resource, error) {
		one := patch.DeepCopy()
		return one, one.CopyMergeMetaDataFieldsFrom(patch)
	}
	one, err := copied()
	if err != nil {
		return errUnsure
	}
	fields := patchFields(one)
	for _, o := range items {
		err := b.merge(o, fields, func() (*resource.Resource, error) {
			one, err := copied()
			one.SetGvk(o.gvk())
			one.SetKind(patch.GetKind())
			return one, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// merge merges a patch into the object, which is nil if the patch deletes it: the fields of the patch if they are such that
// what kustomize makes of them is known, and else what whole returns, by way of kustomize.
func (b *directBuild) merge(o *item, fields map[string]any, whole func() (*resource.Resource, error)) error {
	// Kustomize puts these back after the merge, without a tag.
	for _, text := range []string{o.gvk().Kind, o.name(), o.namespace()} {
		if text != "" && !isPlainText(text) {
			return errUnsure
		}
	}
	if o.spelling == oddSpellings {
		return errUnsure
	}
	if s := b.mergeSchema(o.gvk()); fields != nil && s != nil && o.quick(fields, s) == nil {
		return o.check()
	}
	patch, err := whole()
	if err != nil {
		return errUnsure
	}
	return o.mergeByKustomize(patch)
}

// mergeByKustomize has kustomize do it.
func (o *item) mergeByKustomize(patch *resource.Resource) error {
	if o.spelling != exact {
		return errUnsure
	}
	spelling := spellingOfTree(patch.YNode())
	w := &nodeWriter{}
	merged := &resource.Resource{RNode: *yaml.NewRNode(w.node(o.object))}
	if err := merged.ApplySmPatch(patch); err != nil {
		return errUnsure
	}
	if merged.IsNilOrEmpty() {
		o.object = nil
		return nil
	}
	value, err := w.value(merged.YNode())
	if err != nil {
		return errUnsure
	}
	object, ok := value.(map[string]any)
	if !ok {
		return errUnsure
	}
	o.object, o.spelling = object, spelling
	return o.check()
}

// check leaves to kustomize what a patch made that is no object, or has annotations that are none or tell kustomize to do
// something.
func (o *item) check() error {
	if checkObject(o.object) != nil {
		return errUnsure
	}
	for key, value := range o.annotations() {
		if isForeignNote(key) && !isOwnNote(key) {
			return errUnsure
		}
		switch value.(type) {
		case string, *sharedText:
		default:
			return errUnsure
		}
	}
	return nil
}

// present returns the items that are still there.
func present(items []*item) []*item {
	return slices.DeleteFunc(items, func(o *item) bool { return o.object == nil })
}
