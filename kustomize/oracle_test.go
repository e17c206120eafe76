package kustomize

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// oracle builds dir of fsys with kustomize alone, on disk, and returns what "kustomize build --reorder none" prints. The
// caller has seen to it that no other build changes the schema meanwhile.
func oracle(t testing.TB, fsys fs.FS, dir string) (string, error) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := onDisk(fsys, root); err != nil {
		t.Fatal(err)
	}
	return oracleAt(filepath.Join(root, filepath.FromSlash(dir)))
}

// oracleAt builds a folder on disk.
func oracleAt(dir string) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("kustomize panicked: %v", p)
		}
	}()
	options := krusty.MakeDefaultOptions()
	m, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil && strings.Contains(err.Error(), "is not in or below") {
		// The program wants --load-restrictor LoadRestrictionsNone for a tree in which a kustomization names a file above
		// itself. Build never does: what it may not leave is the file system.
		options.LoadRestrictions = types.LoadRestrictionsNone
		m, err = krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	}
	if err != nil {
		return "", err
	}
	return asYAML(m)
}

func asYAML(m resmap.ResMap) (string, error) {
	text, err := m.AsYaml()
	return string(text), err
}

// onDisk writes a tree into a folder, links as links.
func onDisk(fsys fs.FS, root string) error {
	return fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		target := filepath.Join(root, filepath.FromSlash(name))
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(target, 0o755)
		case e.Type() == fs.ModeSymlink:
			to, err := fs.ReadLink(fsys, name)
			return errors.Join(err, os.Symlink(to, target))
		}
		content, err := fs.ReadFile(fsys, name)
		return errors.Join(err, os.WriteFile(target, content, 0o644))
	})
}

// files makes a file system of a txtar archive.
func files(text string) fstest.MapFS {
	return archiveFS(txtar.Parse([]byte(text)))
}

func archiveFS(a *txtar.Archive) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, f := range a.Files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return fsys
}

// yamlText writes objects as kustomize prints them.
func yamlText(t testing.TB, objects []*unstructured.Unstructured) string {
	t.Helper()
	var docs []string
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(text))
	}
	return strings.Join(docs, "---\n")
}

// printed writes objects as one JSON document a line, which is a short and exact form to compare.
func printed(t testing.TB, objects []*unstructured.Unstructured) string {
	t.Helper()
	var b bytes.Buffer
	for _, o := range objects {
		text, err := utiljson.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	return b.String()
}
