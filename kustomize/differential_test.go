package kustomize

import (
	"bufio"
	"io"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// sameBytes holds objects, printed, against what kustomize printed. One thing may differ: kustomize prints an integer between
// 2⁶³ and 2⁶⁴ as it is, for which an unstructured object has no type. There it is the float64 that a client reads from
// kustomize's output, and so the output is read as a client does and printed again.
func sameBytes(t testing.TB, objects []*unstructured.Unstructured, want string) bool {
	t.Helper()
	got := yamlText(t, objects)
	if got != want && beyondInt64.MatchString(want) {
		want = yamlText(t, asRead(t, want))
	}
	return got == want
}

// beyondInt64 finds what may be such an integer.
var beyondInt64 = regexp.MustCompile(`\b(9[2-9]\d{17}|1\d{19})\b`)

// asRead reads a stream of YAML as a client does.
func asRead(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		document, err := reader.Read()
		if err == io.EOF {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := yaml.YAMLToJSON(document)
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(content, &o.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
}
