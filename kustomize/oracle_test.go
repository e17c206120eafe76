package kustomize

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// oracle builds dir of fsys with kustomize alone, the way its command does, and returns what kubectl would read from that
// command's output. The caller has seen to it that no other build changes the schema meanwhile.
func oracle(fsys fs.FS, dir string) ([]*unstructured.Unstructured, error) {
	memory := filesys.MakeFsInMemory()
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return memory.WriteFile("/oracle/"+name, content)
	})
	if err != nil {
		return nil, err
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	m, err := krusty.MakeKustomizer(options).Run(memory, path.Join("/oracle", dir))
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, r := range m.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(text, &o.Object); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
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
