package apply_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
)

// Apply a set, and wait for it to be healthy for at most five minutes. An error tells what is wrong with each object, down
// to the containers of its Pods.
func ExampleApplier_Wait() {
	applier, err := apply.New(&rest.Config{Host: "https://cluster.example.com"}, apply.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var objects []*unstructured.Unstructured // of kustomize.Build
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	id := apply.ID{Namespace: "default", Name: "podinfo"}
	if _, err := applier.Apply(ctx, apply.Set{ID: id, Objects: objects}); err != nil {
		log.Fatal(err)
	}
	report, err := applier.Wait(ctx, id, apply.WaitOptions{
		OnHealth: func(ref apply.Ref, h apply.Health) { log.Println(ref, h) },
	})
	for _, member := range report.Members { // also where err is not nil
		fmt.Println(member.Ref, member.Health, member.Reasons)
	}
	switch {
	case errors.Is(err, apply.ErrUnhealthy) && errors.Is(err, context.DeadlineExceeded):
		log.Fatal("it took too long: ", err)
	case err != nil:
		log.Fatal(err)
	}
}

// A kind whose controller says in status.phase how it is, where kstatus would look for conditions.
func ExampleOptions_health() {
	database := func(o *unstructured.Unstructured) (*apply.Health, error) {
		if gvk := o.GroupVersionKind(); gvk.Group != "example.com" || gvk.Kind != "Database" {
			return nil, nil // kstatus knows
		}
		observed, _, err := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
		if err != nil {
			return nil, err
		}
		phase, _, err := unstructured.NestedString(o.Object, "status", "phase")
		switch {
		case err != nil:
			return nil, err
		case observed != o.GetGeneration(): // what the status says is of the manifest before
			return &apply.Health{Status: apply.InProgressStatus, Message: "the operator has not seen it yet"}, nil
		case phase == "Running":
			return &apply.Health{Status: apply.CurrentStatus}, nil
		case phase == "Broken":
			return &apply.Health{Status: apply.FailedStatus, Message: "it is broken"}, nil
		}
		return &apply.Health{Status: apply.InProgressStatus, Message: "phase " + phase}, nil
	}
	fmt.Println(database(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Database",
		"metadata": map[string]any{"name": "orders", "generation": int64(2)},
		"status":   map[string]any{"observedGeneration": int64(1), "phase": "Running"},
	}}))
	_, err := apply.New(&rest.Config{Host: "https://cluster.example.com"}, apply.Options{Health: database})
	if err != nil {
		log.Fatal(err)
	}
	// Output: InProgress: the operator has not seen it yet <nil>
}
