package apply

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWatchesDoWithoutWhatIsForbidden(t *testing.T) {
	forbidden := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`
	for name, paths := range map[string][]string{
		"a kind": {"/api/v1/configmaps"}, "the parents": {"/api/v1/secrets"}, "all": {"/api/v1/configmaps", "/api/v1/secrets", "/api/v1/services"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Options{})
			b = b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
				if slices.Contains(paths, r.URL.Path) {
					return answerWith(r, 403, forbidden), nil
				}
				return next.RoundTrip(r)
			})
			h := b.hub()
			for _, name := range []string{"one", "two"} {
				w := b.watchedBy(h, name)
				w.applyOf(configMap(t, name, "1"), service(t, name))
				w.await()
				w.applyOf(configMap(t, name, "1"), service(t, name))
				b.wantCounts(map[string]int{})
				w.wantNoOther(name)
			}
		})
	}
}

// An inventory of which the hub does not know yet is a conflict, and then it is asked for.
func TestWatchesAskWhereTheHubIsLate(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	b.watchedBy(h, "one").applyOf(configMap(t, "marker", "1"))
	late := b.watchedBy(h, "late") // of which it knows that there is none
	theirs := Set{ID: late.watch.id, Objects: []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1")}}
	if _, err := b.elsewhere().Apply(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	late.awaitThat("it is known", func() bool { return !late.watch.sightings[parentKey].gone() })
	h.mu.Lock() // and has it forgotten, as if the event were on its way
	delete(late.watch.sightings, parentKey)
	h.mu.Unlock()
	b.Take()
	wantActions(t, late.applyOf(configMap(t, "a", "1")), "configured ConfigMap a", "pruned ConfigMap b")
	b.wantCounts(map[string]int{"POST inventory": 1, "GET inventory": 1, "PUT inventory": 2, "PATCH": 1, "DELETE": 1})

	// A set without objects would write nothing, and not find out.
	h.mu.Lock()
	late.watch.parent = &parent{Applier: late.Applier, id: late.watch.id}
	late.watch.was = newInventory()
	delete(late.watch.sightings, parentKey)
	h.mu.Unlock()
	result, err := late.watch.Apply(t.Context(), Set{ID: late.watch.id, AllowEmpty: true})
	if err != nil {
		t.Fatal(err)
	}
	wantActions(t, result, "pruned ConfigMap a")
}

func TestWatchesTakeNoSecretForAnInventory(t *testing.T) {
	b := newBench(t, Options{})
	w := b.watchedBy(b.hub(), "taken")
	b.must("POST", "/api/v1/namespaces/"+b.namespace+"/secrets", `{"metadata":{"name":"taken"}}`)
	_, err := w.watch.Apply(t.Context(), Set{ID: w.watch.id, Objects: []*unstructured.Unstructured{configMap(t, "a", "1")}})
	if !errors.Is(err, ErrNotParent) {
		t.Errorf("the error is %v", err)
	}
	if b.exists(b.path("configmaps", "a")) {
		t.Error("it was applied without an inventory")
	}
}

// What the hub does not tell in time is asked for, and nothing waits for it again.
func TestWatchesDoNotWaitForWhatDoesNotCome(t *testing.T) {
	b := newBench(t, Options{})
	var tried atomic.Int32
	b = b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if r.URL.Path == "/api/v1/services" {
			tried.Add(1)
			return nil, syscall.ECONNREFUSED
		}
		return next.RoundTrip(r)
	})
	h := b.hub()
	h.firstPatience = 200 * time.Millisecond
	for i, want := range []map[string]int{
		{"LIST": 2, "WATCH": 2, "discovery": 1, "GET": 1, "PATCH": 2, "POST inventory": 1, "PUT inventory": 1},
		{"GET": 1, "PATCH": 2, "POST inventory": 1, "PUT inventory": 1},
	} {
		name := fmt.Sprint("set-", i)
		w := b.watchedBy(h, name)
		w.applyOf(configMap(t, name, "1"), service(t, name))
		b.wantCounts(want)
	}
	if tried.Load() == 0 {
		t.Error("it did not try to follow Services")
	}
}
