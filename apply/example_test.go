package apply_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
)

// Apply a set, and look at what became of each object. What an earlier set of the same ID had is pruned.
func ExampleApplier_Apply() {
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	applier, err := apply.New(config, apply.Options{FieldManager: "my-operator", MaxPruneShare: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	configMap := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "settings"},
		"data":     map[string]any{"colour": "blue"},
	}}
	result, err := applier.Apply(context.Background(), apply.Set{
		ID:      apply.ID{Namespace: "default", Name: "settings-set"},
		Objects: []*unstructured.Unstructured{configMap},
	})
	for _, change := range result.Changes { // also where err is not nil
		fmt.Println(change.Action, change.Ref)
	}
	switch {
	case errors.Is(err, apply.ErrConflict):
		log.Fatal("somebody else applies this set, too")
	case err != nil:
		log.Fatal(err)
	}
}

// Delete takes all of a set away, and is safe to call again.
func ExampleApplier_Delete() {
	applier, err := apply.New(&rest.Config{Host: "https://cluster.example.com"}, apply.Options{})
	if err != nil {
		log.Fatal(err)
	}
	result, err := applier.Delete(context.Background(), apply.ID{Namespace: "default", Name: "settings-set"})
	fmt.Println(result.Count(apply.Deleted), "deleted,", result.Count(apply.Failed), "failed:", err)
}

func ExampleRef_String() {
	fmt.Println(apply.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "default", Name: "web"})
	// Output: Deployment.apps default/web
}
