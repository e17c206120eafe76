package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWaitExplainsAtTheDeadline(t *testing.T) {
	b := newLiveBench(t, Options{Health: func(o *unstructured.Unstructured) (*Health, error) {
		if o.GetKind() == "Service" {
			return &Health{Status: InProgressStatus}, nil
		}
		return nil, nil
	}})
	waiting := func(reason, message, more string) string {
		return fmt.Sprintf(`[{"name":"main","image":"i","imageID":"","ready":false,"restartCount":7,"state":{"waiting":{"reason":%q,"message":%q}}%s}]`, reason, message, more)
	}
	tests := []struct{ name, status, says string }{
		{"image", `{"phase":"Pending","containerStatuses":` + waiting("ImagePullBackOff", `Back-off pulling image "nginx:1"`, "") + `}`,
			`container main: ImagePullBackOff: Back-off pulling image "nginx:1"`},
		{"crash", `{"phase":"Running","conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady"}],"containerStatuses":` +
			waiting("CrashLoopBackOff", "back-off 5m0s", `,"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","message":"planted-secret"}}`) + `}`,
			"container main: CrashLoopBackOff: back-off 5m0s; last ended with exit code 137 (OOMKilled), 7 restarts"},
		{"config", `{"phase":"Pending","containerStatuses":` + waiting("CreateContainerConfigError", `secret "s" not found`, "") + `}`,
			`container main: CreateContainerConfigError: secret "s" not found`},
		{"init", `{"phase":"Pending","containerStatuses":` + waiting("PodInitializing", "", "") + `,"initContainerStatuses":` + waiting("ErrImagePull", "no such host", "") + `}`,
			"init container main: ErrImagePull: no such host"},
		{"unscheduled", `{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available"}]}`,
			"Unschedulable: 0/3 nodes are available"},
		{"unready", `{"phase":"Running","conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady","message":"containers with unready status: [main]"}]}`,
			"not ready: ContainersNotReady: containers with unready status: [main]; Unhealthy: Readiness probe failed: HTTP 503"},
		{"untaken", `{"phase":"Pending"}`, "Pending: no node has taken it yet"},
		{"long", `{"phase":"Pending","containerStatuses":` + waiting("ErrImagePull", strings.Repeat("x", 5000), "") + `}`, "xxx…"},
	}
	var objects []*unstructured.Unstructured
	for _, test := range tests {
		objects = append(objects, held(t, test.name))
	}
	balancer := service(t, "balancer")
	_ = unstructured.SetNestedField(balancer.Object, "LoadBalancer", "spec", "type")
	claim := manifest(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}")
	b.apply(append(objects, balancer, claim)...)
	pods := make(map[string]string)
	for _, test := range tests {
		pod, uid := b.kubelet(test.name, test.status)
		pods[test.name] = pod
		if test.name == "unready" {
			b.happen(uid, "Warning", "Unhealthy", "Readiness probe failed: HTTP 503")
		}
	}
	b.happen(b.uid("persistentvolumeclaims", "disk"), "Normal", "WaitForFirstConsumer", "waiting for first consumer")
	b.Take()
	report, err := b.wait(WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the error is %v", err)
	}
	if n := report.Count(InProgressStatus); n != len(tests)+2 {
		t.Errorf("the report is %v", health(report))
	}
	for _, test := range tests {
		wantLine(t, err, "Deployment.apps "+b.namespace+"/"+test.name+": not healthy: InProgress: ", "Pod "+pods[test.name]+": ", test.says)
	}
	wantLine(t, err, "Service "+b.namespace+"/balancer: not healthy: InProgress", "the load balancer has no ingress yet")
	wantLine(t, err, "PersistentVolumeClaim "+b.namespace+"/disk: ", "PVC is not Bound. phase: Pending; WaitForFirstConsumer: waiting for first consumer")
	if strings.Contains(err.Error(), "planted-secret") {
		t.Errorf("it tells what a program said: %v", err)
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
	// One GET; a LIST and a WATCH for 3 kinds; ReplicaSets and Pods of each Deployment; Events of three objects.
	if n := len(b.Take()); n > 1+6+2*len(tests)+3 {
		t.Errorf("it took %d requests", n)
	}
}

// wantLine wants a line of the error that has all of the texts.
func wantLine(t *testing.T, err error, texts ...string) {
	t.Helper()
	for _, line := range strings.Split(err.Error(), "\n") {
		missing := func(text string) bool { return !strings.Contains(line, text) }
		if !slices.ContainsFunc(texts, missing) {
			return
		}
	}
	t.Errorf("no line has all of %q:\n%v", texts, err)
}

func (b *bench) uid(plural, name string) string {
	b.t.Helper()
	m, err := b.client.getMetadata(b.t.Context(), strings.Split(strings.TrimPrefix(b.path(plural, name), "/"), "/"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(m.UID)
}

// happen makes an Event about an object.
func (b *bench) happen(uid, kind, reason, message string) {
	b.t.Helper()
	b.must("POST", "/api/v1/namespaces/"+b.namespace+"/events", fmt.Sprintf(`{"metadata":{"generateName":"e-"},"type":%q,"reason":%q,"message":%q,
		"involvedObject":{"uid":%q,"namespace":%q},"lastTimestamp":"2026-01-01T00:00:00Z"}`, kind, reason, message, uid, b.namespace))
}

func TestWaitExplainsPodsThatCannotBeMade(t *testing.T) {
	b := newLiveBench(t, Options{})
	b.must("POST", "/api/v1/namespaces/"+b.namespace+"/resourcequotas", `{"metadata":{"name":"none"},"spec":{"hard":{"pods":"0"}}}`)
	b.must("PATCH", "/api/v1/namespaces/"+b.namespace+"/resourcequotas/none/status", `{"status":{"hard":{"pods":"0"},"used":{"pods":"0"}}}`)
	stateful := deployment(t, "db", "pg")
	stateful.SetKind("StatefulSet")
	_ = unstructured.SetNestedField(stateful.Object, "db", "spec", "serviceName")
	b.apply(deployment(t, "web", "nginx:1"), stateful)
	b.awaitFailedCreate("ReplicaSet", "StatefulSet")
	report, err := b.wait(WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) {
		t.Fatalf("%v, %v", health(report), err)
	}
	wantLine(t, err, "Deployment.apps "+b.namespace+"/web", "FailedCreate: ", "exceeded quota: none")
	wantLine(t, err, "StatefulSet.apps "+b.namespace+"/db", "FailedCreate: ", "exceeded quota: none")
}

// awaitFailedCreate waits until the controllers say, in their own time, that they cannot make Pods for these kinds.
func (b *bench) awaitFailedCreate(kinds ...string) {
	b.t.Helper()
	for len(kinds) > 0 {
		var list struct {
			Items []struct{ InvolvedObject struct{ Kind string } }
		}
		path := []string{"api", "v1", "namespaces", b.namespace, "events"}
		if err := b.look(b.t.Context(), path, "fieldSelector", "reason=FailedCreate", &list); err != nil {
			b.t.Fatal(err)
		}
		for _, e := range list.Items {
			kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == e.InvolvedObject.Kind })
		}
		if err := sleep(b.t.Context(), 10*time.Millisecond); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestWaitExplainsWithinBounds(t *testing.T) {
	b := newLiveBench(t, Options{})
	var objects []*unstructured.Unstructured
	for i := range explainObjects + 5 {
		objects = append(objects, held(t, fmt.Sprint("web", i+10)))
	}
	_ = unstructured.SetNestedField(objects[0].Object, int64(explainPods+2), "spec", "replicas")
	b.apply(objects...)
	made := 0
	err := b.Applier.follow(t.Context(), following{resource: podResource, namespace: b.namespace}, func(e event) error {
		if made += count(e.what == eventPresent && e.object.GetResourceVersion() != ""); made < len(objects)+explainPods+1 {
			return nil
		}
		return errStop
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	b.Take()
	report, err := b.wait(WaitOptions{})
	wantLine(t, err, "Deployment.apps "+b.namespace+"/web10", "Pending: no node has taken it yet; and 2 Pods more")
	explained := slices.DeleteFunc(slices.Clone(report.Members), func(m MemberHealth) bool { return len(m.Reasons) == 0 })
	if len(explained) != explainObjects || len(explained[0].Reasons) != explainPods {
		t.Errorf("%d objects are explained, the first with %v", len(explained), explained[0].Reasons)
	}
	if n := len(b.Take()); n > 3+2*explainObjects {
		t.Errorf("it took %d requests", n)
	}
}

func TestWaitTellsLessWithoutTheRightToLookAtPods(t *testing.T) {
	b := newLiveBench(t, Options{})
	b.apply(held(t, "web"))
	b.pod("web")
	b.allow("reader", "", "secrets", `"get","list","watch"`)
	b.allow("reader", "apps", "deployments", `"list","watch"`)
	report, err := b.as("reader").wait(WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) || !errors.Is(err, context.DeadlineExceeded) || apierrors.IsForbidden(err) {
		t.Errorf("the error is %v", err)
	}
	wantHealth(t, report, "InProgress Deployment web")
}
