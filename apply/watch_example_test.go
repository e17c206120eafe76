package apply_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
)

// Keep a set as it is meant to be, until the program is interrupted: what somebody else changes is set right within a
// second, and nothing is sent while nobody does.
func ExampleApplier_Watch() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	applier, err := apply.New(&rest.Config{Host: "https://cluster.example.com"}, apply.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var objects []*unstructured.Unstructured // of kustomize.Build
	set := apply.Set{ID: apply.ID{Namespace: "default", Name: "podinfo"}, Objects: objects}
	watch, err := applier.Watch(ctx, set.ID)
	if err != nil {
		log.Fatal(err)
	}
	defer watch.Close()
	for {
		result, err := watch.Apply(ctx, set)
		if err != nil {
			log.Println(err) // and when to try again is for the caller to say
		}
		fmt.Println(result.Counts())
		drifts, err := watch.Drift(ctx)
		for _, drift := range drifts {
			fmt.Println(drift) // "ConfigMap default/podinfo: changed by kubectl-edit"
		}
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			log.Println(err) // of a kind that may not be watched
		}
	}
}
