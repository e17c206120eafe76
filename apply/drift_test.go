package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWatchTellsEachDriftAndMendsItByOnePatch(t *testing.T) {
	b := newWatchBench(t, Options{})
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web"), configMap(t, "marker", "1")}
	b.apply(objects...)
	b.await()
	for _, test := range []struct{ name, verb, plural, object, body, drift, want string }{
		{"deleted", "DELETE", "services", "web", "", "Service ns/web: deleted", "created Service web"},
		{"data changed", "PATCH", "configmaps", "a", `{"data":{"key":"other"}}`, "ConfigMap ns/a: changed by tool", "configured ConfigMap a"},
		{"data added", "PATCH", "configmaps", "a", `{"data":{"more":"1"}}`, "ConfigMap ns/a: changed by tool", ""},
		{"spec changed", "PATCH", "deployments", "web", `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"evil"}]}}}}`,
			"Deployment.apps ns/web: changed by tool", "configured Deployment web"},
		{"label changed", "PATCH", "deployments", "web", `{"metadata":{"labels":{"app":"other"}}}`, "Deployment.apps ns/web: changed by tool", "configured Deployment web"},
		{"the set's label taken away", "PATCH", "deployments", "web", `{"metadata":{"labels":{"applyset.kubernetes.io/part-of":null}}}`,
			"Deployment.apps ns/web: detached", "configured Deployment web"}, // who takes a field away manages nothing
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.verb == "PATCH" {
				b.changed(test.plural, test.object, test.body)
			} else {
				b.must(test.verb, b.path(test.plural, test.object), "")
			}
			b.wantDrift(test.drift)
			b.Take()
			version := b.watch.version
			result := b.apply(objects...)
			changed := slices.DeleteFunc(actions(result), func(a string) bool { return strings.HasPrefix(a, "unchanged") })
			if got := strings.Join(changed, ", "); got != test.want {
				t.Errorf("changes are %q, want %q", got, test.want)
			}
			sent := b.Take()
			if b.watch.version == version { // the object is again just as it was, to the second
				sent = append(sent, "PUT /secrets/the-set")
			}
			wantRequests(t, sent, map[string]int{"PATCH": 1, "PUT inventory": 1})
			b.apply(objects...)
			wantRequests(t, b.Take(), map[string]int{})
		})
	}
	b.wantNoOther("marker")
}

func TestWatchTellsNothingOfWhatApplyWouldLeave(t *testing.T) {
	b := newWatchBench(t, Options{Ignore: []IgnoreRule{{Kind: "Deployment", Pointers: []string{"/spec/replicas"}}}})
	web := deployment(t, "web", "nginx:1")
	if err := unstructured.SetNestedField(web.Object, int64(1), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	unmanaged := annotated1(configMap(t, "unmanaged", "1"), fluxPrefix+"ssa", "IfNotPresent")
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), web, service(t, "web"), unmanaged}
	b.apply(objects...)
	b.await()
	b.changed("deployments", "web", `{"spec":{"replicas":3}}`)
	b.wantDrift("Deployment.apps ns/web: changed by tool") // the field was the set's until now
	b.apply(objects...)
	b.changed("deployments", "web", `{"spec":{"replicas":4}}`)
	b.must("PATCH", b.path("deployments", "web")+"/status", `{"status":{"replicas":3,"observedGeneration":1}}`)
	b.changed("configmaps", "unmanaged", `{"data":{"key":"2"}}`)
	b.wantNoOther("a")
	b.Take()
	b.apply(objects...)
	wantRequests(t, b.Take(), map[string]int{"PATCH": 1, "PUT inventory": 1})
}

func TestWatchTellsNothingThatWentBack(t *testing.T) {
	b := newWatchBench(t, Options{})
	b.apply(deployment(t, "web", "nginx:1"), configMap(t, "marker", "1"))
	b.await()
	last := ""
	for _, metadata := range []string{`{"name":"web","labels":{"a":"b"}}`, `{"name":"web"}`} {
		body := []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":` + metadata + `}`)
		last = b.tool("tool", "PATCH", b.path("deployments", "web"), applyPatch, body).GetResourceVersion()
	}
	b.awaitSeen(Ref{Group: "apps", Kind: "Deployment", Namespace: b.namespace, Name: "web"}, last)
	b.wantNoOther("marker")
}

// awaitSeen waits until the watch has told of an object in the state that has the resourceVersion. In a state before that
// it may have drifted.
func (b *watchBench) awaitSeen(ref Ref, version string) {
	b.t.Helper()
	b.awaitThat(ref.String()+" is seen as it was left", func() bool {
		s := b.watch.sightings[ref]
		return !s.gone() && s.object.ResourceVersion == version
	})
}

func TestWatchTellsWhatIsGoneBeforeItsFirstApply(t *testing.T) {
	b := newBench(t, Options{})
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1")}
	b.apply(objects...)
	b.must("DELETE", b.path("configmaps", "a"), "")
	w := b.watched()
	w.await()
	w.must("DELETE", w.path("configmaps", "b"), "")
	w.changed("configmaps", "c", `{"data":{"key":"2"}}`)
	w.wantDrift("ConfigMap ns/a: deleted", "ConfigMap ns/b: deleted")
	wantActions(t, w.apply(objects...), "created ConfigMap a", "created ConfigMap b", "configured ConfigMap c")
}

func TestWatchTellsNothingOfFieldsThatJSONEscapes(t *testing.T) {
	for _, form := range []string{"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", acceptMetadata} {
		testWatchTellsNothingOfFields(t, newBench(t, Options{}).tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			if isWatch(r) {
				r = r.Clone(r.Context())
				r.Header.Set("Accept", form)
			}
			return next.RoundTrip(r)
		}).watched())
	}
}

func testWatchTellsNothingOfFields(t *testing.T, b *watchBench) {
	t.Helper()
	definition, object := b.definition("Namespaced", true)
	object.Object["spec"] = map[string]any{"a<b>&c\u2028\u00e9\"": "1"}
	b.apply(definition, object, configMap(t, "marker", "1"))
	b.await()
	path := fmt.Sprintf("/apis/example.com/v1/namespaces/%s/%s/one", b.namespace, b.thing("v1").Plural)
	last := ""
	for _, metadata := range []string{`{"name":"one","labels":{"a":"b"}}`, `{"name":"one"}`} {
		body := fmt.Appendf(nil, `{"apiVersion":"example.com/v1","kind":%q,"metadata":%s}`, object.GetKind(), metadata)
		last = b.tool("tool", "PATCH", path, applyPatch, body).GetResourceVersion()
	}
	b.awaitSeen(Ref{Group: "example.com", Kind: object.GetKind(), Namespace: b.namespace, Name: "one"}, last)
	b.wantNoOther("marker")
}

func TestWatchTellsOnceThatItMayNotWatch(t *testing.T) {
	b := newBench(t, Options{})
	var forbidden atomic.Bool
	forbidden.Store(true)
	w := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isWatch(r) && strings.Contains(r.URL.Path, "/configmaps") && forbidden.Load() {
			return answerWith(r, 403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`), nil
		}
		return next.RoundTrip(r)
	}).watched()
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"), service(t, "web")}
	w.apply(objects...)
	if _, err := w.watch.Drift(t.Context()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "watching configmaps in namespace "+b.namespace) {
		t.Errorf("the error is %v", err)
	}
	w.awaitThat("Services are watched", func() bool { return w.watch.current(Ref{Kind: "Service", Namespace: b.namespace, Name: "web"}) })
	w.changed("configmaps", "a", `{"data":{"key":"2"}}`)
	w.must("DELETE", b.path("services", "web"), "")
	w.wantDrift("Service ns/web: deleted") // and not the refusal once more
	wantActions(t, w.apply(objects...), "configured ConfigMap a", "unchanged ConfigMap b", "created Service web")
	forbidden.Store(false)
	w.apply(objects...)
	w.await()
	w.wantNoOther("a")
}

func TestWatchAppliesAndTellsAtOnce(t *testing.T) {
	b := newWatchBench(t, Options{})
	objects := func(value string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(t, "a", value), configMap(t, "b", value), configMap(t, "marker", "1")}
	}
	b.apply(objects("0")...)
	applied := make(chan error)
	for i := range 2 {
		go func() {
			for j := range 20 {
				if _, err := b.watch.Apply(t.Context(), b.set(objects(fmt.Sprint(i*j))...)); err != nil {
					applied <- err
					return
				}
			}
			applied <- nil
		}()
	}
	told := make(chan string)
	go func() {
		defer close(told)
		drifts, err := b.watch.Drift(t.Context())
		told <- fmt.Sprint(drifts, err)
	}()
	for range 2 {
		if err := <-applied; err != nil {
			t.Error(err)
		}
	}
	b.changed("configmaps", "marker", `{"data":{"last":"1"}}`)
	if got, want := <-told, "[ConfigMap "+b.namespace+"/marker: changed by tool] <nil>"; got != want {
		t.Errorf("Drift told %s, want %s", got, want)
	}
}

func TestWatchTellsThatItCouldNotLook(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1"))
	w := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/configmaps/a") {
			return answerWith(r, 403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`), nil
		}
		return next.RoundTrip(r)
	}).watched()
	w.await()
	w.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1"))
	w.must("DELETE", w.path("configmaps", "a"), "")
	w.wantDrift("ConfigMap ns/a: missing")
}

func TestWatchKeepsWhatItCouldNotDescribe(t *testing.T) {
	b := newBench(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var hold atomic.Bool
	w := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if hold.Load() && r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/configmaps/a") {
			cancel()
			return nil, context.Canceled
		}
		return next.RoundTrip(r)
	}).watched()
	w.apply(configMap(t, "a", "1"))
	w.await()
	hold.Store(true)
	w.must("DELETE", w.path("configmaps", "a"), "")
	if _, err := w.watch.Drift(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	hold.Store(false)
	w.wantDrift("ConfigMap ns/a: deleted")
}
