package kustomize

import (
	"encoding/json"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// patchJSON applies a JSON patch to the object. All numbers become floats on the way, as they do with kustomize.
func (o *item) patchJSON(patch jsonpatch.Patch) error {
	if err := o.storeID(); err != nil {
		return err
	}
	gvk, notes := o.gvk(), map[string]any{}
	for key, value := range o.annotations() {
		if strings.HasPrefix(key, internalPrefix) {
			notes[key] = value
		} else if !isSameInJSON(value, moves(patch)) {
			return errUnsure
		}
	}
	if o.shared {
		unshared(o.object)
		o.shared = false
	}
	text, err := json.Marshal(o.object)
	if err != nil {
		return errUnsure
	}
	if text, err = patch.Apply(text); err != nil {
		return errUnsure
	}
	o.object = nil
	if err := json.Unmarshal(text, &o.object); err != nil {
		return errUnsure
	}
	o.spelling = exact
	if _, err := o.fromFloats(o.object); err != nil {
		return errUnsure
	}
	metadata := o.metadata()
	annotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		if metadata == nil || metadata["annotations"] != nil {
			return errUnsure
		}
		annotations = map[string]any{}
		metadata["annotations"] = annotations
	}
	for key, value := range notes {
		annotations[key] = value
	}
	if o.gvk() != gvk {
		return errUnsure
	}
	return o.check()
}

// isSameInJSON says whether an annotation has the same text after a JSON patch even if it had no quotes. It is a text here
// from the beginning; to kustomize 1_000 is a number still, and 1000 then, as 1000000 is 1e+06. One that moved elsewhere
// stays a number there.
func isSameInJSON(value any, moved bool) bool {
	text, ok := value.(string)
	if !ok {
		_, ok = value.(*sharedText) // of an overlay
		return ok
	}
	n := scalarNode("", text)
	n.Tag = n.ShortTag()
	return n.Tag == yaml.NodeTagString || !moved && spellingOf(n) == exact && (n.Tag != yaml.NodeTagInt || len(text) <= 6)
}

// moves says whether a patch can put a value in another place, or looks at one.
func moves(patch jsonpatch.Patch) bool {
	return slices.ContainsFunc(patch, func(op jsonpatch.Operation) bool {
		return op.Kind() == "copy" || op.Kind() == "move" || op.Kind() == "test"
	})
}

// fromFloats makes the numbers in a value those of unstructured objects. Kustomize writes floats as YAML has them, large ones
// with an exponent: what they look like then is not known from their values.
func (o *item) fromFloats(value any) (any, error) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			changed, err := o.fromFloats(child)
			if err != nil {
				return nil, err
			}
			v[key] = changed
		}
	case []any:
		for i, child := range v {
			changed, err := o.fromFloats(child)
			if err != nil {
				return nil, err
			}
			v[i] = changed
		}
	case string:
		if isOddInPrint(v) {
			return nil, errUnsure // kustomize has it in another style from here
		}
	case float64:
		if v >= 1e6 || v <= -1e6 || v != float64(int64(v)) {
			o.spelling = oddNumbers
		}
		return plainFloat(v)
	}
	return value, nil
}
