package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// atWord adds to err the line of k's file where word stands under the field that err is about, if that can be found. A
// field may have an index or a name behind it, "patches[0]". It is for errors only: the file is parsed once more.
func (k *kustomization) atWord(field, word string, err error) error {
	var e *Error
	if err == nil || k.embedded || errors.As(err, &e) {
		return err
	}
	line := wordLine(k.content, fieldName(field), word)
	if line == 0 {
		return err
	}
	return atLine(line, err)
}

func fieldName(field string) string {
	if i := strings.IndexFunc(field, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }); i >= 0 {
		return field[:i]
	}
	return field
}

// olderNames are those that kustomize takes for a field too.
var olderNames = map[string]string{"resources": "bases", "helmCharts": "helmChartInflationGenerator"}

// wordLine returns the line of the first scalar under the field that is word, or ends in "=" and word; without a word, that
// of the field. Zero: there is none.
func wordLine(content []byte, field, word string) int {
	var doc yaml.Node
	if yaml.NewDecoder(bytes.NewReader(unixLines(content))).Decode(&doc) != nil || len(doc.Content) == 0 {
		return 0
	}
	pairs := doc.Content[0].Content
	for _, name := range []string{field, olderNames[field]} {
		for i := 0; i+1 < len(pairs); i += 2 {
			if name == "" || !strings.EqualFold(pairs[i].Value, name) {
				continue
			}
			if word == "" {
				return pairs[i].Line
			}
			if n := findScalar(pairs[i+1], word); n != nil {
				return n.Line
			}
		}
	}
	return 0
}

func findScalar(n *yaml.Node, word string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && (n.Value == word || strings.HasSuffix(n.Value, "="+word)) {
		return n
	}
	for _, child := range n.Content {
		if found := findScalar(child, word); found != nil {
			return found
		}
	}
	return nil
}

// objectLine returns the line of the first map in a YAML stream that has both values, or 1.
func objectLine(content []byte, apiVersion, kind string) int {
	for _, doc := range splitDocuments(content) {
		var n yaml.Node
		if yaml.NewDecoder(bytes.NewReader(doc.text)).Decode(&n) != nil {
			continue
		}
		if found := findObject(&n, apiVersion, kind); found != nil {
			return doc.line + found.Line - 1
		}
	}
	return 1
}

func findObject(n *yaml.Node, apiVersion, kind string) *yaml.Node {
	if scalarOf(n, "apiVersion") == apiVersion && scalarOf(n, "kind") == kind {
		return n
	}
	for _, child := range n.Content {
		if found := findObject(child, apiVersion, kind); found != nil {
			return found
		}
	}
	return nil
}

func scalarOf(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil {
		return v.Value
	}
	return ""
}

// guardKeys refuses a kustomization in which a key is there twice, of which kustomize would take the last without a word: a
// second list of resources in place of the first.
func guardKeys(content []byte) error {
	var doc yaml.Node
	if yaml.NewDecoder(bytes.NewReader(unixLines(content))).Decode(&doc) != nil {
		return nil // kustomize has read it, and so it is JSON with tabs, or the like
	}
	return repeatedKey(&doc)
}

func repeatedKey(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode {
		lines := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if first, ok := lines[key.Value]; ok && key.Kind == yaml.ScalarNode {
				return atLine(key.Line, fmt.Errorf("key %s is there twice, in line %d too", shown(key.Value), first))
			}
			lines[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		if err := repeatedKey(child); err != nil {
			return err
		}
	}
	return nil
}
