package apply_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
)

// An AppOperator makes for each App, a custom resource of its own, the objects that the App stands for. What an App has on
// the cluster is a set with its inventory beside the App.
//
// The finalizer on the App is what has its objects go with it. An ownerReference on the inventory, to the App, would not:
// the garbage collector would take the inventory and leave the objects, of which nobody would know any more whose they
// are. It does so even before the finalizer is off, where the App is deleted in the foreground.
//
// With a namespace go all Secrets in it, whatever finalizers hold its Apps. So where an App has objects outside its own
// namespace, keep the inventories in the operator's.
type AppOperator struct {
	Apps    dynamic.NamespaceableResourceInterface
	Applier *apply.Applier
	Build   func(app *unstructured.Unstructured) ([]*unstructured.Unstructured, error)
}

const finalizer = "apps.example.com/objects"

// Reconcile is called with the name of an App when it was changed, and again after an error, and now and then in any case,
// so that drift is mended: where nothing is to be done that is a handful of requests.
func (o *AppOperator) Reconcile(ctx context.Context, namespace, name string) error {
	app, err := o.Apps.Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil // its finalizer went when all else had gone
	}
	if err != nil {
		return err
	}
	id := apply.ID{Namespace: namespace, Name: "app-" + name}
	if app.GetDeletionTimestamp() != nil {
		if _, err := o.Applier.Delete(ctx, id); err != nil {
			return err // the inventory still has what is left, and the finalizer stays
		}
		return o.setFinalizers(ctx, app, slices.DeleteFunc(app.GetFinalizers(), func(f string) bool { return f == finalizer }))
	}
	if !slices.Contains(app.GetFinalizers(), finalizer) { // before there is anything that it has to hold the App for
		if err := o.setFinalizers(ctx, app, append(app.GetFinalizers(), finalizer)); err != nil {
			return err
		}
	}
	objects, err := o.Build(app)
	if err != nil {
		return err
	}
	result, err := o.Applier.Apply(ctx, apply.Set{ID: id, Objects: objects})
	log.Printf("App %s/%s: %s", namespace, name, result.Counts()) // also where err is not nil
	return err
}

// setFinalizers fails where the App was changed since it was read; Reconcile is then called again.
func (o *AppOperator) setFinalizers(ctx context.Context, app *unstructured.Unstructured, finalizers []string) error {
	app.SetFinalizers(finalizers)
	_, err := o.Apps.Namespace(app.GetNamespace()).Update(ctx, app, metav1.UpdateOptions{})
	return err
}

// An operator that keeps what its custom resources stand for, with client-go and nothing else: the finalizer first, Apply
// whenever something changed, and Delete before the finalizer goes.
func Example_operator() {
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	applier, err := apply.New(config, apply.Options{FieldManager: "app-operator", MaxPruneShare: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	operator := &AppOperator{
		Apps:    client.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "apps"}),
		Applier: applier,
		Build: func(app *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
			colour, _, err := unstructured.NestedString(app.Object, "spec", "colour")
			return []*unstructured.Unstructured{{Object: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": map[string]any{"name": app.GetName() + "-settings"}, // the namespace is the set's
				"data":     map[string]any{"colour": colour},
			}}}, err
		},
	}
	// Here a watch of Apps feeds a workqueue, of which each item is reconciled.
	fmt.Println(operator.Reconcile(context.Background(), "default", "shop"))
}
