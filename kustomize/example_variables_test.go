package kustomize_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/kustomize"
)

var webWithVariables = fstest.MapFS{
	"app/web.yaml": {Data: []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: "${app}-web"}
spec:
  replicas: ${replicas:=1}
  template:
    spec:
      containers:
      - name: web
        image: example.com/web:${tag}
        env: [{name: PORT, value: "${port}"}]
`)},
}

// Variables come from a map, and from a function for what is not in it.
func ExampleVariables() {
	variables := kustomize.Variables{
		Values: map[string]string{"app": "shop", "replicas": "3", "port": "8080"},
		Lookup: func(_ context.Context, name string) (string, bool, error) {
			return "v1", name == "tag", nil // for example from a Secret of the cluster
		},
	}
	objects, err := kustomize.Build(context.Background(), webWithVariables, "app", kustomize.Options{Variables: variables})
	if err != nil {
		fmt.Println(err)
		return
	}
	spec := objects[0].Object["spec"].(map[string]any)
	fmt.Printf("%s has %v replicas (%[2]T)\n", objects[0].GetName(), spec["replicas"])
	fmt.Println(spec["template"])
	// Output:
	// shop-web has 3 replicas (int64)
	// map[spec:map[containers:[map[env:[map[name:PORT value:8080]] image:example.com/web:v1 name:web]]]]
}

// What is unknown is an error, which names all of it.
func ExampleVariableError() {
	variables := kustomize.Variables{Values: map[string]string{"port": "8080"}}
	_, err := kustomize.Build(context.Background(), webWithVariables, "app", kustomize.Options{Variables: variables})
	var first *kustomize.VariableError
	if errors.As(err, &first) && errors.Is(err, kustomize.ErrUnknownVariable) {
		fmt.Println(first.Name, "is missing in", first.Object, "at", first.Field)
	}
	fmt.Println(err)
	// Output:
	// app is missing in Deployment.apps default/${app}-web at metadata.name
	// building app: Deployment.apps default/${app}-web: metadata.name: unknown variable app; Deployment.apps default/${app}-web: spec.template.spec.containers[0].image: unknown variable tag
}
