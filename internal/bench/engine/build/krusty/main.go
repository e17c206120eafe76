// The program of krusty, kustomize's own package, as it is on disk and in memory.
package main

import (
	"context"
	"path"
	"path/filepath"

	"github.com/gitopskit/gitopskit/internal/bench/build"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() { build.Main(open) }

func open(_ context.Context, j build.Job, t build.Tree, _ string) (*build.Build, error) {
	files, dir := filesys.MakeFsOnDisk(), filepath.Join(t.Root, filepath.FromSlash(t.Dir))
	if j.Who == "krusty memory" {
		files, dir = filesys.MakeFsInMemory(), path.Join("/", t.Dir)
		err := t.Files(func(name string, content []byte) error { return files.WriteFile(path.Join("/", name), content) })
		if err != nil {
			return nil, err
		}
	}
	return &build.Build{Run: func(context.Context) (build.Objects, error) {
		return run(files, dir)
	}}, nil
}

// run stops where there are objects: it prints nothing.
func run(files filesys.FileSystem, dir string) (build.Objects, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, dir)
	if err != nil {
		return nil, err
	}
	maps := make([]map[string]any, 0, built.Size())
	for _, r := range built.Resources() {
		o, err := r.Map()
		if err != nil {
			return nil, err
		}
		maps = append(maps, o)
	}
	return func() []map[string]any { return maps }, nil
}
