package kustomize

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// throughKustomize is Build without the direct path.
func throughKustomize(fsys fs.FS, dir string) ([]*unstructured.Unstructured, error) {
	limits := Options{}.withDefaults()
	t, err := scanTree(context.Background(), fsys, dir, limits, newRecord(fsys, false))
	if err != nil {
		return nil, err
	}
	objects, err := t.kustomize(context.Background())
	if err != nil {
		return nil, err
	}
	return finish(objects, t, limits)
}

// isDirectTree says whether Build builds the tree without kustomize.
func isDirectTree(fsys fs.FS, dir string) bool {
	t, err := scanTree(context.Background(), fsys, dir, Options{}.withDefaults(), newRecord(fsys, false))
	if err != nil || t.plain {
		return false
	}
	_, err = t.direct(context.Background())
	return err == nil
}

// checkDirect builds a tree in three ways, and says what differs, if something does.
func checkDirect(t *testing.T, fsys fs.FS) (built, direct bool) {
	t.Helper()
	if tree, err := scanTree(context.Background(), fsys, "app", Options{}.withDefaults(), newRecord(fsys, false)); err != nil || tree.plain {
		return false, false
	}
	got, err := Build(context.Background(), fsys, "app", Options{})
	slow, slowErr := throughKustomize(fsys, "app")
	if (err == nil) != (slowErr == nil) {
		t.Errorf("Build: %v\nthrough kustomize: %v", err, slowErr)
		return
	}
	if err != nil {
		return false, false
	}
	want, wantErr := oracle(t, fsys, "app")
	if wantErr != nil {
		t.Errorf("kustomize refuses what Build takes: %v", wantErr)
		return
	}
	if lines := differing(yamlText(t, got), yamlText(t, slow)); lines != "" {
		t.Errorf("objects are not those that kustomize makes for Build (-):\n%s", lines)
	}
	if !sameBytes(t, slow, want) {
		t.Errorf("objects are not those that kustomize makes alone (-):\n%s", differing(yamlText(t, slow), want))
	}
	return true, isDirectTree(fsys, "app")
}

// differing returns the lines in which two texts differ.
func differing(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var b strings.Builder
	for i := range max(len(g), len(w)) {
		var a, c string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			c = w[i]
		}
		if a != c {
			fmt.Fprintf(&b, "+%s\n-%s\n", a, c)
		}
	}
	return b.String()
}

// directFields are those that the direct path knows.
var directFields = []string{
	"namespace", "labels", "includeSelectors", "includeTemplates", "includeVolumeClaimTemplates", "labels.fields",
	"commonLabels", "commonAnnotations", "images", "replicas", "components", "metadata", "patches", "patches.json",
	"patches.strategic", "patches.target", "patches.path", "namePrefix", "nameSuffix", "configMapGenerator", "secretGenerator",
	"generatorOptions", "generator.behavior", "generator.options", "generator.literals", "generator.files", "generator.envs", "generator.env",
}

// TestDirectIsKustomize builds trees that are made at random, and wants of each field that there were some in which the
// direct path did it.
func TestDirectIsKustomize(t *testing.T) {
	var builds, directs int
	used := map[string]int{}
	seeds := uint64(150)
	if testbed.Race {
		seeds = 50
	}
	for seed := range seeds {
		fsys, fields := generateTree(seed)
		built, direct := checkDirect(t, fsys)
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, showTree(fsys))
		}
		if built {
			builds++
		}
		if direct {
			directs++
			for name := range fields {
				used[name]++
			}
		}
	}
	for _, name := range directFields {
		if used[name] == 0 && !testbed.Race {
			t.Errorf("no tree with the field %s was built directly", name)
		}
	}
	for name := range used {
		if !slices.Contains(directFields, name) {
			t.Errorf("a tree with the field %s was built directly", name)
		}
	}
	if directs == 0 {
		t.Error("no tree was built directly")
	}
	t.Logf("%d of %d builds were direct: %v", directs, builds, used)
}

func FuzzDirect(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		fsys, _ := generateTree(seed)
		if checkDirect(t, fsys); t.Failed() {
			t.Log(showTree(fsys))
		}
	})
}
