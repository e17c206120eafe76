package kubeevents_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/kubeevents"
	"github.com/gitopskit/gitopskit/source"
)

// The API server takes each Event, and kubectl describe, which reads those of the group "", finds it by the object's UID.
func TestTheServerTakesEvents(t *testing.T) {
	config := testbed.Kubernetes(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	name := testbed.UniqueName("loop")
	configMaps := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("default")
	object, err := configMaps.Create(ctx, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1",
		"kind":     "ConfigMap",
		"metadata": map[string]any{"name": name}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	named := kubeevents.Object{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: name,
		UID: string(object.GetUID())}
	odd := kubeevents.Object{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: "system:" + name,
		UID: "2"}
	var wrong []error
	recorder, err := kubeevents.New(config, kubeevents.Options{Controller: "gitops.example.com/test", Instance: "pod-1",
		QPS: 1000,
		Regarding: func(e reconcile.Event) (kubeevents.Object, bool) {
			if e.LoopName() == "odd" {
				return odd, true
			}
			return named, true
		}, OnError: func(err error) { wrong = append(wrong, err) }})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- recorder.Run(running) }()

	revision := source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}
	long := errors.New(strings.Repeat("ä", 2000) + "\n")
	created := &apply.Result{Changes: []apply.Change{{Action: apply.Created}}}
	observed := []reconcile.Event{
		reconcile.Applied{Loop: name, Revision: revision, Result: created},
		reconcile.Healthy{Loop: name, Revision: revision},
		reconcile.Failed{Loop: name, Stage: reconcile.Fetching, Err: long},
		reconcile.Failed{Loop: name, Stage: reconcile.Restoring, Err: long},
		reconcile.Failed{Loop: name, Stage: reconcile.Building, Err: long},
		reconcile.Failed{Loop: name, Stage: reconcile.Applying, Err: long},
		reconcile.Failed{Loop: name, Stage: reconcile.Checking, Err: long},
		reconcile.Failed{Loop: name, Stage: reconcile.Deleting, Err: long},
		reconcile.Drifted{Loop: name, Drifts: make([]apply.Drift, 7)},
		reconcile.DependencyNotReady{Loop: name, Revision: revision, Dependency: reconcile.Dependency{Name: "database"},
			Why: "it is applying"},
		reconcile.Restored{Loop: name, Revision: revision}, reconcile.NotKept{Loop: name, Revision: revision, Err: long},
		reconcile.Unwatched{Loop: name, Err: long}, reconcile.Suspended{Loop: name}, reconcile.Resumed{Loop: name},
		reconcile.Pinned{Loop: name, Revision: revision}, reconcile.Unpinned{Loop: name}, reconcile.Removed{Loop: name},
	}
	for _, e := range observed {
		recorder.Observe(e)
	}
	recorder.Observe(reconcile.Suspended{Loop: "odd"})
	reads := func(group, field, uid string) []unstructured.Unstructured {
		resource := schema.GroupVersionResource{Group: group, Version: "v1", Resource: "events"}
		list, err := client.Resource(resource).Namespace("default").
			List(ctx, metav1.ListOptions{FieldSelector: field + uid})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	for deadline := time.Now().Add(20 * time.Second); len(reads("", "involvedObject.uid=", named.UID)) < len(observed) &&
		time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	recorder.Observe(observed[0]) // the first repeat
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) || len(wrong) > 0 || recorder.Dropped() > 0 {
		t.Errorf("ended by %v, refused %v, dropped %d", err, wrong, recorder.Dropped())
	}
	if n := len(reads("", "involvedObject.uid=", named.UID)); n != len(observed) {
		t.Errorf("%d events of %d", n, len(observed))
	}
	for _, e := range reads("events.k8s.io", "regarding.uid=", named.UID) {
		wantEvent(t, e.Object, named)
	}
	odds := reads("events.k8s.io", "regarding.name=", odd.Name)
	if len(odds) != 1 {
		t.Errorf("%d events of a ClusterRole", len(odds))
	}
	for _, e := range odds {
		if e.GetNamespace() != "default" || !strings.HasPrefix(e.GetName(), "event.") {
			t.Errorf("the event of a ClusterRole is %s in %s", e.GetName(), e.GetNamespace())
		}
	}
}

func wantEvent(t *testing.T, e map[string]any, named kubeevents.Object) {
	t.Helper()
	var got struct {
		Regarding                                    kubeevents.Object
		ReportingController, ReportingInstance, Type string
		Reason, Action, Note                         string
		Series                                       struct{ Count int }
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	failed := strings.HasSuffix(got.Reason, "Failed")
	warning := failed || strings.Contains("Drifted RestoredFromStore NotKept DriftUnknown", got.Reason)
	if got.Regarding != named || got.ReportingController != "gitops.example.com/test" || got.ReportingInstance != "pod-1" ||
		(got.Type == "Warning") != warning || got.Action == "" || len(got.Note) > 1024 {
		t.Errorf("the event is %s", text)
	}
	if failed && (len(got.Note) < 1020 || !strings.HasSuffix(got.Note, "ä…")) {
		t.Errorf("the note is %d bytes: %s", len(got.Note), got.Note)
	}
	if got.Reason == "Applied" && (got.Series.Count != 2 ||
		got.Note != "applied main@sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1: 1 created") {
		t.Errorf("the event of what was applied twice is %s", text)
	}
}

// What each interval repeats is not posted.
func TestWhatHappensAllTheTimeIsNotTold(t *testing.T) {
	same := &apply.Result{Changes: []apply.Change{{Action: apply.Unchanged}}}
	broken := &apply.Result{Changes: []apply.Change{{Action: apply.Created}, {Action: apply.Failed}}}
	for _, e := range []reconcile.Event{
		reconcile.Fetched{}, reconcile.Fetched{Modified: true}, reconcile.Built{}, reconcile.Advanced{},
		reconcile.Applied{Result: same},
		reconcile.Applied{Result: broken}, // a Failed follows
		reconcile.Applied{Result: &apply.Result{}}, reconcile.Waiting{},
		reconcile.Unhealthy{Err: errors.New("a Failed follows")},
		reconcile.Superseded{}, reconcile.Kept{}, reconcile.Triggered{}, reconcile.Replaced{},
	} {
		if m, ok := kubeevents.Tell(e); ok {
			t.Errorf("%T is told as %+v", e, m)
		}
	}
}
