package kustomize_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/kustomize"
)

var web = fstest.MapFS{
	"app/web.yaml": {Data: []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template: {spec: {containers: [{name: web, image: example.com/web:latest}]}}
`)},
}

// What is built can be changed by the options, as by an overlay in a file.
func ExampleOverlay() {
	objects, err := kustomize.Build(context.Background(), web, "app", kustomize.Options{Overlay: kustomize.Overlay{
		Namespace: "production",
		Labels:    []kustomize.Label{{Pairs: map[string]string{"team": "blue"}}},
		Images:    []kustomize.Image{{Name: "example.com/web", NewTag: "v2"}},
		Patches: []kustomize.Patch{{
			Target: &kustomize.Selector{Kind: "Deployment"},
			Patch:  `[{"op": "replace", "path": "/spec/replicas", "value": 3}]`,
		}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, o := range objects {
		fmt.Println(o.GetNamespace(), o.GetName(), o.GetLabels(), o.Object["spec"])
	}
	// Output: production web map[team:blue] map[replicas:3 template:map[spec:map[containers:[map[image:example.com/web:v2 name:web]]]]]
}

// A Builder knows what its build depends on, and does not build where that has not changed.
func ExampleBuilder() {
	builder := &kustomize.Builder{Dir: "app"}
	for range 2 { // the second time it returns the objects of the first
		objects, err := builder.Build(context.Background(), web)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(objects), "object")
	}
	inputs := builder.Inputs()
	fmt.Println(inputs.Files, inputs.Concern("app/new.yaml"), inputs.Concern("docs/new.yaml"))
	// Output:
	// 1 object
	// 1 object
	// [app/web.yaml] true false
}
