package apply_test

import (
	"context"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
)

// A step of CI that writes what a pull request would change, for a comment on it, and fails where the cluster would refuse
// something. A later step may read the plan from its JSON and apply just that, by Set.Plan.
func ExampleApplier_Plan() {
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	applier, err := apply.New(config, apply.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var objects []*unstructured.Unstructured // of kustomize.Build
	plan, err := applier.Plan(context.Background(), apply.Set{ID: apply.ID{Namespace: "default", Name: "podinfo"}, Objects: objects})
	if writeErr := plan.WriteMarkdown(os.Stdout, apply.View{}); writeErr != nil {
		log.Fatal(writeErr)
	}
	if err != nil { // also where a single object was refused
		log.Fatal(err)
	}
}
