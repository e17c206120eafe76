package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Build returns the objects of the kustomization in the folder dir of fsys, in the order in which kustomize emits them. A
// folder without a kustomization is built as if it had one that lists each .yaml and .yml file in it and its subfolders,
// in the order of a walk, and each subfolder that has a kustomization in place of what is in that.
//
// The objects are new: they share nothing with each other or with fsys, and hold only what DeepCopy of unstructured objects
// knows. A folder in which there is nothing to build has none, which is no error.
//
// Every error is an *[Error]. All but the context's, and those of fsys and of Options.Remote, say something about the content,
// and come again as long as that is the same. With an error there are no objects.
func Build(ctx context.Context, fsys fs.FS, dir string, opts Options) ([]*unstructured.Unstructured, error) {
	return recordedBuild(ctx, fsys, dir, opts, newRecord(fsys, false))
}

// recordedBuild is Build. It notes in found what it finds.
func recordedBuild(ctx context.Context, fsys fs.FS, dir string, opts Options, found *record) ([]*unstructured.Unstructured, error) {
	name := path.Clean(dir)
	if !fs.ValidPath(name) {
		return nil, located(dir, fmt.Errorf("%w: %q", ErrOutside, dir))
	}
	opts = opts.withDefaults()
	variables, err := newSubstituter(ctx, opts)
	if err != nil {
		return nil, located(name, err)
	}
	found.variables = variables.looked
	objects, err := build(ctx, fsys, name, opts, found)
	if err != nil {
		return nil, located(name, err)
	}
	if err := variables.substitute(objects); err != nil {
		return nil, &Error{Dir: name, Err: err}
	}
	return objects, nil
}

func build(
	ctx context.Context, fsys fs.FS, dir string, limits Options, found *record,
) ([]*unstructured.Unstructured, error) {
	t, err := scanTree(ctx, fsys, dir, limits, found)
	if err != nil {
		return nil, err
	}
	if t.plain {
		objects, err := finish(t.listed(), t, limits)
		return objects, t.mounts.explain(err)
	}
	objects, err := t.direct(ctx)
	if errors.Is(err, errUnsure) {
		objects, err = t.kustomize(ctx)
	}
	if err != nil {
		return nil, t.mounts.explain(err)
	}
	finished, err := finish(objects, t, limits)
	return finished, t.mounts.explain(err)
}

// listed returns the objects of a tree in which nothing is done to them. Kustomize would return the same, by way of a
// comparison of each object with each other; a test holds it to that.
func (t *tree) listed() []map[string]any {
	var objects []map[string]any
	for _, m := range t.manifests {
		objects = append(objects, m.objects...)
	}
	return objects
}

// recoverTo turns a panic into an error. Kustomize panics on some input that it does not expect, such as annotations that
// are its own and do not fit together, and a library must not take down the program that imports it for a file that
// somebody pushed. What kustomize panicked with may quote an object, so it is not in the text.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		original, ok := p.(error)
		if !ok {
			original = fmt.Errorf("%v", p)
		}
		*err = &reason{text: "kustomize panicked on this input", original: errors.Join(errPanic, original)}
	}
}

// errPanic lets the tests tell panics from other errors.
var errPanic = errors.New("panic")
