package kustomize

import (
	"bytes"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// patching is one entry of the field patches: strategic merge patches or a JSON patch.
type patching struct {
	target *types.Selector
	merge  []*resource.Resource
	json   jsonpatch.Patch
}

// newPatching reads a patch. Kustomize tries to read it as both kinds, and so has this to.
func (b *directBuild) newPatching(l *level, p types.Patch) (patching, error) {
	none := patching{}
	if p.Options != nil && *p.Options != (types.PatchArgs{}) {
		return none, errUnsure
	}
	text := []byte(strings.TrimSpace(p.Patch))
	if (len(text) == 0) == (p.Path == "") {
		return none, errUnsure
	}
	if p.Path != "" {
		name, err := l.named(p.Path)
		if err != nil {
			return none, errUnsure
		}
		text = b.tree.files[name]
	}
	if bytes.Contains(text, []byte("config.k")) {
		return none, errUnsure // kustomize's notes
	}
	merge, mergeErr := b.factory.SliceFromBytes(text)
	ops, jsonErr := decodeJSONPatch(text)
	switch {
	case mergeErr == nil && len(merge) > 0 && len(ops) > 0, mergeErr != nil && jsonErr != nil:
		return none, errUnsure
	case mergeErr == nil:
		ops = nil
	default:
		merge = nil
	}
	if ops != nil && p.Target == nil || p.Target != nil && len(merge) > 1 {
		return none, errUnsure
	}
	if b.generated && slices.ContainsFunc(merge, func(r *resource.Resource) bool { return hasOddStyle(r.YNode()) }) {
		return none, errUnsure
	}
	return patching{p.Target, merge, ops}, nil
}

func decodeJSONPatch(text []byte) (jsonpatch.Patch, error) {
	if len(text) == 0 {
		return nil, errUnsure
	}
	if text[0] != '[' {
		var err error
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return nil, err
		}
	}
	return jsonpatch.DecodePatch(text)
}

// transform applies the patch, and returns what is left of the items.
func (b *directBuild) patch(l *level, p types.Patch, items []*item) ([]*item, error) {
	patch, err := b.newPatching(l, p)
	if err != nil {
		return nil, err
	}
	if patch.target == nil {
		if err := b.mergePatches(items, patch.merge); err != nil {
			return nil, err
		}
		return present(items), nil
	}
	if patch.merge == nil && patch.json == nil {
		return items, nil
	}
	targets, err := selected(items, patch.target)
	if err != nil {
		return nil, err
	}
	if patch.merge == nil {
		for _, o := range targets {
			if err := o.patchJSON(patch.json); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	if err := b.mergeInto(targets, patch.merge[0]); err != nil {
		return nil, err
	}
	items = present(items)
	return items, checkUnique(items)
}
