package controllertest_test

import (
	"context"
	"os"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/examples/controllertest"
	"github.com/gitopskit/gitopskit/kustomize"
)

// fixtures is what a test's objects are handled with: copy this file.
type fixtures struct {
	applier *apply.Applier
	id      apply.ID
}

// applyFixtures applies a folder of manifests, its objects in a namespace of the test's own, and takes them away again when
// the test ends. Namespaces and what is in them may stand in it in any order.
func applyFixtures(t *testing.T, config *rest.Config, dir, namespace string) fixtures {
	t.Helper()
	applier, err := apply.New(config, apply.Options{WaitForDeletion: time.Minute, Health: health})
	if err != nil {
		t.Fatal(err)
	}
	f := fixtures{applier, apply.ID{Namespace: "default", Name: "fixtures-" + namespace}}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if _, err := applier.Delete(ctx, f.id); err != nil {
			t.Errorf("taking the fixtures away: %v", err)
		}
	})
	f.apply(t, dir, namespace)
	return f
}

// applyDefinitions applies what all tests of a cluster share, and leaves it there. It returns when the kinds are served.
func applyDefinitions(t *testing.T, config *rest.Config, dir string) {
	t.Helper()
	applier, err := apply.New(config, apply.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fixtures{applier, apply.ID{Namespace: "default", Name: "definitions"}}.apply(t, dir, "")
}

// apply applies a folder in place of the one before: what it lacks is pruned.
func (f fixtures) apply(t *testing.T, dir, namespace string) {
	t.Helper()
	opts := kustomize.Options{Overlay: kustomize.Overlay{Namespace: namespace}}
	objects, err := kustomize.Build(t.Context(), os.DirFS(dir), ".", opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.applier.Apply(t.Context(), apply.Set{ID: f.id, Objects: objects}); err != nil {
		t.Fatal(err)
	}
}

// health says that a resource of the controller's is not healthy before the controller has said anything. By itself, apply
// takes a resource without a status for one whose controller never says.
func health(object *unstructured.Unstructured) (*apply.Health, error) {
	if _, said := object.Object["status"]; !said && object.GroupVersionKind().Group == controllertest.Greetings.Group {
		return &apply.Health{Status: apply.InProgressStatus, Message: "no status yet"}, nil
	}
	return nil, nil
}

// healthy waits until the controller has said of all its resources that they are well, and fails the test with what is
// wrong with which of them if it does not.
func (f fixtures) healthy(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := f.applier.Wait(ctx, f.id, apply.WaitOptions{}); err != nil {
		t.Fatal(err)
	}
}
