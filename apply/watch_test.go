package apply

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A watchBench is a bench whose set is watched.
type watchBench struct {
	*bench
	watch *Watch
}

func newWatchBench(t *testing.T, opts Options) *watchBench { return newBench(t, opts).watched() }

func (b *bench) watched() *watchBench {
	b.t.Helper()
	w, err := b.Applier.Watch(b.t.Context(), b.set().ID)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(w.Close)
	return &watchBench{b, w}
}

func (b *watchBench) apply(objects ...*unstructured.Unstructured) *Result {
	b.t.Helper()
	result, err := b.watch.Apply(b.t.Context(), b.set(objects...))
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

// await waits until all streams are open and have told all, and forgets what was sent until then.
func (b *watchBench) await() {
	b.t.Helper()
	b.awaitThat("all is watched", func() bool {
		for _, s := range b.watch.streams {
			if !s.listed || !s.pulse.open() {
				return false
			}
		}
		return true
	})
	b.Take()
}

func (b *watchBench) awaitThat(what string, is func() bool) {
	b.t.Helper()
	for range 6000 {
		b.watch.mu.Lock()
		yes := is()
		b.watch.mu.Unlock()
		if yes {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.t.Fatalf("it never came to be that %s", what)
}

// wantDrift wants Drift to tell all of these lines, in one call or in more, and no others.
func (b *watchBench) wantDrift(want ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	left := slices.Clone(want)
	for len(left) > 0 {
		drifts, err := b.watch.Drift(ctx)
		if err != nil {
			b.t.Fatalf("%v, before it told %q", err, left)
		}
		for _, d := range drifts {
			line := strings.ReplaceAll(d.String(), b.namespace, "ns")
			if d.What != DriftTerminating && !slices.Contains(want, line) { // definitions are terminating for a while
				b.t.Fatalf("Drift told %q, want %q", line, want)
			}
			left = slices.DeleteFunc(left, func(l string) bool { return l == line })
		}
	}
}

// wantNoOther has an object drift, and wants Drift to tell that as the first thing: nothing else is left to be told.
func (b *watchBench) wantNoOther(name string) {
	b.t.Helper()
	b.changed("configmaps", name, fmt.Sprintf(`{"data":{"last":%q}}`, rand.Text()))
	b.wantDrift("ConfigMap ns/" + name + ": changed by tool")
}

// changed changes an object by the manager "tool".
func (b *bench) changed(plural, name, body string) {
	b.t.Helper()
	b.tool("tool", "PATCH", b.path(plural, name), mergePatch, []byte(body))
}

// eachWatch runs a test with a Watch of its own streams, and with one that shares a hub's.
func eachWatch(t *testing.T, test func(*testing.T, func(*bench) *watchBench)) {
	t.Run("alone", func(t *testing.T) { test(t, (*bench).watched) })
	t.Run("in a hub", func(t *testing.T) {
		test(t, func(b *bench) *watchBench {
			h := b.hub()
			b.watchedBy(h, "another").applyOf(configMap(b.t, "of-another", "1"))
			return b.watchedBy(h, b.set().ID.Name)
		})
	})
}

func TestWatchSendsNothingWhereNothingIsToBeDone(t *testing.T) {
	eachWatch(t, testWatchSendsNothing)
}

func testWatchSendsNothing(t *testing.T, watched func(*bench) *watchBench) {
	b := watched(newBench(t, Options{}))
	objects := func(value string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(t, "a", value), configMap(t, "marker", "1"), deployment(t, "web", "nginx:"+value), service(t, "web")}
	}
	b.apply(objects("1")...)
	b.await()
	for i := range 20 {
		value := fmt.Sprint(i + 2)
		wantActions(t, b.apply(objects(value)...), "configured ConfigMap a", "unchanged ConfigMap marker", "configured Deployment web", "unchanged Service web")
		wantRequests(t, b.Take(), map[string]int{"PATCH": 2, "PUT inventory": 2})
		for range 3 { // be the events of these changes told already or not
			wantActions(t, b.apply(objects(value)...), "unchanged ConfigMap a", "unchanged ConfigMap marker", "unchanged Deployment web", "unchanged Service web")
		}
		wantRequests(t, b.Take(), map[string]int{})
	}
	b.wantNoOther("marker")
}

func TestWatchKnowsAnotherApplier(t *testing.T) { eachWatch(t, testWatchKnowsAnotherApplier) }

func testWatchKnowsAnotherApplier(t *testing.T, watched func(*bench) *watchBench) {
	b := watched(newBench(t, Options{}))
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"))
	b.await()
	other := b.bench.again()
	other.opts.FieldManager = "other"
	other.apply(configMap(t, "a", "2"), configMap(t, "c", "1"))
	b.wantDrift("ConfigMap ns/a: changed by other", "ConfigMap ns/b: deleted", "Secret ns/the-set: changed by other")
	b.Take()
	wantActions(t, b.apply(configMap(t, "a", "2"), configMap(t, "c", "1")), "configured ConfigMap a", "configured ConfigMap c")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "PATCH": 2, "PUT inventory": 2})
	b.apply(configMap(t, "a", "2"), configMap(t, "c", "1"))
	wantRequests(t, b.Take(), map[string]int{})

	// One that writes while this one is at work.
	var once atomic.Bool
	b.Before = func(r *http.Request) error {
		if r.Method == "PUT" && once.CompareAndSwap(false, true) {
			b.tool("another", "PATCH", b.path("secrets", "the-set"), mergePatch, []byte(`{"metadata":{"annotations":{"a":"b"}}}`))
		}
		return nil
	}
	if _, err := b.watch.Apply(t.Context(), b.set(configMap(t, "a", "3"), configMap(t, "c", "1"))); !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v", err)
	}
	b.Take()
	wantActions(t, b.apply(configMap(t, "a", "3"), configMap(t, "c", "1")), "configured ConfigMap a", "unchanged ConfigMap c")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "PATCH": 1, "PUT inventory": 2})
}

func TestWatchOutlivesItsInventory(t *testing.T) {
	b := newWatchBench(t, Options{})
	b.apply(configMap(t, "a", "1"))
	b.await()
	b.must("DELETE", b.path("secrets", "the-set"), "")
	b.wantDrift("Secret ns/the-set: deleted")
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 1, "POST inventory": 1, "PATCH": 1, "PUT inventory": 1})
	b.apply(configMap(t, "a", "1"))
	wantRequests(t, b.Take(), map[string]int{})
	b.wantNoOther("a")
}

func TestWatchOutlivesItsKinds(t *testing.T) { eachWatch(t, testWatchOutlivesItsKinds) }

func testWatchOutlivesItsKinds(t *testing.T, watched func(*bench) *watchBench) {
	b := watched(newBench(t, Options{}))
	definition, object := b.definition("Namespaced", true)
	objects := []*unstructured.Unstructured{definition, object, configMap(t, "marker", "1")}
	b.apply(objects...)
	b.await()
	kind, name := object.GetKind(), definition.GetName()
	for range 2 {
		b.must("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+name, "")
		b.wantDrift("CustomResourceDefinition.apiextensions.k8s.io "+name+": deleted",
			kind+".example.com ns/one: deleted")
		result := b.apply(objects...)
		if got := result.Counts(); got != "2 created, 1 unchanged" {
			t.Errorf("%s", got)
		}
		b.await()
		b.apply(objects...)
		wantRequests(t, b.Take(), map[string]int{})
		b.wantNoOther("marker")
		b.apply(objects...)
	}
}

func TestWatchFollowsKindsThatComeAndForgetsThoseThatGo(t *testing.T) {
	b := newWatchBench(t, Options{})
	b.apply(configMap(t, "a", "1"))
	b.apply(configMap(t, "a", "1"), service(t, "web"))
	b.await()
	b.must("DELETE", b.path("services", "web"), "")
	b.wantDrift("Service ns/web: deleted")
	b.apply(configMap(t, "a", "1"))
	for f := range b.watch.streams {
		if f.resource.Kind == "Service" {
			t.Errorf("%s are still followed", f)
		}
	}
	if n := len(b.watch.sightings) + len(b.watch.keepsakes); n != 3 {
		t.Errorf("it keeps %v, %v", b.watch.sightings, b.watch.keepsakes)
	}
	b.Take()
	b.apply(configMap(t, "a", "1"))
	wantRequests(t, b.Take(), map[string]int{})
}

func TestWatchFollowsFewNamespacesOneByOne(t *testing.T) {
	b := newWatchBench(t, Options{})
	spaces := b.namespaces(fewNamespaces + 1)
	var objects []*unstructured.Unstructured
	for i, space := range spaces {
		objects = append(objects, in(space, configMap(t, "a", "1")))
		b.apply(objects...)
		b.await()
		want := i + 1
		if want > fewNamespaces {
			want = 1
		}
		if n := len(b.watch.streams) - 1; n != want {
			t.Errorf("%d objects: %d followings, want %d", i+1, n, want)
		}
		b.apply(objects...)
		wantRequests(t, b.Take(), map[string]int{})
	}
	b.must("DELETE", "/api/v1/namespaces/"+spaces[0]+"/configmaps/a", "")
	b.wantDrift("ConfigMap " + strings.ReplaceAll(spaces[0], b.namespace, "ns") + "/a: deleted")
}

func TestWatchOutlivesTrouble(t *testing.T) { eachWatch(t, testWatchOutlivesTrouble) }

func testWatchOutlivesTrouble(t *testing.T, watched func(*bench) *watchBench) {
	refuse := func(code int, body string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) { return answerWith(r, code, body), nil }
	}
	for name, trouble := range map[string]func(*http.Request) (*http.Response, error){
		"a server that forgot":       refuse(410, expired),
		"a server that is not there": func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED },
		"a server that is too busy":  refuse(503, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":503}`),
	} {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Pointer[chan struct{}]
			cut := make(chan struct{})
			broken.Store(&cut)
			var troubled atomic.Bool
			b := watched(newBench(t, Options{}).tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if !isWatch(r) {
					return next.RoundTrip(r)
				}
				if troubled.Load() {
					return trouble(r)
				}
				resp, err := next.RoundTrip(r)
				if err == nil {
					resp.Body = &breakingBody{resp.Body, *broken.Load()}
				}
				return resp, err
			}))
			objects := []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1"), service(t, "web")}
			b.apply(objects...)
			b.await()
			troubled.Store(true)
			whole := make(chan struct{})
			broken.Store(&whole)
			close(cut)
			b.awaitThat("the watches are lost", func() bool {
				return !b.watch.current(parentKey) && !b.watch.current(refOf(in(b.namespace, objects[0])))
			})
			b.changed("configmaps", "a", `{"data":{"key":"2"}}`)
			result := b.apply(objects[:3]...) // by requests, as nothing else tells
			wantActions(t, result, "configured ConfigMap a", "unchanged ConfigMap b", "unchanged ConfigMap c", "pruned Service web")
			b.changed("configmaps", "b", `{"data":{"key":"2"}}`)
			b.must("DELETE", b.path("configmaps", "c"), "")
			troubled.Store(false)
			b.wantDrift("ConfigMap ns/b: changed by tool", "ConfigMap ns/c: deleted")
			b.await()
			b.apply(objects[:3]...)
			wantRequests(t, b.Take(), map[string]int{"PATCH": 2, "PUT inventory": 1})
			b.wantNoOther("a")
		})
	}
}

func TestWatchWithoutTheRightToSeeAllNamespaces(t *testing.T) {
	b := newBench(t, Options{})
	spaces := b.namespaces(fewNamespaces + 1)
	var objects []*unstructured.Unstructured
	for _, space := range spaces {
		objects = append(objects, in(space, configMap(t, "a", "1")))
	}
	w := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.URL.Path == "/api/v1/configmaps" {
			return answerWith(r, 403, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`), nil
		}
		return next.RoundTrip(r)
	}).watched()
	w.apply(objects...)
	w.awaitThat("each is watched", func() bool { return len(w.watch.streams) == 1+len(spaces) })
	w.await()
	w.apply(objects...)
	wantRequests(t, w.Take(), map[string]int{})
}

func TestWatchSendsAllWhenItIsTime(t *testing.T) {
	b := newWatchBench(t, Options{RevalidateAfter: time.Nanosecond})
	b.apply(configMap(t, "a", "1"))
	b.await()
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a")
	if n := testbed.Count(b.Take(), "PATCH"); n != 1 {
		t.Errorf("%d PATCHes", n)
	}
}

func TestWatchEndsWithoutARest(t *testing.T) {
	b := newBench(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	w, err := b.Applier.Watch(ctx, b.set().ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Apply(t.Context(), b.set(configMap(t, "a", "1"))); err != nil {
		t.Fatal(err)
	}
	told := make(chan error)
	go func() { _, err := w.Drift(t.Context()); told <- err }()
	enough := errors.New("enough")
	cancel(enough)
	if err := <-told; !errors.Is(err, enough) || !strings.Contains(err.Error(), "watching "+b.set().ID.String()) {
		t.Errorf("the error is %v", err)
	}
	wantNoGoroutines(t)
	b.Take()
	if _, err := w.Apply(t.Context(), b.set(configMap(t, "a", "1"))); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 1})

	w = b.watched().watch
	w.Close()
	w.Close()
	wantNoGoroutines(t)
	if _, err := w.Drift(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("the error is %v", err)
	}
}

func TestWatchRefusesAnotherSet(t *testing.T) {
	b := newWatchBench(t, Options{})
	result, err := b.watch.Apply(t.Context(), Set{ID: ID{Namespace: b.namespace, Name: "other"}})
	if !errors.Is(err, ErrInvalid) || result == nil {
		t.Errorf("the error is %v", err)
	}
	if _, err := b.Applier.Watch(t.Context(), ID{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.watch.Drift(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// Managed fields are the same text in an event, which is JSON, and in an answer, which is protobuf.
// The size of what is kept, which is logged, is of objects as like each other as those of one chart.
// inUse returns the bytes of the heap that are in use.

func TestWatchAppliesAPlanFromWhatTheServerSays(t *testing.T) {
	b := newWatchBench(t, Options{})
	b.apply(configMap(t, "a", "1"), service(t, "web"))
	b.await()
	set := b.set(configMap(t, "a", "2"), service(t, "web"))
	plan, err := b.Plan(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	set.Plan = plan
	b.Take()
	result, err := b.watch.Apply(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	wantActions(t, result, "configured ConfigMap a", "unchanged Service web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 2, "PATCH": 1, "PUT inventory": 2})
	set.Plan = nil
	if _, err := b.watch.Apply(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, b.Take(), map[string]int{})
}
