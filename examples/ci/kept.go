package main

import (
	"context"
	"fmt"
	"io/fs"
	"testing/fstest"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/artifact"
)

// manifests returns a tree of the objects, a file for each, in their order.
func manifests(objects []*unstructured.Unstructured) (fs.FS, error) {
	tree := make(fstest.MapFS, len(objects))
	for i, object := range objects {
		body, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		tree[fmt.Sprintf("%06d.json", i)] = &fstest.MapFile{Data: body}
	}
	return tree, nil
}

// read returns the objects of which manifests made the tree that the store has.
func read(ctx context.Context, store *artifact.DirStore, t artifact.Tagged) ([]*unstructured.Unstructured, error) {
	described, err := store.Stat(ctx, t.Digest)
	if err != nil {
		return nil, err
	}
	packed, err := store.Open(ctx, t.Digest)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	tree, err := artifact.Open(ctx, packed, described, artifact.UnpackOptions{})
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(tree, "*.json")
	if err != nil {
		return nil, err
	}
	objects := make([]*unstructured.Unstructured, len(names))
	for i, name := range names {
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		objects[i] = new(unstructured.Unstructured)
		if err := objects[i].UnmarshalJSON(body); err != nil {
			return nil, fmt.Errorf("%s in the store: %w", name, err)
		}
	}
	return objects, nil
}
