package kustomize_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/kustomize"
)

// An overlay is built from any file system: here one in memory, usually a source's snapshot.
func ExampleBuild() {
	fsys := fstest.MapFS{
		"base/kustomization.yaml": {Data: []byte("resources: [web.yaml]\n")},
		"base/web.yaml": {Data: []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 1}
`)},
		"production/kustomization.yaml": {Data: []byte(`
resources: [../base]
namespace: production
replicas: [{name: web, count: 3}]
`)},
	}
	objects, err := kustomize.Build(context.Background(), fsys, "production", kustomize.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range objects {
		fmt.Println(o.GetKind(), o.GetNamespace(), o.GetName(), o.Object["spec"])
	}
	// Output: Deployment production web map[replicas:3]
}

// A folder of manifests needs no kustomization.
func ExampleBuild_folder() {
	fsys := fstest.MapFS{
		"apps/web/service.yaml": {Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n")},
		"apps/namespace.yaml":   {Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n")},
		"apps/README.md":        {Data: []byte("What is in here")},
	}
	objects, err := kustomize.Build(context.Background(), fsys, "apps", kustomize.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range objects {
		fmt.Println(o.GetKind(), o.GetName())
	}
	// Output:
	// Namespace web
	// Service web
}

// An error says where it is, and can be matched.
func ExampleError() {
	fsys := fstest.MapFS{
		"app/kustomization.yaml": {Data: []byte("resources: [web.yaml, https://example.com/db.yaml]\n")},
		"app/web.yaml":           {Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n")},
	}
	_, err := kustomize.Build(context.Background(), fsys, "app", kustomize.Options{})
	fmt.Println(err)
	var e *kustomize.Error
	if errors.As(err, &e) && errors.Is(err, kustomize.ErrRemote) {
		fmt.Println("the file to mend is", e.File)
	}
	// Output:
	// building app: app/kustomization.yaml:1: resources: remote reference: "https://example.com/db.yaml" (set Options.Remote, or keep a copy)
	// the file to mend is app/kustomization.yaml
}
