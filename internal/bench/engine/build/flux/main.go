// The program of Flux's package for kustomize.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/kustomize"
	ssautil "github.com/fluxcd/pkg/ssa/utils"
	"github.com/gitopskit/gitopskit/internal/bench/build"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resmap"
)

func main() { build.Main(open) }

// A run is what Flux's kustomize-controller does between the unpacking of an artifact and the applying of its objects.
type run struct {
	root, dir     string
	kustomization unstructured.Unstructured // Flux's
	variables     bool
	action        kustomize.Action
	original      map[string][]byte // the kustomization that the folder had, by path
}

// open copies the tree, for Flux writes to it.
func open(_ context.Context, _ build.Job, t build.Tree, folder string) (*build.Build, error) {
	if err := os.CopyFS(folder, os.DirFS(t.Root)); err != nil {
		return nil, err
	}
	r := &run{root: folder, dir: filepath.Join(folder, filepath.FromSlash(t.Dir)), variables: len(t.Variables) > 0}
	values, spec := make(map[string]any), make(map[string]any)
	if r.variables {
		for name, value := range t.Variables {
			values[name] = value
		}
		spec["postBuild"] = map[string]any{"substitute": values}
	}
	r.kustomization.Object = map[string]any{"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
		"metadata": map[string]any{"name": "bench", "namespace": "bench"}, "spec": spec}
	return &build.Build{Run: r.build, Restore: r.restore}, r.keep()
}

func (r *run) build(ctx context.Context) (build.Objects, error) {
	var err error
	if r.action, err = kustomize.NewGenerator(r.root, r.kustomization).WriteFile(r.dir); err != nil {
		return nil, err
	}
	built, err := kustomize.SecureBuild(r.root, r.dir, false)
	if err != nil {
		return nil, err
	}
	if r.variables {
		if err := r.substitute(ctx, built); err != nil {
			return nil, err
		}
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, err
	}
	objects, err := ssautil.ReadObjects(bytes.NewReader(text))
	return func() []map[string]any {
		var maps []map[string]any
		for _, o := range objects {
			maps = append(maps, o.Object)
		}
		return maps
	}, err
}

// substitute is strict, as gitopskit is.
func (r *run) substitute(ctx context.Context, built resmap.ResMap) error {
	for _, before := range built.Resources() {
		after, err := kustomize.SubstituteVariables(ctx, nil, r.kustomization, before, kustomize.SubstituteWithStrict(true))
		if err != nil {
			return fmt.Errorf("substituting in %s: %w", before.GetName(), err)
		}
		if after == nil {
			continue
		}
		if _, err := built.Replace(after); err != nil {
			return err
		}
	}
	return nil
}

// keep remembers the kustomization that there is.
func (r *run) keep() error {
	r.original = make(map[string][]byte)
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		file := filepath.Join(r.dir, name)
		content, err := os.ReadFile(filepath.Clean(file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.original[file] = content
	}
	return nil
}

// restore leaves the folder as it was, so that the next build finds what the first one found.
func (r *run) restore() error {
	if err := kustomize.CleanDirectory(r.dir, r.action); err != nil {
		return err
	}
	for file, content := range r.original {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
