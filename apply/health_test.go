package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// newLiveBench is a bench of a cluster with controllers.
func newLiveBench(t *testing.T, opts Options) *bench {
	return newBenchOn(t, testbed.KubernetesWith(t, testbed.KubernetesOptions{Controllers: true}), opts)
}

// held is a Deployment whose Pods nobody starts.
func held(t *testing.T, name string) *unstructured.Unstructured {
	d := deployment(t, name, "nginx:1")
	if err := unstructured.SetNestedField(d.Object, "1", "spec", "template", "metadata", "annotations", "testbed.gitopskit.io/hold"); err != nil {
		t.Fatal(err)
	}
	return d
}

// pod waits for a Pod with the label app of that value and returns its name and UID.
func (b *bench) pod(app string) (name, uid string) {
	b.t.Helper()
	err := b.Applier.follow(b.t.Context(), following{resource: podResource, namespace: b.namespace, labels: "app=" + app}, func(e event) error {
		if e.what != eventPresent {
			return nil
		}
		name, uid = e.object.GetName(), string(e.object.GetUID())
		return errStop
	})
	if !errors.Is(err, errStop) {
		b.t.Fatal(err)
	}
	return name, uid
}

var podResource = func() resource {
	r := resource{Plural: "pods", Namespaced: true}
	r.Version, r.Kind = "v1", "Pod"
	return r
}()

// kubelet says of a held Pod what a kubelet would.
func (b *bench) kubelet(app, status string) (pod, uid string) {
	b.t.Helper()
	pod, uid = b.pod(app)
	b.must("PATCH", b.path("pods", pod)+"/status", `{"status":`+status+`}`)
	return pod, uid
}

const ready = `{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}`

func health(r *HealthReport) []string {
	var lines []string
	for _, m := range r.Members {
		lines = append(lines, fmt.Sprintf("%s %s %s", m.Status, m.Ref.Kind, m.Ref.Name))
	}
	return lines
}

func wantHealth(t *testing.T, r *HealthReport, want ...string) {
	t.Helper()
	if got := health(r); !slices.Equal(got, want) {
		t.Errorf("the report is\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// A fuse is a context whose deadline comes when it is told to.
type fuse struct {
	context.Context
	blown chan struct{}
}

func (f fuse) Done() <-chan struct{} { return f.blown }

func (f fuse) Err() error {
	select {
	case <-f.blown:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func newFuse() (ctx context.Context, blow func()) {
	f := fuse{context.Background(), make(chan struct{})}
	return f, sync.OnceFunc(func() { close(f.blown) })
}

// blowAfter is a fuse that blows when n objects have been told of, and the hook that counts them.
func blowAfter(n int) (context.Context, func(Ref, Health)) {
	ctx, blow := newFuse()
	told := make(map[Ref]bool)
	return ctx, func(ref Ref, _ Health) {
		if told[ref] = true; len(told) == n {
			blow()
		}
	}
}

// blowAtWatch is a fuse that blows at the nth WATCH, when as many LISTs have been told of.
func (b *bench) blowAtWatch(n int32) context.Context {
	ctx, blow := newFuse()
	var watches atomic.Int32
	b.Before = func(r *http.Request) error {
		if isWatch(r) && watches.Add(1) == n {
			blow()
		}
		return nil
	}
	return ctx
}

// wait waits until the deadline, which comes when each member has been told of.
func (b *bench) wait(opts WaitOptions) (*HealthReport, error) {
	b.t.Helper()
	_, inv, err := newApplier(b.t, b.config, Options{}).readParent(b.t.Context(), b.set().ID)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, told := blowAfter(len(inv.entries))
	opts.OnHealth = told
	return b.Wait(ctx, b.set().ID, opts)
}

// wantBudget wants one GET, and for each kind one LIST and at most one WATCH.
func (b *bench) wantBudget(t *testing.T, kinds int) {
	t.Helper()
	requests := b.Take()
	lists, watches := counted(requests)
	if lists != kinds || watches > kinds || len(requests) != 1+lists+watches {
		t.Errorf("%d LISTs and %d WATCHes for %d kinds, of these requests:\n%s", lists, watches, kinds, strings.Join(requests, "\n"))
	}
}

func TestWaitReturnsAtOnceWhereAllIsHealthy(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), service(t, "web"),
		manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}"))
	b.Take()
	report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantHealth(t, report, "Current ConfigMap a", "Current ConfigMap b", "Current Secret s", "Current Service web")
	b.wantBudget(t, 3)
	wantNoGoroutines(t)
	if report.Count(CurrentStatus) != 4 || report.ID != b.set().ID {
		t.Errorf("the report is %+v", report)
	}
}

func TestWaitOfASetThatIsNotThere(t *testing.T) {
	b := newBench(t, Options{})
	if report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{}); err != nil || len(report.Members) > 0 {
		t.Errorf("%v, %v", report, err)
	}
	if report, err := b.Wait(t.Context(), ID{}, WaitOptions{}); !errors.Is(err, ErrInvalid) || report == nil {
		t.Errorf("%v, %v", report, err)
	}
}

func TestWaitReturnsWhenAllHasBecomeHealthy(t *testing.T) {
	b := newLiveBench(t, Options{})
	job := manifest(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {template: {metadata: {labels: {app: migrate}, annotations: {testbed.gitopskit.io/hold: "1"}}, spec: {restartPolicy: Never, containers: [{name: main, image: i}]}}}`)
	b.apply(held(t, "web"), deployment(t, "quick", "nginx:1"), job, configMap(t, "a", "1"))
	b.pod("web") // which are not the Wait's requests
	b.Take()
	other := b.again()
	other.Applier = newApplier(t, b.config, Options{})
	var told []string
	go func() {
		other.kubelet("web", ready)
		other.kubelet("migrate", `{"phase":"Succeeded","containerStatuses":[{"name":"main","image":"i","imageID":"","ready":false,"restartCount":0,
			"state":{"terminated":{"exitCode":0}}}]}`)
	}()
	report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{JobsComplete: true, OnHealth: func(ref Ref, h Health) {
		told = append(told, fmt.Sprintf("%s %s", h.Status, ref.Name))
	}})
	if err != nil {
		t.Fatal(err)
	}
	wantHealth(t, report, "Current ConfigMap a", "Current Deployment quick", "Current Deployment web", "Current Job migrate")
	b.wantBudget(t, 3)
	for _, name := range []string{"a", "quick", "web", "migrate"} {
		if !slices.Contains(told, "Current "+name) {
			t.Errorf("%s was not told of: %v", name, told)
		}
	}
	report, err = b.Wait(t.Context(), b.set().ID, WaitOptions{JobsComplete: true})
	if err != nil || report.Count(CurrentStatus) != 4 {
		t.Errorf("again: %v, %v", health(report), err)
	}
}

func TestWaitHasAJobHealthyWhileItRuns(t *testing.T) {
	b := newLiveBench(t, Options{})
	b.apply(manifest(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: long}
spec: {template: {metadata: {labels: {app: long}}, spec: {restartPolicy: Never, containers: [{name: main, image: i}]}}}`))
	if report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{}); err != nil {
		t.Errorf("%v, %v", health(report), err)
	}
	report, err := b.wait(WaitOptions{JobsComplete: true})
	if !errors.Is(err, ErrUnhealthy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", health(report), err)
	}
}

// opinion is a Health hook: it reads the words of the tests' own kind.
func opinion(o *unstructured.Unstructured) (*Health, error) {
	switch says, _, _ := unstructured.NestedString(o.Object, "spec", "says"); says {
	case "":
		return nil, nil
	case "odd":
		return nil, errors.New("cannot tell")
	default:
		return &Health{Status: HealthStatus(says), Message: "by its own words"}, nil
	}
}

// applyThing applies an object of the tests' own kind, whose spec says that, and returns its path.
func (b *bench) applyThing(says string) string {
	b.t.Helper()
	definition, object := b.definition("Namespaced", true)
	object.Object["spec"] = map[string]any{"says": says}
	b.apply(definition, object)
	b.t.Cleanup(func() {
		config := newApplier(b.t, b.config, Options{}).client.rest // the test's context has ended
		_ = config.Delete().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + b.thing("v2").Plural + ".example.com").Do(context.Background())
	})
	return "/" + strings.Join(b.thing("v1").path(b.namespace, "one"), "/")
}

func TestWaitAsksTheHookFirst(t *testing.T) {
	b := newBench(t, Options{Health: opinion})
	path := b.applyThing("odd")
	report, err := b.wait(WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "Unknown: cannot tell") || report.Count(UnknownStatus) != 1 {
		t.Errorf("an error: %v, %v", health(report), err)
	}
	var told []HealthStatus
	report, err = b.Wait(t.Context(), b.set().ID, WaitOptions{KeepWaiting: true, OnHealth: func(ref Ref, h Health) {
		next := map[HealthStatus]string{UnknownStatus: "InProgress", InProgressStatus: "Failed", FailedStatus: "Current"}[h.Status]
		if ref.Name == "one" {
			told = append(told, h.Status)
			if next != "" {
				b.must("PATCH", path, `{"spec":{"says":"`+next+`"}}`)
			}
		}
	}})
	if err != nil || !slices.Equal(told, []HealthStatus{UnknownStatus, InProgressStatus, FailedStatus, CurrentStatus}) {
		t.Errorf("%v, %v, told %v", health(report), err, told)
	}
	b.must("PATCH", path, `{"spec":{"says":"Failed"}}`)
	report, err = b.Wait(t.Context(), b.set().ID, WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) || report.Count(FailedStatus) != 1 || report.Count(CurrentStatus) != 1 {
		t.Errorf("failed: %v, %v", health(report), err)
	}
}

func TestWaitDoesNotBelieveAStatusOfTheGenerationBefore(t *testing.T) {
	b := newBench(t, Options{}) // nobody is at work on Deployments
	b.apply(deployment(t, "web", "nginx:1"))
	if err := b.do("PATCH", b.path("deployments", "web")+"/status", `{"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,
		"availableReplicas":1,"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}}`); err != nil {
		t.Fatal(err)
	}
	if report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{}); err != nil {
		t.Errorf("%v, %v", health(report), err)
	}
	b.apply(deployment(t, "web", "nginx:2"))
	report, err := b.wait(WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "generation is 2") {
		t.Errorf("%v, %v", health(report), err)
	}
	wantHealth(t, report, "InProgress Deployment web")
}

func TestWaitEndsAtOnceWhenAnObjectHasFailed(t *testing.T) {
	b := newLiveBench(t, Options{})
	slow := held(t, "web")
	_ = unstructured.SetNestedField(slow.Object, int64(1), "spec", "progressDeadlineSeconds")
	b.apply(slow, held(t, "other"), configMap(t, "a", "1"))
	b.kubelet("web", `{"phase":"Pending","containerStatuses":[{"name":"main","image":"nginx:1","imageID":"","ready":false,"restartCount":0,
		"state":{"waiting":{"reason":"ErrImagePull","message":"no such host"}}}]}`)
	report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{})
	wantHealth(t, report, "Current ConfigMap a", "InProgress Deployment other", "Failed Deployment web")
	var one *Error
	if !errors.Is(err, ErrUnhealthy) || !errors.As(err, &one) || one.Ref.Name != "web" || strings.Contains(err.Error(), "other") {
		t.Fatalf("the error is %v", err)
	}
	for _, says := range []string{"ProgressDeadlineExceeded", "container main: ErrImagePull: no such host"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	wantNoGoroutines(t)
}

func TestWaitTellsOfAFailedJob(t *testing.T) {
	b := newLiveBench(t, Options{})
	b.apply(manifest(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec: {backoffLimit: 0, template: {metadata: {labels: {app: migrate}, annotations: {testbed.gitopskit.io/hold: "1"}}, spec: {restartPolicy: Never, containers: [{name: main, image: i}]}}}`))
	b.kubelet("migrate", `{"phase":"Failed","containerStatuses":[{"name":"main","image":"i","imageID":"","ready":false,"restartCount":0,
		"state":{"terminated":{"exitCode":3,"reason":"Error","message":"planted-secret"}}}]}`)
	report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{JobsComplete: true})
	wantHealth(t, report, "Failed Job migrate")
	for _, says := range []string{"BackoffLimitExceeded", "container main: ended with exit code 3"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	if text := fmt.Sprint(err, report); strings.Contains(text, "planted-secret") {
		t.Errorf("it tells what the program said: %s", text)
	}
}

func TestWaitNeedsTheRightToWatch(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(deployment(t, "web", "nginx:1"))
	b.allow("lister", "", "secrets", `"get","list"`)
	b.allow("lister", "apps", "deployments", `"list"`)
	report, err := b.as("lister").Wait(t.Context(), b.set().ID, WaitOptions{})
	if !apierrors.IsForbidden(err) || errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), `cannot watch resource "deployments"`) {
		t.Errorf("the error is %v", err)
	}
	wantHealth(t, report, "InProgress Deployment web")
}

func TestWaitAsksNothingMoreWhenItIsCancelled(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(deployment(t, "web", "nginx:1"))
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("the user went away")
	b.Take()
	report, err := b.Wait(ctx, b.set().ID, WaitOptions{OnHealth: func(Ref, Health) { cancel(because) }})
	if !errors.Is(err, because) || !errors.Is(err, ErrUnhealthy) || !strings.HasPrefix(err.Error(), "waiting for "+b.set().ID.String()+": the user") {
		t.Errorf("the error is %v", err)
	}
	wantHealth(t, report, "InProgress Deployment web")
	b.wantBudget(t, 1)
	wantNoGoroutines(t)
}

func TestWaitTellsWhatIsNotThereAndWhatGoes(t *testing.T) {
	b := newBench(t, Options{})
	leaving := configMap(t, "leaving", "1")
	leaving.SetFinalizers([]string{"example.com/hold"})
	b.apply(configMap(t, "gone", "1"), leaving, configMap(t, "stays", "1"))
	b.must("DELETE", b.path("configmaps", "gone"), "")
	asked := false
	report, err := b.Wait(t.Context(), b.set().ID, WaitOptions{OnHealth: func(ref Ref, h Health) {
		switch {
		case ref.Name == "leaving" && h.Status == CurrentStatus && !asked:
			asked = true
			b.must("DELETE", b.path("configmaps", "leaving"), "")
		case ref.Name == "leaving" && h.Status == TerminatingStatus:
			if !strings.Contains(h.Message, "finalizers example.com/hold") {
				t.Errorf("its health is %v", h)
			}
			b.must("PATCH", b.path("configmaps", "leaving"), `{"metadata":{"finalizers":null}}`)
		case ref.Name == "leaving" && h.Status == NotFoundStatus:
			b.apply(configMap(t, "gone", "1"), configMap(t, "leaving", "1"), configMap(t, "stays", "1")) // and all is well again
		}
	}})
	if err != nil || report.Count(CurrentStatus) != 3 {
		t.Errorf("%v, %v", health(report), err)
	}
	b.must("DELETE", b.path("configmaps", "gone"), "")
	report, err = b.wait(WaitOptions{})
	wantHealth(t, report, "NotFound ConfigMap gone", "Current ConfigMap leaving", "Current ConfigMap stays")
	wantLine(t, err, "waiting for ConfigMap "+b.namespace+"/gone: not healthy: NotFound")
}

func TestWaitTellsWhatHasNoKindAnyMore(t *testing.T) {
	b := newBench(t, Options{})
	b.applyThing("")
	definition := target{ref: Ref{Name: b.thing("v1").Plural + ".example.com"}}
	definition.resource = resource{Plural: "customresourcedefinitions"}
	definition.resource.Group, definition.resource.Version, definition.resource.Kind = "apiextensions.k8s.io", "v1", "CustomResourceDefinition"
	definition.ref.Group, definition.ref.Kind = definition.resource.Group, definition.resource.Kind
	b.must("DELETE", "/"+strings.Join(definition.resource.path("", definition.ref.Name), "/"), "")
	if err := b.awaitGone(t.Context(), []target{definition}, ""); err != nil {
		t.Fatal(err)
	}
	report, err := b.wait(WaitOptions{})
	if !errors.Is(err, ErrUnhealthy) || report.Count(NotFoundStatus) != 2 {
		t.Errorf("%v, %v", health(report), err)
	}
}

func TestWaitOutlivesAServerThatIsAwayForAWhile(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), service(t, "web"))
	var n atomic.Int32
	c := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if i := n.Add(1); i > 1 && i < 8 {
			return nil, errors.New("connection refused")
		}
		return next.RoundTrip(r)
	})
	if report, err := c.Wait(t.Context(), b.set().ID, WaitOptions{}); err != nil {
		t.Errorf("%v, %v", health(report), err)
	}
	ctx, blow := newFuse()
	seen, tries := make(chan struct{}), 0
	c = b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !strings.Contains(r.URL.Path, "services") {
			return next.RoundTrip(r)
		}
		if <-seen; tries == 1 {
			blow()
		}
		tries++
		return nil, errors.New("connection refused")
	})
	report, err := c.Wait(ctx, b.set().ID, WaitOptions{OnHealth: func(Ref, Health) { close(seen) }})
	wantHealth(t, report, "Current ConfigMap a", "Unknown Service web")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("the error is %v", err)
	}
}

func (b *bench) target(plural, kind, name string) target {
	r := resource{Plural: plural, Namespaced: true}
	r.Version, r.Kind = "v1", kind
	if plural == "deployments" {
		r.Group = "apps"
	}
	return target{ref: Ref{Group: r.Group, Version: "v1", Kind: kind, Namespace: b.namespace, Name: name}, resource: r}
}

func TestAwaitHealthyFollowsSingleObjects(t *testing.T) {
	b := newLiveBench(t, Options{})
	b.apply(held(t, "web"), held(t, "other"), configMap(t, "a", "1"))
	b.Take()
	targets := []target{b.target("deployments", "Deployment", "web"), b.target("configmaps", "ConfigMap", "a")}
	ctx, told := blowAfter(len(targets))
	err := b.awaitHealthy(ctx, "what it depends on", targets, WaitOptions{OnHealth: told})
	wantLine(t, err, "waiting for Deployment.apps "+b.namespace+"/web: not healthy")
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "other") || !strings.HasPrefix(err.Error(), "waiting for what it depends on: ") {
		t.Errorf("the error is %v", err)
	}
	b.kubelet("web", ready)
	if err := b.awaitHealthy(t.Context(), "what it depends on", targets, WaitOptions{}); err != nil {
		t.Error(err)
	}
	if err := b.awaitHealthy(t.Context(), "nothing", nil, WaitOptions{}); err != nil {
		t.Error(err)
	}
}
