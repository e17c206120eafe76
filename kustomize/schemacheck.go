package kustomize

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const definitionsPrefix = "#/definitions/"

// checkOpenAPI checks a custom OpenAPI schema and returns it as JSON. Kustomize follows a $ref until it comes to something
// without one, so that a definition that is a reference to itself is a loop without an end; and it panics on a schema that
// it cannot read, while it holds a lock.
func checkOpenAPI(content []byte) ([]byte, error) {
	doc, err := decodeSchema(content)
	if err != nil {
		return nil, err
	}
	if err := checkRefs(doc); err != nil {
		return nil, err
	}
	definitions, _ := doc["definitions"].(map[string]any)
	for _, name := range sortedKeys(definitions) {
		if err := followRef(definitions, name); err != nil {
			return nil, err
		}
	}
	return json.Marshal(doc)
}

// checkDefinitions checks what the field crds names, definitions by their names, and returns it as JSON. Kustomize goes
// down into the type of each property, and of its properties. A type that contains itself overflows the stack, which ends
// the process; types that each contain the next one twice take it 2ⁿ steps.
func checkDefinitions(content []byte) ([]byte, error) {
	doc, err := decodeSchema(content)
	if err != nil {
		return nil, err
	}
	walk, total := &typeWalk{types: doc, steps: map[string]int{}}, 0
	for _, name := range sortedKeys(doc) {
		n, err := walk.of(name)
		if err != nil {
			return nil, err
		}
		if total += n; total > maxTypeSteps {
			return nil, fmt.Errorf("%w: its types contain each other more than %d times", ErrTooLarge, maxTypeSteps)
		}
	}
	return json.Marshal(doc)
}

func decodeSchema(content []byte) (map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil, document{text: content, line: 1}.syntaxError(err)
	}
	if len(doc) == 0 {
		return nil, errors.New("holds no definitions")
	}
	return doc, nil
}

// checkRefs makes sure that each $ref names a definition and nothing else. A pointer to anywhere would need kustomize's own
// reading of the schema to be followed here.
func checkRefs(v any) error {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if err := checkRef(key, v[key]); err != nil {
				return err
			}
			if err := checkRefs(v[key]); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range v {
			if err := checkRefs(child); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkRef takes any case of a key for a reference, and refuses those that only a lax decoder would.
func checkRef(key string, value any) error {
	if strings.EqualFold(key, "definitions") && key != "definitions" {
		return fmt.Errorf("%w: the key %q", ErrUnsupported, key)
	}
	ref, ok := value.(string)
	if !ok || !strings.EqualFold(key, "$ref") {
		return nil
	}
	name, found := strings.CutPrefix(ref, definitionsPrefix)
	if key != "$ref" || !found || !plainRef.MatchString(name) || strings.Contains(name, "/") {
		return fmt.Errorf("%w: the reference %s is not to a definition", ErrUnsupported, shown(redact(ref)))
	}
	return nil
}

// plainRef is a reference that stays what it is when it is parsed as a URL and printed again.
var plainRef = regexp.MustCompile(`^(#/)?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)

// followRef follows definitions that are nothing but references to others.
func followRef(definitions map[string]any, first string) error {
	name := first
	for range len(definitions) + 1 {
		definition, _ := definitions[name].(map[string]any)
		ref, ok := definition["$ref"].(string)
		if !ok {
			return nil
		}
		name = strings.TrimPrefix(ref, definitionsPrefix)
	}
	return fmt.Errorf("%w: the definition %q is a reference to itself", ErrCycle, first)
}

// typeWalk works out how many steps kustomize takes to go down into a type.
type typeWalk struct {
	types map[string]any
	steps map[string]int // unfinished while it is below the type
	depth int
}

const (
	unfinished   = -1
	maxTypeDepth = 1_000
	maxTypeSteps = 100_000
)

func (w *typeWalk) of(name string) (int, error) {
	n, ok := w.steps[name]
	if ok && n == unfinished {
		return 0, fmt.Errorf("%w: the type %q contains itself", ErrCycle, name)
	}
	if ok {
		return n, nil
	}
	if w.depth++; w.depth > maxTypeDepth {
		return 0, fmt.Errorf("%w: more than %d types, each in the one before", ErrTooLarge, maxTypeDepth)
	}
	w.steps[name], n = unfinished, 1
	for _, ref := range propertyRefs(w.types[name]) {
		if !plainRef.MatchString(ref) {
			return 0, fmt.Errorf("%w: the reference %s", ErrUnsupported, shown(redact(ref)))
		}
		below, err := w.of(ref)
		if err != nil {
			return 0, err
		}
		n = min(n+below, maxTypeSteps+1)
	}
	w.steps[name] = n
	w.depth--
	return n, nil
}

// propertyRefs returns the types of a definition's properties, which stand under schema.properties. Keys count in whatever
// case, since kustomize decodes them into Go structs.
func propertyRefs(definition any) []string {
	var refs []string
	for _, schema := range children(definition, "schema") {
		for _, properties := range children(schema, "properties") {
			byName, _ := properties.(map[string]any)
			for _, name := range sortedKeys(byName) {
				for _, ref := range children(byName[name], "$ref") {
					if ref, ok := ref.(string); ok {
						refs = append(refs, ref)
					}
				}
			}
		}
	}
	return refs
}

func children(v any, key string) []any {
	var found []any
	m, _ := v.(map[string]any)
	for _, k := range sortedKeys(m) {
		if strings.EqualFold(k, key) {
			found = append(found, m[k])
		}
	}
	return found
}

// sortedKeys makes sure that one input always has one error.
func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
