package kustomize

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"golang.org/x/tools/txtar"
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

// differ builds a tree and has kustomize build it on disk. It says what differs, and whether there are objects.
func differ(t testing.TB, fsys fs.FS, dir string) (difference string, built bool) {
	t.Helper()
	var want string
	var wantErr error
	if err := schemaGate.together(context.Background(), func() error {
		want, wantErr = oracle(t, fsys, dir)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got, err := Build(context.Background(), fsys, dir, Options{})
	switch {
	case err != nil && wantErr != nil, err != nil && stricter(err):
		return "", false
	case err != nil || wantErr != nil:
		return fmt.Sprintf("kustomize: %v\nBuild: %v", wantErr, err), false
	case !sameBytes(t, got, want):
		return fmt.Sprintf(" got: %s\nwant: %s", yamlText(t, got), want), true
	}
	return "", true
}

// stricter says whether an error of Build stands for what it refuses and kustomize takes: see doc.go.
func stricter(err error) bool {
	return errors.Is(err, ErrDuplicate) || errors.Is(err, ErrTooLarge) || strings.Contains(err.Error(), "another document follows")
}

// choicesOf makes the choices for a tree of a seed.
func choicesOf(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 4))
	choices := make([]byte, 400)
	for i := range choices {
		choices[i] = byte(random.Uint32())
	}
	return choices
}

// showTree is a tree as an archive.
func showTree(fsys fstest.MapFS) string {
	var a txtar.Archive
	for _, name := range slices.Sorted(maps.Keys(fsys)) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: fsys[name].Data})
	}
	return string(txtar.Format(&a))
}

var firstSeed = flag.Uint64("seed", 1, "the first seed of TestGrownTrees")
var seeds = flag.Uint64("seeds", 200, "how many TestGrownTrees tries")

// TestGrownTreesAreBuiltAsByKustomize grows trees from seeds and compares byte for byte.
func TestGrownTreesAreBuiltAsByKustomize(t *testing.T) {
	if testbed.Race {
		*seeds /= 4
	}
	n := 0
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		fsys, dir := growTree(choicesOf(seed))
		difference, built := differ(t, fsys, dir)
		if difference != "" {
			t.Errorf("seed %d, folder %s:\n%s\n%s", seed, dir, difference, showTree(fsys))
		}
		if built {
			n++
		}
	}
	if n < int(*seeds)/3 {
		t.Errorf("only %d of %d trees are built at all", n, *seeds)
	}
}

// FuzzTrees is that for choices that the fuzzer makes.
func FuzzTrees(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(choicesOf(seed))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 1000 {
			return
		}
		fsys, dir := growTree(choices)
		if difference, _ := differ(t, fsys, dir); difference != "" {
			t.Errorf("folder %s:\n%s\n%s", dir, difference, showTree(fsys))
		}
	})
}

// TestNothingInFlowStyleIsBuiltAsByKustomize has values that are not there, which are null but in flow style.
func TestNothingInFlowStyleIsBuiltAsByKustomize(t *testing.T) {
	const item = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {x: }, annotations: {y: }}, data: , spec: {x: &n , y: *n}}"
	for _, text := range []string{
		oneObject + "spec: {x, y: , z: [a: , b], d: ~, e: !!null , f: '', g: null}\n",
		oneObject + "spec:\n  x:\n  y: [~]\n  z:\n  -\n",
		oneObject + "a: &a\nb: *a\nspec: {x: *a}\n",
		oneObject + "a: &a {x: &b , y: *b}\nb: {x: *a}\nc:\n  <<: *a\nd:\n- *a\n",
		oneObject + "a: &a\n  x:\nb: {y: *a}\nc:\n  <<: *a\nd: {<<: *a}\n",
		item + "\n", "kind: List\napiVersion: v1\nitems: [" + item + "]\n", "kind: List\napiVersion: v1\nitems:\n- " + item + "\n",
		"kind: ConfigMapList\napiVersion: v1\nitems: [" + item + "]\n", "kind: ConfigMapList\napiVersion: v1\nitems:\n- " + item + "\n",
	} {
		for _, k := range []string{"", "namePrefix: x-\n", "patches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, more: {x: }}'}]\n"} {
			fsys := fstest.MapFS{"app/kustomization.yaml": file("resources: [a.yaml]\n" + k), "app/a.yaml": file(text)}
			if difference, built := differ(t, fsys, "app"); difference != "" || !built {
				t.Errorf("%q, %q: built %v, %s", text, k, built, difference)
			}
		}
	}
}
