package kustomize

import (
	"context"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// corpus returns a folder of real manifests that others wrote, as "base" in a file system that a test may add to.
func corpus(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	root := os.Getenv("GITOPSKIT_CORPUS")
	if root == "" {
		t.Skip("GITOPSKIT_CORPUS is not set: skipping the builds of real manifests")
	}
	from, fsys := os.DirFS(root), fstest.MapFS{}
	err := fs.WalkDir(from, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := fs.ReadFile(from, name)
		fsys["base"+strings.TrimPrefix(name, dir)] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

type corpusFolder struct {
	dir     string
	objects int
}

var corpusFolders = []corpusFolder{
	{"podinfo/kustomize", 3},
	{"sock-shop/deploy/kubernetes/manifests", 29},
	{"kube-prometheus/manifests", 95}, // with its large CRDs in the subfolder setup
}

// raced are the folders that the tests compare with kustomize: where the race detector is on, not the largest.
func raced() []corpusFolder {
	if testbed.Race {
		return corpusFolders[:2]
	}
	return corpusFolders
}

// manifestsIn lists what a folder without a kustomization stands for, in a way that owes nothing to Build.
func manifestsIn(fsys fstest.MapFS, dir string) []string {
	var found []string
	for name := range fsys {
		rel, ok := strings.CutPrefix(name, dir+"/")
		ext := path.Ext(name)
		if ok && (ext == ".yaml" || ext == ".yml") && path.Base(name) != "kustomization.yaml" {
			found = append(found, rel)
		}
	}
	slices.Sort(found)
	return found
}

// listing returns fsys with a kustomization in dir that lists the manifests there, if it has none.
func listing(t testing.TB, fsys fstest.MapFS, dir string) fstest.MapFS {
	t.Helper()
	file := dir + "/kustomization.yaml"
	if fsys[file] != nil {
		return fsys
	}
	listed := fstest.MapFS{}
	for name, f := range fsys {
		listed[name] = f
	}
	text, err := yaml.Marshal(types.Kustomization{Resources: manifestsIn(fsys, dir)})
	if err != nil {
		t.Fatal(err)
	}
	listed[file] = &fstest.MapFile{Data: text}
	return listed
}

// sameAsKustomize builds dir and compares the objects with those that kustomize makes of dir in reference.
func sameAsKustomize(t *testing.T, fsys, reference fs.FS, dir string) int {
	t.Helper()
	want, err := oracle(t, reference, dir)
	if err != nil {
		t.Fatalf("kustomize: %v", err)
	}
	got, err := Build(context.Background(), fsys, dir, Options{})
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	if !sameBytes(t, got, want) {
		t.Errorf("objects differ from kustomize's\n got: %.3000s\nwant: %.3000s", yamlText(t, got), want)
	}
	for _, o := range got {
		o.DeepCopy() // panics on values that unstructured objects may not hold
	}
	return len(got)
}

// TestBuildRealManifestsAsKustomizeDoes builds the real manifests as they are, a folder of them without a kustomization as
// if one listed them.
func TestBuildRealManifestsAsKustomizeDoes(t *testing.T) {
	for _, c := range raced() {
		t.Run(strings.ReplaceAll(c.dir, "/", "_"), func(t *testing.T) {
			fsys := corpus(t, c.dir)
			if n := sameAsKustomize(t, fsys, listing(t, fsys, "base"), "base"); n < c.objects {
				t.Errorf("got %d objects, want at least %d", n, c.objects)
			}
		})
	}
}

// TestTransformRealManifestsAsKustomizeDoes has kustomize at work on them.
func TestTransformRealManifestsAsKustomizeDoes(t *testing.T) {
	const overlay = `
resources: [../base]
namespace: elsewhere
namePrefix: pre-
labels: [{pairs: {team: blue}, includeSelectors: true}]
commonAnnotations: {owner: somebody}
patches:
- target: {kind: Deployment}
  patch: |-
    - {op: add, path: /spec/revisionHistoryLimit, value: 3}
replacements:
- source: {kind: Service, name: podinfo, fieldPath: metadata.name}
  targets: [{select: {kind: Deployment}, fieldPaths: [metadata.annotations.service], options: {create: true}}]
`
	for _, c := range raced() {
		t.Run(strings.ReplaceAll(c.dir, "/", "_"), func(t *testing.T) {
			fsys := corpus(t, c.dir)
			for name := range fsys { // one of the large CRDs will do
				if strings.HasPrefix(name, "base/setup/") && !strings.Contains(name, "prometheusrule") {
					delete(fsys, name)
				}
			}
			fsys = listing(t, fsys, "base")
			text := overlay
			if !strings.HasPrefix(c.dir, "podinfo") {
				text, _, _ = strings.Cut(text, "replacements:")
			}
			if c.dir == "kube-prometheus/manifests" { // has roles of one name in several namespaces
				text = strings.Replace(text, "namespace: elsewhere\n", "", 1)
			}
			fsys["overlay/kustomization.yaml"] = &fstest.MapFile{Data: []byte(text)}
			sameAsKustomize(t, fsys, fsys, "overlay")
		})
	}
}
