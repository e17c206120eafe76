package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func TestWatchLooksForAnObjectThatIsGone(t *testing.T) {
	b := newWatchBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "marker", "1"))
	b.await()
	b.must("DELETE", b.path("configmaps", "a"), "")
	b.awaitThat("a is gone", func() bool {
		return b.watch.sightings[Ref{Kind: "ConfigMap", Namespace: b.namespace, Name: "a"}].gone()
	})
	other := Set{ID: ID{Namespace: b.namespace, Name: "other"}, Objects: []*unstructured.Unstructured{configMap(t, "a", "2")}}
	if _, err := b.Applier.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	b.Take()
	if _, err := b.watch.Apply(t.Context(), b.set(configMap(t, "a", "1"), configMap(t, "marker", "1"))); !errors.Is(err, ErrOwned) {
		t.Errorf("the error is %v", err)
	}
	b.wantDrift("ConfigMap ns/a: detached by gitopskit")
}

func TestWatchAsksWhereAnAnswerWasLost(t *testing.T) {
	b := newBench(t, Options{})
	var lose atomic.Bool
	w := b.tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if lose.Load() && isWatch(r) {
			return nil, syscall.ECONNREFUSED
		}
		resp, err := next.RoundTrip(r)
		if err == nil && r.Method == "PATCH" && lose.Load() {
			_ = resp.Body.Close()
			return nil, syscall.ECONNRESET
		}
		return resp, err
	}).watched()
	w.apply(configMap(t, "a", "1"))
	w.await()
	lose.Store(true)
	if _, err := w.watch.Apply(t.Context(), w.set(configMap(t, "a", "2"))); err == nil {
		t.Error("no error")
	}
	lose.Store(false)
	wantActions(t, w.apply(configMap(t, "a", "1")), "configured ConfigMap a")
}

func TestResourceVersionsAreCompared(t *testing.T) {
	for _, test := range []struct {
		was, answer string
		want        string // the version that is known then
	}{
		{"9", "10", "10"}, {"10", "9", "10"}, {"10", "10", "10"}, {"a", "b", ""}, {"a", "a", "a"}, {"", "b", "b"},
	} {
		w := newWatch(nil, ID{}, new(sync.Mutex), &shared{most: 10})
		key := Ref{Kind: "ConfigMap", Name: "a"}
		w.sightings[key] = &sighting{version: test.was, object: &partialObject{ObjectMeta: metav1.ObjectMeta{ResourceVersion: test.was}}}
		w.put(key, &partialObject{ObjectMeta: metav1.ObjectMeta{ResourceVersion: test.answer}})
		if got := w.sightings[key].version; got != test.want {
			t.Errorf("%q and then the answer %q: it knows %q, want %q", test.was, test.answer, got, test.want)
		}
	}
}

func TestWatchIsSmall(t *testing.T) {
	const members = 10_000
	b := newBench(t, Options{})
	w, f := newWatch(b.Applier, ID{}, new(sync.Mutex), &shared{most: 4096}), following{resource: configMaps, labels: partOfLabel}
	s := &stream{following: f}
	w.streams[f] = s
	b.apply(configMap(t, "a", "1"))
	event0, err := json.Marshal(b.seen(b.path("configmaps", "a")))
	if err != nil {
		t.Fatal(err)
	}
	before := inUse()
	for i := range members {
		var o partialObject // each with texts of its own, as it is read from a stream
		if err := json.Unmarshal(event0, &o); err != nil {
			t.Fatal(err)
		}
		o.Name, o.UID, o.ResourceVersion = fmt.Sprint("some-config-map-", i), types.UID(fmt.Sprintf("%036d", i)), fmt.Sprint(1_000_000+i)
		if err := w.see(t.Context(), s, event{what: eventPresent, object: &o}); err != nil {
			t.Fatal(err)
		}
		w.remember([]*member{{ref: f.ref(&o), object: configMap(t, o.Name, "1").Object}})
	}
	w.settle()
	bytes := (inUse() - before) / members
	t.Logf("%d bytes a member", bytes)
	if bytes > 2048 {
		t.Errorf("%d bytes a member", bytes)
	}
	runtime.KeepAlive(w)
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
