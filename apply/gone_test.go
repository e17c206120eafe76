package apply

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestAwaitGoneWaitsForTheVeryObjects(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), service(t, "web"))
	targets := []target{b.target("configmaps", "ConfigMap", "a"), b.target("configmaps", "ConfigMap", "b"),
		b.target("services", "Service", "web"), b.target("configmaps", "ConfigMap", "never")}
	for i, t := range targets[:3] {
		targets[i].uid = "" // in the order of the targets
		m, err := b.client.getMetadata(b.t.Context(), t.resource.path(b.namespace, t.ref.Name))
		if err != nil {
			b.t.Fatal(err)
		}
		targets[i].uid = m.UID
	}
	targets[3].uid = "x"
	b.must("PATCH", b.path("configmaps", "b"), `{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}`)
	for _, path := range []string{b.path("configmaps", "a"), b.path("configmaps", "b")} {
		b.must("DELETE", path, "")
	}
	b.must("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"a"}}`) // another of that name
	b.Take()
	err := b.awaitGone(b.blowAtWatch(2), targets, "")
	wantLine(t, err, "waiting for the deletion of ConfigMap "+b.namespace+"/b: it is still there; finalizers example.com/hold, example.com/more")
	wantLine(t, err, "waiting for the deletion of Service "+b.namespace+"/web: it is still there, and is not being deleted")
	var one *Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &one) || strings.Contains(err.Error(), "/a") || strings.Contains(err.Error(), "never") {
		t.Errorf("the error is %v", err)
	}
	if lists, watches := counted(b.Take()); lists != 2 || watches != 2 {
		t.Errorf("%d LISTs and %d WATCHes, want two of each", lists, watches)
	}
	ended := make(chan error)
	go func() { ended <- b.awaitGone(t.Context(), targets, "") }()
	b.must("DELETE", b.path("services", "web"), "")
	b.must("PATCH", b.path("configmaps", "b"), `{"metadata":{"finalizers":null}}`)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := b.awaitGone(t.Context(), nil, ""); err != nil {
		t.Error(err)
	}
	wantNoGoroutines(t)
}

func TestAwaitGoneTellsWhatIsLeftInANamespace(t *testing.T) {
	b := newBench(t, Options{}) // nobody is at work on Namespaces
	b.must("DELETE", "/api/v1/namespaces/"+b.namespace, "")
	b.must("PATCH", "/api/v1/namespaces/"+b.namespace+"/status", `{"status":{"conditions":[
		{"type":"NamespaceContentRemaining","status":"True","reason":"SomeResourcesRemain","message":"Some resources are remaining: things. has 1 resource instances"},
		{"type":"NamespaceDeletionDiscoveryFailure","status":"False","reason":"ResourcesDiscovered"}]}}`)
	r := resource{Plural: "namespaces"}
	r.Version, r.Kind = "v1", "Namespace"
	err := b.awaitGone(b.blowAtWatch(1), []target{{ref: Ref{Version: "v1", Kind: "Namespace", Name: b.namespace}, resource: r}}, "")
	wantLine(t, err, "Namespace "+b.namespace+": it is still there", "SomeResourcesRemain: Some resources are remaining: things. has 1 resource instances")
	if strings.Contains(err.Error(), "ResourcesDiscovered") {
		t.Errorf("the error is %v", err)
	}
}
