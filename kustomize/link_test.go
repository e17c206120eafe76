package kustomize

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// linkTree has links to a file, to a folder that is named as a resource, to one on the way to a file, and a kustomization
// that goes up from where it really is.
const linkTree = `
-- app/kustomization.yaml --
resources: [../link, file.yaml, ../way/c.yaml]
components: [../part]
namePrefix: x-
-- real/deep/base/kustomization.yaml --
resources: [../b.yaml]
nameSuffix: -y
-- real/deep/b.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
-- real/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
-- real/deep/c.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
-- real/component/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [../d.yaml]
-- real/d.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: d}
`

func linked(tree string, links map[string]string) fstest.MapFS {
	fsys := files(tree)
	for name, target := range links {
		fsys[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	}
	return fsys
}

// dirFS writes a tree to disk and returns it as os.DirFS and os.Root show it.
func dirFS(t testing.TB, fsys fs.FS) (root string, dir, rooted fs.FS) {
	t.Helper()
	root = t.TempDir()
	if err := onDisk(fsys, root); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return root, os.DirFS(root), r.FS()
}

// TestLinksInsideTheRootWork has kustomize on disk say what they mean.
func TestLinksInsideTheRootWork(t *testing.T) {
	fsys := linked(linkTree, map[string]string{
		"link": "chain", "chain": "real/deep/base", "app/file.yaml": "../real/a.yaml", "way": "./real/../real/deep/",
		"part": "real/component",
	})
	_, dir, rooted := dirFS(t, fsys)
	for name, fsys := range map[string]fs.FS{"MapFS": fsys, "DirFS": dir, "Root": rooted} {
		if difference, built := differ(t, fsys, "app"); difference != "" || !built {
			t.Errorf("%s: built %t: %s", name, built, difference)
		}
	}
}

// TestLinksOutOfTheRootAreErrors names the link, wherever on the way it stands, in each file system that shows its links.
func TestLinksOutOfTheRootAreErrors(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "a.yaml"), []byte(oneObject), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "kustomization.yaml"), []byte("resources: [a.yaml]"), 0o644); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 40) + outside[1:]
	for name, c := range map[string]struct {
		links map[string]string
		named string
		want  error
	}{
		"absolute file":      {map[string]string{"app/a.yaml": outside + "/a.yaml"}, "app/a.yaml", ErrOutside},
		"file above":         {map[string]string{"app/a.yaml": "../" + up + "/a.yaml"}, "app/a.yaml", ErrOutside},
		"chain":              {map[string]string{"app/a.yaml": "../b", "b": "c", "c": up + "/a.yaml"}, "link c ", ErrOutside},
		"folder on the way":  {map[string]string{"app/a.yaml": "../out/a.yaml", "out": outside}, "link out ", ErrOutside},
		"through the middle": {map[string]string{"app/a.yaml": "../out/../a.yaml", "out": up, "a.yaml": "app"}, "link out ", ErrOutside},
		"kustomization":      {map[string]string{"app/a.yaml": "../x", "app/kustomization.yml": up + "/kustomization.yaml"}, "app/kustomization.yml", ErrOutside},
		"loop":               {map[string]string{"app/a.yaml": "b.yaml", "app/b.yaml": "a.yaml"}, ".yaml", ErrCycle},
		"loop in a folder":   {map[string]string{"app/a.yaml": "../x/x/x", "x": "x/x/x"}, "link x ", ErrCycle},
		"nowhere":            {map[string]string{"app/a.yaml": "gone.yaml"}, "app/kustomization.yaml", fs.ErrNotExist},
	} {
		fsys := linked("-- app/kustomization.yaml --\nresources: [a.yaml]\n", c.links)
		if name == "kustomization" {
			delete(fsys, "app/kustomization.yaml")
		}
		_, dir, rooted := dirFS(t, fsys)
		for kind, fsys := range map[string]fs.FS{"MapFS": fsys, "DirFS": dir, "Root": rooted} {
			objects, err := Build(context.Background(), fsys, "app", Options{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.named) {
				t.Errorf("%s in %s: %d objects, %v", name, kind, len(objects), err)
			}
		}
	}
}

// TestCyclesThroughLinksAreFound has a kustomization lead to itself by another name.
func TestCyclesThroughLinksAreFound(t *testing.T) {
	for _, field := range []string{"resources", "components", "transformers"} {
		fsys := linked("-- app/kustomization.yaml --\n"+field+": [../other]\n", map[string]string{"other": "app"})
		if _, err := Build(context.Background(), fsys, "app", Options{}); !errors.Is(err, ErrCycle) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

// countingLinks counts what is asked about links.
type countingLinks struct {
	fstest.MapFS
	asked map[string]int
}

func (c countingLinks) Lstat(name string) (fs.FileInfo, error) {
	c.asked[name]++
	return c.MapFS.Lstat(name)
}

// TestEachPathIsLookedAtOnce says what the check costs: one Lstat for each file and each folder, found or not.
func TestEachPathIsLookedAtOnce(t *testing.T) {
	fsys := countingLinks{files(overlay), map[string]int{}}
	if _, err := Build(context.Background(), fsys, "app", Options{}); err != nil {
		t.Fatal(err)
	}
	for name, n := range fsys.asked {
		if n != 1 {
			t.Errorf("%s was looked at %d times", name, n)
		}
	}
	if len(fsys.asked) != 12 { // 3 folders, 5 files of which 2 are kustomizations, each with 2 more names that are not there
		t.Errorf("looked at %v", slices.Sorted(maps.Keys(fsys.asked)))
	}
}

// zipFS is a tree as archive/zip shows it.
func zipFS(t testing.TB, fsys fs.FS) fs.FS {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := w.AddFS(fsys); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameEverywhere builds a tree from each kind of file system and expects the same of all.
func sameEverywhere(t testing.TB, fsys fs.FS, dir string) {
	t.Helper()
	objects, err := Build(context.Background(), fsys, dir, fuzzLimits)
	want := result(t, objects, err)
	_, onDisk, rooted := dirFS(t, fsys)
	for kind, other := range map[string]fs.FS{
		"DirFS": onDisk, "Root": rooted, "zip": zipFS(t, fsys), "Snapshot": source.NewSnapshot(fsys, source.Revision{}),
	} {
		objects, err := Build(context.Background(), other, dir, fuzzLimits)
		if got := result(t, objects, err); got != want {
			t.Errorf("%s:\n%s\nMapFS:\n%s", kind, got, want)
		}
	}
}

// TestAllFileSystemsGiveTheSame builds grown trees from each.
func TestAllFileSystemsGiveTheSame(t *testing.T) {
	seeds := uint64(60)
	if testbed.Race {
		seeds = 20
	}
	for seed := range seeds {
		fsys, dir := growTree(choicesOf(seed))
		sameEverywhere(t, fsys, dir)
	}
}

// FuzzFileSystems is that for trees that the fuzzer makes.
func FuzzFileSystems(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(choicesOf(seed))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		fsys, dir := growTree(choices)
		sameEverywhere(t, fsys, dir)
	})
}

// TestListingDoesNotFollowLinksOutOfTheRoot lists links to folders that must not be asked about, and one to itself, which
// fstest.MapFS would follow until the stack is full.
func TestListingDoesNotFollowLinksOutOfTheRoot(t *testing.T) {
	outside := t.TempDir()
	for name, want := range map[string]struct {
		to  string
		err error
	}{
		"absolute": {outside, ErrOutside}, "up": {"../../x", ErrOutside}, "itself": {"x.yaml", ErrCycle},
	} {
		fsys := fstest.MapFS{
			"app/a.yaml": file(oneObject), "app/x.yaml": {Data: []byte(want.to), Mode: fs.ModeSymlink},
		}
		_, dir, rooted := dirFS(t, fsys)
		for i, fsys := range []fs.FS{fsys, dir, rooted} {
			if _, err := Build(context.Background(), fsys, "app", Options{}); !errors.Is(err, want.err) || !strings.Contains(err.Error(), "app/x.yaml") {
				t.Errorf("%s in %d: %v", name, i, err)
			}
		}
	}
}

// TestLinkToAFolderNamedLikeAKustomizationIsNone leaves it out as any other link to a folder.
func TestLinkToAFolderNamedLikeAKustomizationIsNone(t *testing.T) {
	fsys := fstest.MapFS{
		"app/sub/a.yaml": file(oneObject), "app/sub/kustomization.yaml": {Data: []byte("../../other"), Mode: fs.ModeSymlink},
		"other/x": file("x"),
	}
	if objects, err := Build(context.Background(), fsys, "app", Options{}); err != nil || len(objects) != 1 {
		t.Errorf("%v, %v", objects, err)
	}
}
