package apply_test

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// The example's operator, whose Apps are ConfigMaps here: what it does with them any kind allows.
func TestTheOperatorOfTheExampleTakesItsObjectsAway(t *testing.T) {
	config := testbed.Kubernetes(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	applier, err := apply.New(config, apply.Options{})
	if err != nil {
		t.Fatal(err)
	}
	configMaps := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"})
	secrets := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace("default")
	name := testbed.UniqueName("app")
	object := func(name string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}}}
	}
	operator := &AppOperator{Apps: configMaps, Applier: applier, Build: func(app *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
		return []*unstructured.Unstructured{object(app.GetName() + "-settings")}, nil
	}}
	ctx, apps := t.Context(), configMaps.Namespace("default")
	if _, err := apps.Create(ctx, object(name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := operator.Reconcile(ctx, "default", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, there := range []error{get(ctx, apps, name+"-settings"), get(ctx, secrets, "app-"+name)} {
		if there != nil {
			t.Error(there)
		}
	}
	if err := apps.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := get(ctx, apps, name); err != nil {
		t.Errorf("the App went before its objects: %v", err)
	}
	for range 2 {
		if err := operator.Reconcile(ctx, "default", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, gone := range []error{get(ctx, apps, name), get(ctx, apps, name+"-settings"), get(ctx, secrets, "app-"+name)} {
		if !apierrors.IsNotFound(gone) {
			t.Errorf("the error is %v, want that it is not found", gone)
		}
	}
}

func get(ctx context.Context, of dynamic.ResourceInterface, name string) error {
	_, err := of.Get(ctx, name, metav1.GetOptions{})
	return err
}
