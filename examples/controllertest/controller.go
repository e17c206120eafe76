// Package controllertest has a small controller, and shows how its tests get their fixtures onto a cluster and off it again.
package controllertest

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Greetings is the resource that the controller is for.
var Greetings = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "greetings"}

// A Controller writes for each Greeting a ConfigMap of its name, and says in the Greeting's status that it did. With the
// Greeting its ConfigMap goes, by the garbage collector.
type Controller struct {
	greetings, cards dynamic.NamespaceableResourceInterface
}

// New returns a Controller of the cluster.
func New(config *rest.Config) (*Controller, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	cards := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	return &Controller{greetings: client.Resource(Greetings), cards: client.Resource(cards)}, nil
}

// Run follows the Greetings of a namespace until ctx ends. It is as short as it can be: a controller that runs for long has
// an informer and a queue.
func (c *Controller) Run(ctx context.Context, namespace string) error {
	all, err := c.greetings.Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range all.Items {
		if err := c.reconcile(ctx, &all.Items[i]); err != nil {
			return err
		}
	}
	changes, err := c.greetings.Namespace(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: all.GetResourceVersion()})
	if err != nil {
		return err
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		greeting, ok := change.Object.(*unstructured.Unstructured)
		if !ok || greeting.GetDeletionTimestamp() != nil || change.Type == "DELETED" {
			continue
		}
		if err := c.reconcile(ctx, greeting); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (c *Controller) reconcile(ctx context.Context, greeting *unstructured.Unstructured) error {
	if seen, _, _ := unstructured.NestedInt64(greeting.Object, "status", "observedGeneration"); seen == greeting.GetGeneration() {
		return nil
	}
	to, _, err := unstructured.NestedString(greeting.Object, "spec", "to")
	if err != nil {
		return err
	}
	card := object("v1", "ConfigMap", greeting.GetName(), map[string]any{"data": map[string]any{"text": fmt.Sprintf("Hello, %s!", to)}})
	card.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(greeting, greeting.GroupVersionKind())})
	opts := metav1.ApplyOptions{FieldManager: "greeter", Force: true}
	if _, err := c.cards.Namespace(greeting.GetNamespace()).Apply(ctx, card.GetName(), card, opts); err != nil {
		return err
	}
	status := object(greeting.GetAPIVersion(), greeting.GetKind(), greeting.GetName(), map[string]any{"status": map[string]any{
		"observedGeneration": greeting.GetGeneration(),
		"conditions": []any{map[string]any{"type": "Ready", "status": "True", "reason": "Written",
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}},
	}})
	_, err = c.greetings.Namespace(greeting.GetNamespace()).ApplyStatus(ctx, status.GetName(), status, opts)
	return err
}

// object returns content with what every object has.
func object(apiVersion, kind, name string, content map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: content}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetName(name)
	return o
}

// Card returns what the card of a Greeting says.
func (c *Controller) Card(ctx context.Context, namespace, name string) (string, error) {
	card, err := c.cards.Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	text, _, err := unstructured.NestedString(card.Object, "data", "text")
	return text, err
}
