package apply_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// Tell of each object as it is done with, while others are still under way. The hook is called by one goroutine at a time.
func ExampleOptions_onChange() {
	done := 0
	progress := func(id apply.ID, c apply.Change) {
		done++
		switch c.Action {
		case apply.Failed:
			fmt.Printf("%s: %d: %v\n", id, done, c.Err)
		default:
			fmt.Printf("%s: %d: %s %s\n", id, done, c.Ref, c.Action)
		}
	}
	if _, err := apply.New(&rest.Config{Host: "https://cluster.example.com"}, apply.Options{OnChange: progress}); err != nil {
		log.Fatal(err)
	}
	// What an Apply would call it with:
	id := apply.ID{Namespace: "default", Name: "shop"}
	web := apply.Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "default", Name: "web"}
	db := apply.Ref{Group: "apps", Version: "v1", Kind: "StatefulSet", Namespace: "default", Name: "db"}
	progress(id, apply.Change{Ref: web, Action: apply.Created})
	progress(id, apply.Change{Ref: db, Action: apply.Failed, Err: &apply.Error{Op: "applying", Ref: db, Err: errors.New("spec: Invalid value")}})
	// Output:
	// default/shop: 1: Deployment.apps default/web created
	// default/shop: 2: applying StatefulSet.apps default/db: spec: Invalid value
}

// Branch on what went wrong, with the set as a whole or with single objects. The error of a call joins those of its
// objects, so errors.Is finds any of them, and errors.As the first; the result has each.
func ExampleError() {
	advise := func(c apply.Change) string {
		var fields *apply.ConflictError
		switch {
		case errors.Is(c.Err, apply.ErrProtected):
			return "nothing is wrong, its author wants it so"
		case errors.Is(c.Err, apply.ErrOwned), errors.Is(c.Err, apply.ErrExists):
			return "it is somebody else's: take it out of the set"
		case errors.As(c.Err, &fields):
			return fmt.Sprintf("others have %d of its fields", len(fields.Fields))
		case errors.Is(c.Err, apply.ErrUnknownKind):
			return "apply the definition of its kind first"
		case apierrors.IsInvalid(c.Err): // the answers of the API server are in the chain
			return "correct the manifest"
		case apierrors.IsForbidden(c.Err):
			return "give the applier the right to it"
		}
		return "try again"
	}
	explain := func(result *apply.Result, err error) {
		switch {
		case errors.Is(err, apply.ErrEmptySet), errors.Is(err, apply.ErrPruneShare):
			fmt.Println("refused, and nothing was sent: do the manifests say what is meant?")
		case errors.Is(err, apply.ErrConflict):
			fmt.Println("another applier is at work on the set: try again")
		}
		for _, c := range result.Changes {
			if c.Err != nil {
				fmt.Printf("%s: %s\n", c.Ref, advise(c))
			}
		}
		var about *apply.Error
		if errors.As(err, &about) {
			fmt.Printf("%s %s failed first\n", about.Op, about.Ref)
		}
	}

	// What an Apply might return:
	db := apply.Ref{Version: "v1", Kind: "Secret", Namespace: "default", Name: "db"}
	owned := &apply.Error{Op: "applying", Ref: db, Err: fmt.Errorf("%w: the set default/other", apply.ErrOwned)}
	explain(&apply.Result{Changes: []apply.Change{{Ref: db, Action: apply.Failed, Err: owned}}}, errors.Join(owned))
	explain(&apply.Result{}, fmt.Errorf("applying default/shop: %w", apply.ErrPruneShare))
	// Output:
	// Secret default/db: it is somebody else's: take it out of the set
	// applying Secret default/db failed first
	// refused, and nothing was sent: do the manifests say what is meant?
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
