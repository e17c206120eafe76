// The program of gitopskit itself.
package main

import (
	"context"
	"io/fs"
	"os"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/bench/build"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/source"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() { build.Main(open) }

func open(ctx context.Context, j build.Job, t build.Tree, _ string) (*build.Build, error) {
	fsys, err := fileSystem(ctx, j, t)
	if err != nil {
		return nil, err
	}
	do := builder(j, t, fsys)
	return &build.Build{Run: func(ctx context.Context) (build.Objects, error) {
		objects, err := do(ctx)
		return func() []map[string]any { return mapsOf(objects) }, err
	}}, nil
}

// builder is with the options that the tree asks for, and keeps what it has built where the same is built again.
func builder(j build.Job, t build.Tree, fsys fs.FS) func(context.Context) ([]*unstructured.Unstructured, error) {
	options := kustomize.Options{Variables: kustomize.Variables{Values: t.Variables}}
	if j.Again {
		again := &kustomize.Builder{Dir: t.Dir, Options: options}
		return func(ctx context.Context) ([]*unstructured.Unstructured, error) { return again.Build(ctx, fsys) }
	}
	return func(ctx context.Context) ([]*unstructured.Unstructured, error) {
		return kustomize.Build(ctx, fsys, t.Dir, options)
	}
}

// fileSystem is the folder on disk, or the tree in memory if the contender's name says so. Where what has not changed is
// built again, it is a snapshot, which can tell a file's identity, unless the name says that there are none.
func fileSystem(ctx context.Context, j build.Job, t build.Tree) (fs.FS, error) {
	switch {
	case j.Who == "gitopskit memory":
		files := make(fstest.MapFS)
		err := t.Files(func(name string, content []byte) error {
			files[name] = &fstest.MapFile{Data: content, Mode: 0o600}
			return nil
		})
		return files, err
	case j.Again && j.Who == "gitopskit":
		return source.Dir(t.Root, source.DirOptions{}).Fetch(ctx, source.Revision{})
	}
	return os.DirFS(t.Root), nil
}

func mapsOf(objects []*unstructured.Unstructured) []map[string]any {
	maps := make([]map[string]any, 0, len(objects))
	for _, o := range objects {
		maps = append(maps, o.Object)
	}
	return maps
}
