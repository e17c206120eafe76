package kustomize

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// merger does what kustomize's merge does to well-formed objects and patches. Kustomize walks the whole object, not only what
// the patch names, and its lists change in ways of their own where elements lack a key or have one twice; all of that, and
// patches with directives, it refuses with errUnsure before anything has changed.
type merger struct {
	oddNumbers bool // how numbers are spelt in the object is not known

	texts []func() // what is to be done to shared texts once all went well
}

// quick applies a patch to the object.
func (o *item) quick(patch map[string]any, s *mergeSchema) error {
	if _, ok := patch["metadata"].(map[string]any); !ok {
		return errUnsure
	}
	m := &merger{oddNumbers: o.spelling != exact}
	object, err := m.fields(o.object, patch, s)
	if err != nil {
		return err
	}
	for _, set := range m.texts {
		set()
	}
	o.object = object
	if o.namespace() == "" {
		delete(o.metadata(), "namespace")
	}
	return nil
}

// patchFields returns the fields of a patch that can change something: kustomize restores those that make the identity.
// It returns nil where the patch is spelt in a way that kustomize might understand differently.
func patchFields(patch *resource.Resource) map[string]any {
	if spellingOfTree(patch.YNode()) != exact {
		return nil
	}
	fields, err := toObject(patch.YNode())
	if err != nil {
		return nil
	}
	delete(fields, "apiVersion")
	delete(fields, "kind")
	if metadata, ok := fields["metadata"].(map[string]any); ok {
		delete(metadata, "name")
		delete(metadata, "namespace")
	}
	return fields
}

func (m *merger) object(dest, patch map[string]any, s *mergeSchema) (map[string]any, error) {
	if s == nil && (isEmbedded(dest) || isEmbedded(patch)) {
		return nil, errUnsure
	}
	return m.fields(dest, patch, s)
}

// isEmbedded says whether a map is an object itself. Kustomize takes its schema if it has none from around it.
func isEmbedded(m map[string]any) bool { return m["kind"] != nil && m["apiVersion"] != nil }

func (m *merger) fields(dest, patch map[string]any, s *mergeSchema) (map[string]any, error) {
	for key, value := range dest {
		if _, ok := patch[key]; !ok {
			if err := m.untouched(value, s.field(key)); err != nil {
				return nil, err
			}
		}
	}
	merged := maps.Clone(dest)
	for key, value := range patch {
		if strings.HasPrefix(key, "$") {
			return nil, errUnsure
		}
		if value == nil {
			delete(merged, key)
			continue
		}
		v, err := m.value(dest[key], value, s.field(key))
		if err != nil {
			return nil, err
		}
		merged[key] = v
	}
	return merged, nil
}

func (m *merger) value(dest, patch any, s *mergeSchema) (any, error) {
	switch p := patch.(type) {
	case map[string]any:
		switch d := dest.(type) {
		case nil:
			return m.object(map[string]any{}, p, s)
		case map[string]any:
			return m.object(d, p, s)
		}
		return nil, errUnsure
	case []any:
		switch d := dest.(type) {
		case nil:
			return m.list(nil, p, s)
		case []any:
			return m.list(d, p, s)
		}
		return nil, errUnsure
	}
	switch d := dest.(type) {
	case map[string]any, []any:
		return nil, errUnsure
	case *sharedText:
		text, ok := patch.(string)
		if !ok {
			return nil, errUnsure
		}
		m.texts = append(m.texts, func() { d.text = text })
		return d, nil
	}
	return patch, nil
}

// list merges lists whose elements have keys: those of the patch come first. Other lists are replaced.
func (m *merger) list(dest, patch []any, s *mergeSchema) (any, error) {
	if !s.isMerged() {
		return runtime.DeepCopyJSONValue(patch), nil
	}
	keys, err := s.presentKeys(dest, patch)
	if err != nil {
		return nil, err
	}
	inDest, err := m.byKeys(dest, keys)
	if err != nil {
		return nil, err
	}
	inPatch, err := m.byKeys(patch, keys)
	if err != nil {
		return nil, err
	}
	var first, rest []any
	for _, element := range patch {
		d, both := inDest[keyText(element, keys)]
		if !both {
			d = map[string]any{}
		}
		merged, err := m.object(d, element.(map[string]any), s.element())
		if err != nil {
			return nil, err
		}
		if !both || len(keys) == 1 {
			first = append(first, merged)
		}
		inPatch[keyText(element, keys)] = merged
	}
	for _, element := range dest {
		merged, both := inPatch[keyText(element, keys)]
		switch {
		case !both:
			if err := m.untouched(element, s.element()); err != nil {
				return nil, err
			}
			rest = append(rest, element)
		case len(keys) > 1:
			rest = append(rest, merged)
		}
	}
	return append(append([]any{}, first...), rest...), nil
}

// untouched refuses what a merge changes though the patch does not name it.
func (m *merger) untouched(value any, s *mergeSchema) error {
	switch v := value.(type) {
	case map[string]any:
		if s == nil && isEmbedded(v) {
			return errUnsure
		}
		for key, child := range v {
			if err := m.untouched(child, s.field(key)); err != nil {
				return err
			}
		}
	case []any:
		if len(v) == 0 || !s.isMerged() {
			return nil
		}
		keys, err := s.presentKeys(v, nil)
		if err != nil {
			return err
		}
		if _, err := m.byKeys(v, keys); err != nil {
			return err
		}
		for _, element := range v {
			if err := m.untouched(element, s.element()); err != nil {
				return err
			}
		}
	}
	return nil
}

// byKeys finds elements by their keys, each of which must be there once.
func (m *merger) byKeys(list []any, keys []string) (map[string]map[string]any, error) {
	found := make(map[string]map[string]any, len(list))
	for _, element := range list {
		fields := element.(map[string]any)
		for _, key := range keys {
			if _, isText := fields[key].(string); m.oddNumbers && !isText {
				return nil, errUnsure
			}
		}
		text := keyText(element, keys)
		if _, ok := found[text]; ok {
			return nil, errUnsure
		}
		found[text] = fields
	}
	return found, nil
}

// keyText is the text of an element's keys, which are known to be there.
func keyText(element any, keys []string) string {
	m := element.(map[string]any)
	if len(keys) == 1 {
		return scalarText(m[keys[0]])
	}
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(strconv.Quote(scalarText(m[key])))
	}
	return b.String()
}

// scalarText is how kustomize spells a key, empty where that is not known.
func scalarText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// mergeSchema is what kustomize knows about a field when it merges, looked up once. A nil one knows nothing.
type mergeSchema struct {
	schema   *openapi.ResourceSchema
	strategy []string
	keys     []string
	fields   map[string]*mergeSchema
	elements *mergeSchema
}

func newMergeSchema(schema *openapi.ResourceSchema) *mergeSchema {
	if schema == nil || schema.Schema == nil {
		return nil
	}
	strategy, keys := schema.PatchStrategyAndKeyList()
	return &mergeSchema{schema: schema, strategy: strings.Split(strategy, ","), keys: keys, fields: map[string]*mergeSchema{}}
}

func (s *mergeSchema) isMerged() bool { return s != nil && slices.Contains(s.strategy, "merge") }

func (s *mergeSchema) field(name string) *mergeSchema {
	if s == nil {
		return nil
	}
	f, ok := s.fields[name]
	if !ok {
		f = newMergeSchema(s.schema.Field(name))
		s.fields[name] = f
	}
	return f
}

func (s *mergeSchema) element() *mergeSchema {
	if s.elements == nil {
		s.elements = newMergeSchema(s.schema.Elements())
	}
	return s.elements
}

// presentKeys returns those of the keys that the elements have. Each key must be in all of them or in none.
func (s *mergeSchema) presentKeys(lists ...[]any) ([]string, error) {
	all := slices.Concat(lists...)
	var present []string
	for _, key := range s.keys {
		n := 0
		for _, element := range all {
			m, ok := element.(map[string]any)
			if !ok {
				return nil, errUnsure
			}
			if scalarText(m[key]) != "" {
				n++
			} else if m[key] != nil {
				return nil, errUnsure
			}
		}
		if n != 0 && n != len(all) {
			return nil, errUnsure
		}
		if n > 0 {
			present = append(present, key)
		}
	}
	if len(present) == 0 && len(all) > 0 || len(s.keys) == 0 {
		return nil, errUnsure
	}
	return present, nil
}

// mergeSchema returns that of a kind.
func (b *directBuild) mergeSchema(gvk resid.Gvk) *mergeSchema {
	s, ok := b.schemas[gvk]
	if !ok {
		s = newMergeSchema(openapi.SchemaForResourceType(gvk.AsTypeMeta()))
		b.schemas[gvk] = s
	}
	return s
}
