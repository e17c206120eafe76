package kustomize

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// fieldType is what a field of an object may hold, as far as it matters to a text that could be a number.
type fieldType uint8

const (
	anyField fieldType = iota // not known: a custom resource, or what Kubernetes does not look into
	stringField
	integerField
	numberField
	booleanField
	integerOrStringField
	structuredField // a map or a list
)

// scalar returns what becomes of a string with expressions in it. It is a string, unless it is in a field of another type
// and reads as that. In Flux, where what is substituted is the text of a manifest, a port in an environment variable is a
// number, which the API server refuses.
func (s *substituter) scalar(template string) any {
	text, ok := s.expand(template)
	if !ok || strings.Contains(template, "\n") {
		return text
	}
	if inner, ok := unquoted(template, text); ok {
		return inner
	}
	value, ok := plainReading(text)
	if !ok {
		return text
	}
	t, err := s.types.of(s.ctx, s.object, s.path)
	if err != nil {
		s.fatal = err
		return text
	}
	return t.fit(text, value)
}

// unquoted returns the text in the quotes that a template's first and last expression have put around it. That is how a user
// of Flux makes a string of a number: ${quote}${number}${quote}.
func unquoted(template, text string) (string, bool) {
	if len(text) < 2 || !strings.HasPrefix(template, "${") || text[0] != text[len(text)-1] {
		return "", false
	}
	inner := text[1 : len(text)-1]
	switch text[0] {
	case '\'':
		without := strings.ReplaceAll(inner, "''", "")
		return strings.ReplaceAll(inner, "''", "'"), !strings.Contains(without, "'")
	case '"':
		if !strings.ContainsAny(inner, `"\`) {
			return inner, true
		}
		return unescaped(text)
	}
	return "", false
}

// unescaped returns the text of a double-quoted scalar, if text is one as a whole. Its line breaks stay line breaks.
func unescaped(text string) (string, bool) {
	decoder := yaml.NewDecoder(strings.NewReader(strings.ReplaceAll(text, "\n", `\n`)))
	var n, more yaml.Node
	if err := decoder.Decode(&n); err != nil || decoder.Decode(&more) != io.EOF {
		return "", false
	}
	inner := n.Content[0]
	whole := inner.Kind == yaml.ScalarNode && inner.LineComment == "" && inner.FootComment == "" && n.FootComment == ""
	return inner.Value, whole
}

// maxPlain is how long a number may be to be taken for one.
const maxPlain = 64

// plainReading returns the number, bool or null that text reads as in a manifest. Nothing at all reads as null.
func plainReading(text string) (value any, ok bool) {
	switch trimmed := strings.TrimSpace(text); trimmed {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	case "null", "Null", "NULL", "~":
		return nil, true
	case "":
		return nil, text == ""
	default:
		return numberReading(trimmed)
	}
}

// numberReading leaves all but the common spelling to the YAML package, which takes its time.
func numberReading(text string) (value any, ok bool) {
	first := strings.TrimLeft(text, "+-.")
	if len(text) > maxPlain || len(first) == 0 || first[0] < '0' || first[0] > '9' {
		return nil, false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(i, 10) == text {
		return i, true
	}
	value, err := toScalar(&yaml.Node{Kind: yaml.ScalarNode, Value: text})
	if _, isText := value.(string); err != nil || isText {
		return nil, false
	}
	return value, true
}

// fit returns value if a field of this type may hold it, and else text. Where it may not, the API server says so.
func (t fieldType) fit(text string, value any) any {
	if text == "" && t == anyField {
		return text
	}
	_, integer := value.(int64)
	_, fraction := value.(float64)
	_, boolean := value.(bool)
	fits := value == nil
	switch t {
	case stringField:
		fits = false
	case integerField, integerOrStringField:
		fits = fits || integer
	case numberField:
		fits = fits || integer || fraction
	case booleanField:
		fits = fits || boolean
	default:
		fits = true
	}
	if fits {
		return value
	}
	return text
}

// fieldTypes finds the types of fields in Kubernetes' schema, each once a build.
type fieldTypes struct {
	known map[string]fieldType
	key   []byte
}

// of returns the type of the field of object at path.
func (f *fieldTypes) of(ctx context.Context, object map[string]any, path []step) (fieldType, error) {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if isAlwaysString(kind, apiVersion, path) {
		return stringField, nil
	}
	if path[0].key == "metadata" {
		apiVersion, kind = "v1", "ConfigMap" // all kinds have the same, also those that the schema does not know
	}
	f.key = append(append(append(f.key[:0], apiVersion...), '\n'), kind...)
	for _, p := range path {
		f.key = append(append(f.key, '\n'), p.key...)
		if p.index >= 0 {
			f.key = append(f.key, "[]"...)
		}
	}
	if t, ok := f.known[string(f.key)]; ok {
		return t, nil
	}
	var t fieldType
	err := schemaGate.together(ctx, func() error {
		t = schemaType(yaml.TypeMeta{APIVersion: apiVersion, Kind: kind}, path)
		return nil
	})
	if err != nil {
		return anyField, err
	}
	if f.known == nil {
		f.known = map[string]fieldType{}
	}
	f.known[string(f.key)] = t
	return t, nil
}

// isAlwaysString names the strings that are worth no look into the schema, which takes 40 ms to parse.
func isAlwaysString(kind, apiVersion string, path []step) bool {
	switch path[0].key {
	case "apiVersion", "kind":
		return true
	case "metadata":
		known := []string{"name", "namespace", "generateName", "labels", "annotations"}
		return len(path) > 1 && slices.Contains(known, path[1].key)
	case "data", "binaryData":
		return apiVersion == "v1" && kind == "ConfigMap"
	case "stringData":
		return apiVersion == "v1" && kind == "Secret"
	}
	return false
}

// schemaType looks a field up. Who calls it is inside the gate of the schema.
func schemaType(object yaml.TypeMeta, path []step) fieldType {
	schema := openapi.SchemaForResourceType(object)
	for _, p := range path {
		if schema == nil || schema.Schema == nil {
			return anyField
		}
		if p.index >= 0 {
			schema = schema.Elements()
		} else {
			schema = schema.Field(p.key)
		}
	}
	if schema == nil || schema.Schema == nil || len(schema.Schema.Type) != 1 {
		return anyField
	}
	switch schema.Schema.Type[0] {
	case "string":
		if schema.Schema.Format == "int-or-string" {
			return integerOrStringField
		}
		return stringField
	case "integer":
		return integerField
	case "number":
		return numberField
	case "boolean":
		return booleanField
	case "array", "object":
		return structuredField
	}
	return anyField
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// pathText writes a path as in spec.containers[0].image. A key that is more than a word is quoted.
func pathText(path []step) string {
	var b strings.Builder
	for _, p := range path {
		switch {
		case p.index >= 0:
			b.WriteString("[" + strconv.Itoa(p.index) + "]")
		case !plainKey.MatchString(p.key):
			b.WriteString("[" + shown(p.key) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(p.key)
		}
	}
	return b.String()
}
