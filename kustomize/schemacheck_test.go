package kustomize

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckOpenAPI(t *testing.T) {
	for name, c := range map[string]struct {
		schema string
		want   error // nil stands for no error
	}{
		"schema":          {`{"definitions": {"A": {"properties": {"b": {"$ref": "#/definitions/B"}}}, "B": {"type": "object"}}}`, nil},
		"yaml":            {"definitions:\n  A: {type: object}\n", nil},
		"recursive type":  {`{"definitions": {"A": {"properties": {"a": {"$ref": "#/definitions/A"}}}}}`, nil},
		"chain":           {`{"definitions": {"A": {"$ref": "#/definitions/B"}, "B": {"type": "object"}}}`, nil},
		"to nowhere":      {`{"definitions": {"A": {"$ref": "#/definitions/C"}}}`, nil},
		"property $ref":   {`{"definitions": {"A": {"properties": {"$ref": {"type": "string"}}}}}`, nil},
		"self":            {`{"definitions": {"A": {"$ref": "#/definitions/A"}}}`, ErrCycle},
		"two":             {`{"definitions": {"A": {"$ref": "#/definitions/B"}, "B": {"$ref": "#/definitions/A"}}}`, ErrCycle},
		"into a loop":     {`{"definitions": {"A": {"$ref": "#/definitions/B"}, "B": {"$ref": "#/definitions/B"}}}`, ErrCycle},
		"property of":     {`{"definitions": {"A": {"properties": {"a": {"$ref": "#/definitions/A/properties/a"}}}}}`, ErrUnsupported},
		"to the root":     {`{"definitions": {"A": {"$ref": "#"}}}`, ErrUnsupported},
		"to a file":       {`{"definitions": {"A": {"$ref": "other.json#/definitions/A"}}}`, ErrUnsupported},
		"escaped":         {`{"definitions": {"A": {"$ref": "#/definitions/%41"}}}`, ErrUnsupported},
		"other case":      {`{"definitions": {"A": {"$REF": "#/definitions/A"}}}`, ErrUnsupported},
		"other case too":  {`{"Definitions": {"A": {"$ref": "#/definitions/A"}}}`, ErrUnsupported},
		"inside of lists": {`{"definitions": {"A": {"allOf": [{"$ref": "#/x"}]}}}`, ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := checkOpenAPI([]byte(c.schema)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	for _, schema := range []string{"", "[]", "{", "text"} {
		if _, err := checkOpenAPI([]byte(schema)); err == nil {
			t.Errorf("%q passes", schema)
		}
	}
}

// typesThatHold returns n types with properties of the types that of says.
func typesThatHold(n int, of func(i int) []int) string {
	var types []string
	for i := range n {
		properties := []string{`"kind": {}, "apiVersion": {}, "metadata": {}`}
		for j, ref := range of(i) {
			properties = append(properties, fmt.Sprintf(`"p%d": {"$ref": "T%d"}`, j, ref))
		}
		types = append(types, fmt.Sprintf(`"T%d": {"Schema": {"properties": {%s}}}`, i, strings.Join(properties, ", ")))
	}
	return "{" + strings.Join(types, ", ") + "}"
}

func TestCheckDefinitions(t *testing.T) {
	for name, c := range map[string]struct {
		definitions string
		want        error
	}{
		"plain":       {typesThatHold(3, func(int) []int { return nil }), nil},
		"chain":       {typesThatHold(100, func(i int) []int { return []int{i + 1} }), nil},
		"diamond":     {typesThatHold(10, func(i int) []int { return []int{i + 1, i + 1} }), nil},
		"self":        {typesThatHold(1, func(int) []int { return []int{0} }), ErrCycle},
		"round":       {typesThatHold(5, func(i int) []int { return []int{(i + 1) % 5} }), ErrCycle},
		"exponential": {typesThatHold(40, func(i int) []int { return []int{i + 1, i + 1} }), ErrTooLarge},
		"deep":        {typesThatHold(5000, func(i int) []int { return []int{i + 1} }), ErrTooLarge},
		"other case":  {`{"T": {"SCHEMA": {"Properties": {"a": {"$Ref": "T"}}}}}`, ErrCycle},
		"slashes":     {`{"T": {"Schema": {"properties": {"a": {"$ref": "a//T"}}}}}`, ErrUnsupported},
		"url":         {`{"T": {"Schema": {"properties": {"a": {"$ref": "HTTP://a/T"}}}}}`, ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := checkDefinitions([]byte(c.definitions)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
