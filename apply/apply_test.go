package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A bench is an applier of a fresh namespace, and what it sends.
type bench struct {
	*Applier
	*testbed.Recorder
	t         *testing.T
	config    *rest.Config
	namespace string
}

func newBench(t *testing.T, opts Options) *bench { return newBenchOn(t, testbed.Kubernetes(t), opts) }

func newBenchOn(t *testing.T, config *rest.Config, opts Options) *bench {
	t.Helper()
	b := &bench{t: t, config: config, namespace: testbed.UniqueName("apply"), Recorder: &testbed.Recorder{}}
	_, err := newApplier(t, b.config, Options{}).client.write(t.Context(), "POST", []string{"api", "v1", "namespaces"},
		manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"}").Object, "test")
	if err != nil {
		t.Fatal(err)
	}
	recorded := rest.CopyConfig(b.config)
	recorded.Wrap(b.Recorder.Wrap)
	b.Applier = newApplier(t, recorded, opts)
	return b
}

func newApplier(t testing.TB, config *rest.Config, opts Options) *Applier {
	t.Helper()
	a, err := New(config, opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// again is a new process on the same set.
func (b *bench) again() *bench {
	c := *b
	recorded := rest.CopyConfig(b.config)
	recorded.Wrap(b.Recorder.Wrap)
	c.Applier = newApplier(b.t, recorded, b.opts)
	return &c
}

func (b *bench) set(objects ...*unstructured.Unstructured) Set {
	return Set{ID: ID{Namespace: b.namespace, Name: "the-set"}, Objects: objects}
}

func (b *bench) apply(objects ...*unstructured.Unstructured) *Result {
	b.t.Helper()
	result, err := b.Apply(b.t.Context(), b.set(objects...))
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

// do sends one request of a person, past the recorder.
func (b *bench) do(verb, path string, body string) error {
	b.t.Helper()
	r := newApplier(b.t, b.config, Options{}).client.rest.Verb(verb).AbsPath(path)
	if body != "" {
		kind := "application/json"
		if verb == "PATCH" {
			kind = "application/merge-patch+json"
		}
		r = r.SetHeader("Content-Type", kind).Body([]byte(body))
	}
	return r.Do(b.t.Context()).Error()
}

func (b *bench) exists(path string) bool {
	b.t.Helper()
	err := b.do("GET", path, "")
	if err != nil && !apierrors.IsNotFound(err) {
		b.t.Fatal(err)
	}
	return err == nil
}

func (b *bench) path(plural, name string) string {
	prefix := "/api/v1"
	if plural == "deployments" {
		prefix = "/apis/apps/v1"
	}
	return prefix + "/namespaces/" + b.namespace + "/" + plural + "/" + name
}

func manifest(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	body, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.UnmarshalJSON(body); err != nil {
		t.Fatal(err)
	}
	return u
}

func configMap(t testing.TB, name, value string) *unstructured.Unstructured {
	return manifest(t, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: %q}", name, value))
}

func service(t testing.TB, name string) *unstructured.Unstructured {
	return manifest(t, fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {selector: {app: a}, ports: [{port: 80}]}", name))
}

func deployment(t testing.TB, name, image string) *unstructured.Unstructured {
	return manifest(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, labels: {app: %[1]s}}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: main, image: %[2]s}]}
`, name, image))
}

// actions returns "action Kind name" of each change.
func actions(r *Result) []string {
	var lines []string
	for _, c := range r.Changes {
		lines = append(lines, fmt.Sprintf("%s %s %s", c.Action, c.Ref.Kind, c.Ref.Name))
	}
	return lines
}

func wantActions(t *testing.T, r *Result, want ...string) {
	t.Helper()
	if got := actions(r); !slices.Equal(got, want) {
		t.Errorf("changes are\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// wantRequests compares counts of requests by their verb and by what they are about.
func wantRequests(t *testing.T, got []string, want map[string]int) {
	t.Helper()
	counts := make(map[string]int)
	for _, line := range got {
		verb, uri, _ := strings.Cut(line, " ")
		switch {
		case strings.Contains(uri, "/secrets/the-set"), verb == "POST":
			verb += " inventory"
		case strings.Contains(uri, "labelSelector="):
			verb = "LIST"
		case uri == "/api" || uri == "/apis":
			verb = "discovery"
		}
		counts[verb]++
	}
	if !reflect.DeepEqual(counts, want) {
		t.Errorf("requests are %v, want %v:\n%s", counts, want, strings.Join(got, "\n"))
	}
}

func TestApplyCreatesChangesAndPrunesWithinItsBudget(t *testing.T) {
	b := newBench(t, Options{})
	wantActions(t, b.apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web")),
		"created ConfigMap a", "created Deployment web", "created Service web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "discovery": 2, "GET": 3, "POST inventory": 1, "PATCH": 3, "PUT inventory": 1})

	wantActions(t, b.apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web")),
		"unchanged ConfigMap a", "unchanged Deployment web", "unchanged Service web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 3})

	wantActions(t, b.again().apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web")),
		"unchanged ConfigMap a", "unchanged Deployment web", "unchanged Service web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 3})

	wantActions(t, b.apply(configMap(t, "a", "2"), deployment(t, "web", "nginx:1")),
		"configured ConfigMap a", "unchanged Deployment web", "pruned Service web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 3, "PATCH": 1, "DELETE": 1, "PUT inventory": 2})
	if b.exists(b.path("services", "web")) {
		t.Error("the Service is still there")
	}
}

func TestApplyMendsDrift(t *testing.T) {
	b := newBench(t, Options{})
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web")}
	b.apply(objects...)
	for _, test := range []struct {
		name, verb, plural, object, body, want string
		patches                                int
	}{
		{"deleted", "DELETE", "services", "web", "", "created Service web", 1},
		{"data changed", "PATCH", "configmaps", "a", `{"data":{"key":"other"}}`, "configured ConfigMap a", 1},
		{"spec changed", "PATCH", "deployments", "web", `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"evil"}]}}}}`, "configured Deployment web", 1},
		{"label changed", "PATCH", "deployments", "web", `{"metadata":{"labels":{"app":"other"}}}`, "configured Deployment web", 1},
		{"the set's label taken away", "PATCH", "deployments", "web", `{"metadata":{"labels":{"applyset.kubernetes.io/part-of":null}}}`, "configured Deployment web", 1},
		{"a field of somebody else", "PATCH", "deployments", "web", `{"metadata":{"annotations":{"other":"1"}}}`, "", 1},
		{"nothing", "GET", "services", "web", "", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := b.do(test.verb, b.path(test.plural, test.object), test.body); err != nil {
				t.Fatal(err)
			}
			b.Take()
			result := b.apply(objects...)
			changed := slices.DeleteFunc(actions(result), func(a string) bool { return strings.HasPrefix(a, "unchanged") })
			if got := strings.Join(changed, ", "); got != test.want {
				t.Errorf("changes are %q, want %q", got, test.want)
			}
			requests := b.Take()
			if got := testbed.Count(requests, "PATCH"); got != test.patches {
				t.Errorf("%d PATCHes, want %d", got, test.patches)
			}
			b.apply(objects...)
			wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 3})
		})
	}
}

func TestApplyTellsAllResultsAndPrunesNothingWhenOneIsRejected(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "old", "1"))
	bad := service(t, "bad")
	_ = unstructured.SetNestedSlice(bad.Object, []any{map[string]any{"port": int64(99999)}}, "spec", "ports")
	result, err := b.Apply(t.Context(), b.set(configMap(t, "new", "1"), bad, deployment(t, "web", "nginx:1")))
	var one *Error
	if !errors.As(err, &one) || one.Ref.Name != "bad" || !apierrors.IsInvalid(err) {
		t.Errorf("the error is %v, want one of the Service that IsInvalid", err)
	}
	wantActions(t, result, "created ConfigMap new", "failed Service bad", "created Deployment web")
	b.Take()
	again, err := b.Apply(t.Context(), b.set(configMap(t, "new", "1"), bad, deployment(t, "web", "nginx:1")))
	if err == nil || testbed.Count(b.Take(), "PATCH") != 1 {
		t.Errorf("again: %v, %v, want one PATCH, of what failed", actions(again), err)
	}
	if !b.exists(b.path("configmaps", "old")) {
		t.Error("the old ConfigMap was pruned")
	}
	wantActions(t, b.apply(configMap(t, "new", "1"), deployment(t, "web", "nginx:1")),
		"unchanged ConfigMap new", "unchanged Deployment web", "pruned Service bad", "pruned ConfigMap old")
}

func TestApplyDoesNotReachWavesAfterAFailure(t *testing.T) {
	b := newBench(t, Options{})
	bad := configMap(t, "bad", "1")
	bad.Object["data"] = "no map"
	result, err := b.Apply(t.Context(), b.set(deployment(t, "web", "nginx:1"), bad))
	if err == nil {
		t.Error("no error")
	}
	wantActions(t, result, "skipped Deployment web", "failed ConfigMap bad")
	if !errors.Is(result.Changes[0].Err, ErrNotReached) {
		t.Errorf("the Deployment's error is %v", result.Changes[0].Err)
	}
}

func TestApplyRefusesBadSetsBeforeItSendsAnything(t *testing.T) {
	b := newBench(t, Options{MaxPruneShare: 0.5})
	full := []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1")}
	b.apply(full...)
	nameless := configMap(t, "x", "1")
	unstructured.RemoveNestedField(nameless.Object, "metadata", "name")
	secret := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: the-set}")
	for _, test := range []struct {
		name string
		set  Set
		want error
		says string
	}{
		{"empty", b.set(), ErrEmptySet, "3 object(s)"},
		{"more than its share", b.set(full[0]), ErrPruneShare, "2 of 3"},
		{"one identity twice", b.set(full[0], full[1], configMap(t, "a", "2")), ErrDuplicate, "ConfigMap " + b.namespace + "/a"},
		{"no name", b.set(full[0], full[1], nameless), ErrInvalid, "object 2 has no metadata.name"},
		{"nil", b.set(full[0], full[1], nil), ErrInvalid, "object 2 is nil"},
		{"a path for a name", b.set(full[0], full[1], configMap(t, "../x", "")), ErrInvalid, "../x"},
		{"its own parent", b.set(append(full, secret)...), ErrInvalid, "own parent"},
		{"no ID", Set{Objects: full}, ErrInvalid, "ID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.Take()
			result, err := b.Apply(t.Context(), test.set)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %v, want %v that says %q", err, test.want, test.says)
			}
			if result == nil || len(result.Changes) > 0 {
				t.Errorf("the result is %v", result)
			}
			requests := b.Take()
			if n := len(requests) - testbed.Count(requests, "GET"); n > 0 {
				t.Errorf("it wrote: %v", requests)
			}
		})
	}
	empty := b.set()
	empty.AllowEmpty = true
	if result, err := b.Apply(t.Context(), empty); err != nil || result.Count(Pruned) != 3 {
		t.Errorf("allowed to be empty: %v, %v", actions(result), err)
	}
}

func TestApplySendsAllAgainAfterRevalidateAfter(t *testing.T) {
	b := newBench(t, Options{RevalidateAfter: time.Nanosecond})
	b.apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"))
	b.Take()
	wantActions(t, b.apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1")), "unchanged ConfigMap a", "unchanged Deployment web")
	if n := testbed.Count(b.Take(), "PATCH"); n != 2 {
		t.Errorf("%d PATCHes, want 2", n)
	}
}

func TestApplyStopsWhenItsContextEnds(t *testing.T) {
	b := newBench(t, Options{Concurrency: 1})
	ctx, cancel := context.WithCancel(t.Context())
	b.Before = func(r *http.Request) error {
		if r.Method == "PATCH" {
			cancel()
			<-r.Context().Done()
		}
		return nil
	}
	result, err := b.Apply(ctx, b.set(configMap(t, "a", "1"), deployment(t, "web", "nginx:1")))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want the context's", err)
	}
	wantActions(t, result, "failed ConfigMap a", "skipped Deployment web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "discovery": 2, "GET": 2, "POST inventory": 1, "PATCH": 1})
}

func TestErrorsAndInventoriesHoldNoSecret(t *testing.T) {
	b := newBench(t, Options{})
	secret := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: planted-secret}\ntype: Opaque")
	b.apply(secret)
	bad := secret.DeepCopy()
	_ = unstructured.SetNestedField(bad.Object, "other", "type") // a Secret's type is immutable
	result, err := b.Apply(t.Context(), b.set(bad))
	if err == nil {
		t.Fatal("the type of a Secret was changed")
	}
	_, inv, _ := newApplier(t, b.config, Options{}).readParent(t.Context(), b.set().ID)
	if text := fmt.Sprintf("%v %+v %#v %+v", err, result, err, inv); strings.Contains(text, "planted-secret") || strings.Contains(text, "cGxhbnRlZC1zZWNyZXQ") {
		t.Errorf("the secret is told: %s", text)
	}
}

func TestApplyNamesUnknownKinds(t *testing.T) {
	b := newBench(t, Options{})
	odd := manifest(t, "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: o}")
	result, err := b.Apply(t.Context(), b.set(odd, configMap(t, "a", "1")))
	if !errors.Is(err, ErrUnknownKind) || !strings.Contains(err.Error(), "Odd.v1.example.com") {
		t.Errorf("the error is %v", err)
	}
	wantActions(t, result, "failed Odd o", "created ConfigMap a")
}

func TestApplyLeavesItsInputAlone(t *testing.T) {
	b := newBench(t, Options{})
	objects := []*unstructured.Unstructured{service(t, "z"), configMap(t, "a", "1"), deployment(t, "web", "nginx:1")}
	var before []*unstructured.Unstructured
	for _, o := range objects {
		before = append(before, o.DeepCopy())
	}
	b.apply(objects...)
	for i := range objects {
		if !reflect.DeepEqual(objects[i], before[i]) {
			t.Errorf("object %d is now %v", i, objects[i])
		}
	}
}

func TestApplyEstablishesDefinitionsFirst(t *testing.T) {
	b := newBench(t, Options{})
	plural := strings.ReplaceAll(b.namespace, "-", "") + "s"
	definition := manifest(t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]s, kind: Thing%[1]s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`, plural))
	thing := manifest(t, fmt.Sprintf("apiVersion: example.com/v1\nkind: Thing%s\nmetadata: {name: one}\nspec: {a: 1}", plural))
	b.apply(thing, definition)
	if result := b.again().apply(thing, definition); result.Count(Unchanged) != 2 {
		t.Errorf("the second time: %v", actions(result))
	}
	if got := testbed.Count(b.Take(), "GET /api"); got == 0 {
		t.Error("no request was recorded")
	}
	result, err := b.Delete(t.Context(), b.set().ID)
	if err != nil || result.Count(Deleted) != 2 || result.Changes[0].Ref.Kind == "CustomResourceDefinition" {
		t.Errorf("deleted %v, %v", actions(result), err)
	}
}

func TestApplyGivesConflictToTheSecondApplier(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"))
	b.Before = func(r *http.Request) error { // another applier writes just before this one does
		if r.Method == "PUT" {
			b.Before = nil
			_, err := newApplier(t, b.config, Options{}).Apply(t.Context(), b.set(configMap(t, "a", "1"), configMap(t, "b", "1")))
			return err
		}
		return nil
	}
	b.Take()
	result, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"), configMap(t, "c", "1")))
	if !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v, want ErrConflict", err)
	}
	if n := testbed.Count(b.Take(), "PATCH"); n != 0 || len(result.Changes) > 0 {
		t.Errorf("%d PATCHes, %v, want none", n, actions(result))
	}
}

func TestApplyLeavesForeignSecretsAlone(t *testing.T) {
	b := newBench(t, Options{})
	if err := b.do("POST", "/api/v1/namespaces/"+b.namespace+"/secrets", `{"metadata":{"name":"the-set"},"data":{"a":"Yg=="}}`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"))); !errors.Is(err, ErrNotParent) {
		t.Errorf("the error is %v, want ErrNotParent", err)
	}
	if _, err := b.Delete(t.Context(), b.set().ID); !errors.Is(err, ErrNotParent) {
		t.Errorf("deleting: the error is %v, want ErrNotParent", err)
	}
}

func TestPruneLeavesDetachedObjectsAlone(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"))
	if err := b.do("PATCH", b.path("configmaps", "b"), `{"metadata":{"labels":{"applyset.kubernetes.io/part-of":null}}}`); err != nil {
		t.Fatal(err)
	}
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a", "skipped ConfigMap b")
	if !b.exists(b.path("configmaps", "b")) {
		t.Error("the detached ConfigMap was deleted")
	}
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a")
}

func TestDeleteRemovesMembersAndParent(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"))
	for i, want := range []int{2, 0} {
		result, err := b.Delete(t.Context(), b.set().ID)
		if err != nil || result.Count(Deleted) != want {
			t.Errorf("call %d: %v, %v, want %d deleted", i, actions(result), err, want)
		}
	}
	for _, path := range []string{b.path("configmaps", "a"), b.path("secrets", "the-set")} {
		if b.exists(path) {
			t.Errorf("%s is still there", path)
		}
	}
}
