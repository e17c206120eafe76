package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// hub returns Watches that end with the test.
func (b *bench) hub() *Watches {
	b.t.Helper()
	h := b.Watches(b.t.Context())
	b.t.Cleanup(h.Close)
	return h
}

// watchedBy a hub is a set of the bench's namespace, with any name.
func (b *bench) watchedBy(h *Watches, name string) *watchBench {
	b.t.Helper()
	w, err := h.Watch(b.t.Context(), ID{Namespace: b.namespace, Name: name})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(w.Close)
	return &watchBench{b, w}
}

// applyOf applies the watched set, whatever its name.
func (b *watchBench) applyOf(objects ...*unstructured.Unstructured) *Result {
	b.t.Helper()
	result, err := b.watch.Apply(b.t.Context(), Set{ID: b.watch.id, Objects: objects})
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

// wantCounts compares counts of requests as wantRequests does, of sets with any name, and has the WATCHes apart. The pages of a LIST are one.
func (b *bench) wantCounts(want map[string]int) {
	b.t.Helper()
	b.wantLines(b.Take(), want)
}

func (b *bench) wantLines(lines []string, want map[string]int) {
	b.t.Helper()
	counts := make(map[string]int)
	for _, line := range lines {
		verb, uri, _ := strings.Cut(line, " ")
		switch {
		case strings.Contains(uri, "continue="): // a page more, of what other tests have left
			continue
		case strings.Contains(uri, "watch=true"):
			verb = "WATCH"
		case strings.Contains(uri, "labelSelector="):
			verb = "LIST"
		case strings.Contains(uri, "/secrets"):
			verb += " inventory"
		case uri == "/api" || uri == "/apis":
			verb = "discovery"
		}
		counts[verb]++
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		b.t.Errorf("requests are %v, want %v:\n%s", counts, want, strings.Join(lines, "\n"))
	}
}

func TestWatchesFirstApplyCostsItsPatchesAndTwoWrites(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	objects := func(name string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap(t, name, "1"), configMap(t, name+"-more", "1"), service(t, name), deployment(t, name, "nginx:1")}
	}
	first := b.watchedBy(h, "first")
	wantActions(t, first.applyOf(objects("first")...), "created ConfigMap first", "created ConfigMap first-more", "created Service first", "created Deployment first")
	b.wantCounts(map[string]int{"LIST": 4, "WATCH": 4, "discovery": 2, "PATCH": 4, "POST inventory": 1, "PUT inventory": 1})
	for i := range 5 {
		name := fmt.Sprint("set-", i)
		w := b.watchedBy(h, name)
		w.applyOf(objects(name)...)
		b.wantCounts(map[string]int{"PATCH": 4, "POST inventory": 1, "PUT inventory": 1})
		w.applyOf(objects(name)...)
		b.wantCounts(map[string]int{})
		w.applyOf(append(objects(name), configMap(t, name+"-new", "1"))...)
		b.wantCounts(map[string]int{"PATCH": 1, "PUT inventory": 2})
		w.applyOf(objects(name)...)
		b.wantCounts(map[string]int{"DELETE": 1, "PUT inventory": 2})
	}
	first.applyOf(objects("first")...)
	b.wantCounts(map[string]int{})
}

func TestWatchesOfANewProcessReadTheInventoriesAndNothingElse(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	for _, name := range []string{"a", "b", "c"} {
		b.watchedBy(h, name).applyOf(configMap(t, name, "1"), service(t, name))
	}
	h.Close()
	n := b.again()
	n.Take()
	h = n.hub()
	for i, name := range []string{"a", "b", "c"} {
		w := n.watchedBy(h, name)
		wantActions(t, w.applyOf(configMap(t, name, "1"), service(t, name)), "unchanged ConfigMap "+name, "unchanged Service "+name)
		if i == 0 {
			n.wantCounts(map[string]int{"GET inventory": 1, "LIST": 3, "WATCH": 3})
			continue
		}
		n.wantCounts(map[string]int{"GET inventory": 1})
	}
}

func TestWatchesTellEachSetOfItsOwnDrift(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	one, two := b.watchedBy(h, "one"), b.watchedBy(h, "two")
	one.applyOf(configMap(t, "one", "1"), configMap(t, "one-more", "1"))
	two.applyOf(configMap(t, "two", "1"), service(t, "two"))
	b.Take()
	b.changed("configmaps", "one", `{"data":{"key":"2"}}`)
	one.wantDrift("ConfigMap ns/one: changed by tool")
	b.must("DELETE", b.path("services", "two"), "")
	two.wantDrift("Service ns/two: deleted")
	wantActions(t, one.applyOf(configMap(t, "one", "1"), configMap(t, "one-more", "1")), "configured ConfigMap one", "unchanged ConfigMap one-more")
	wantActions(t, two.applyOf(configMap(t, "two", "1"), service(t, "two")), "unchanged ConfigMap two", "created Service two")
	b.wantCounts(map[string]int{"GET": 1, "PATCH": 2, "PUT inventory": 2}) // the GET tells that the Service was deleted
	one.awaitThat("all is told", func() bool { return len(one.watch.moved)+len(two.watch.moved) == 0 })
	one.wantNoOther("one-more")
	two.wantNoOther("two")

	// An object that another takes over is one's loss.
	label := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, partOfLabel, two.watch.label)
	b.changed("configmaps", "one", label)
	one.wantDrift("ConfigMap ns/one: detached by tool")
	_, err := one.watch.Apply(t.Context(), Set{ID: one.watch.id, Objects: []*unstructured.Unstructured{configMap(t, "one", "1"), configMap(t, "one-more", "1")}})
	if !errors.Is(err, ErrOwned) || !strings.Contains(err.Error(), b.namespace+"/two") {
		t.Errorf("the error is %v", err)
	}
}

func TestWatchesKnowWhatAnotherSetHas(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	w := b.watchedBy(h, "one")
	w.applyOf(configMap(t, "marker", "1"))
	w.await()
	other := b.elsewhere()
	if _, err := other.Apply(t.Context(), Set{ID: ID{Namespace: b.namespace, Name: "other"}, Objects: []*unstructured.Unstructured{configMap(t, "theirs", "1")}}); err != nil {
		t.Fatal(err)
	}
	key := keyOf(in(b.namespace, configMap(t, "theirs", "1")))
	w.awaitThat("theirs is known", func() bool {
		return w.watch.streams[following{resource: configMaps, labels: partOfLabel}].feed.objects[key] != nil
	})
	b.Take()
	_, err := w.watch.Apply(t.Context(), Set{ID: w.watch.id, Objects: []*unstructured.Unstructured{configMap(t, "marker", "1"), configMap(t, "theirs", "2")}})
	if !errors.Is(err, ErrOwned) {
		t.Errorf("the error is %v", err)
	}
	if n := len(b.Take()); n == 0 {
		t.Error("it believed the hub, which may be late")
	}
	// What the other gives up may be had at once, whatever the hub knows.
	if _, err := other.Delete(t.Context(), ID{Namespace: b.namespace, Name: "other"}); err != nil {
		t.Fatal(err)
	}
	w.applyOf(configMap(t, "marker", "1"), configMap(t, "theirs", "2"))
}

// elsewhere is another process's applier.
func (b *bench) elsewhere() *Applier {
	return newApplier(b.t, b.config, Options{FieldManager: "elsewhere"})
}

func TestWatchesAskWhereAFreeObjectMatters(t *testing.T) {
	for name, c := range map[string]struct {
		opts       Options
		note       string
		want       error
		wantsValue string
	}{
		"adopting none":     {Options{Adopt: AdoptNone}, "", ErrExists, "theirs"},
		"creating only":     {Options{}, "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent", nil, "theirs"},
		"adopting the free": {Options{}, "", nil, "ours"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.opts)
			b.must("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"free"},"data":{"key":"theirs"}}`)
			w := b.watchedBy(b.hub(), "one")
			text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: free, annotations: {%s}}\ndata: {key: ours}", c.note)
			_, err := w.watch.Apply(t.Context(), Set{ID: w.watch.id, Objects: []*unstructured.Unstructured{manifest(t, text)}})
			if !errors.Is(err, c.want) {
				t.Fatalf("the error is %v, want %v", err, c.want)
			}
			if value := b.data("free"); value != c.wantsValue {
				t.Errorf("the value is %q, want %q", value, c.wantsValue)
			}
		})
	}
}

// data returns what a ConfigMap has for "key".
func (b *bench) data(name string) string {
	b.t.Helper()
	var o struct{ Data map[string]string }
	if err := newApplier(b.t, b.config, Options{}).client.getJSON(b.t.Context(), configMaps.path(b.namespace, name), "application/json", &o); err != nil {
		b.t.Fatal(err)
	}
	return o.Data["key"]
}

func TestWatchesLetGoWhatNobodyHas(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	one, two := b.watchedBy(h, "one"), b.watchedBy(h, "two")
	one.applyOf(configMap(t, "one", "1"), service(t, "one"))
	two.applyOf(configMap(t, "two", "1"), service(t, "two"))
	kinds := func() (all []string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for k := range h.streams {
			all = append(all, k.Kind+" "+k.labels)
		}
		slices.Sort(all)
		return all
	}
	want := func(kinds, want []string) {
		t.Helper()
		if !slices.Equal(kinds, want) {
			t.Errorf("it follows %q, want %q", kinds, want)
		}
	}
	want(kinds(), []string{"ConfigMap " + partOfLabel, "Secret " + idLabel, "Service " + partOfLabel})
	one.applyOf(configMap(t, "one", "1"))
	want(kinds(), []string{"ConfigMap " + partOfLabel, "Secret " + idLabel, "Service " + partOfLabel})
	two.applyOf(configMap(t, "two", "1"))
	want(kinds(), []string{"ConfigMap " + partOfLabel, "Secret " + idLabel})
	one.watch.Close()
	want(kinds(), []string{"ConfigMap " + partOfLabel, "Secret " + idLabel})
	two.watch.Close()
	want(kinds(), nil)
	if len(h.sets) != 0 {
		t.Errorf("it keeps %v", h.sets)
	}
}

func TestWatchesEndWithoutARest(t *testing.T) {
	b := newBench(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	h := b.Watches(ctx)
	w := b.watchedBy(h, "one")
	w.applyOf(configMap(t, "a", "1"))
	told := make(chan error)
	go func() { _, err := w.watch.Drift(t.Context()); told <- err }()
	enough := errors.New("enough")
	cancel(enough)
	if err := <-told; !errors.Is(err, enough) {
		t.Errorf("the error is %v", err)
	}
	h.Close()
	wantNoGoroutines(t)
	b.Take()
	w.applyOf(configMap(t, "a", "1"))
	b.wantCounts(map[string]int{"GET inventory": 1, "GET": 1})
	if _, err := h.Watch(t.Context(), w.watch.id); !errors.Is(err, enough) {
		t.Errorf("the error is %v", err)
	}

	h = b.Watches(t.Context())
	alone, end := context.WithCancelCause(t.Context())
	short, err := h.Watch(alone, ID{Namespace: b.namespace, Name: "short"})
	if err != nil {
		t.Fatal(err)
	}
	long := b.watchedBy(h, "one")
	end(enough)
	<-short.left
	if _, err := short.Drift(t.Context()); !errors.Is(err, enough) {
		t.Errorf("the error is %v", err)
	}
	short.Close()
	long.applyOf(configMap(t, "a", "1"))
	h.Close()
	h.Close()
	wantNoGoroutines(t)
	if _, err := long.watch.Drift(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("the error is %v", err)
	}
}

func TestWatchesFollowAKindOnceWhateverItsVersion(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	scaler := func(name, version string) *unstructured.Unstructured {
		return manifest(t, fmt.Sprintf("apiVersion: autoscaling/%s\nkind: HorizontalPodAutoscaler\nmetadata: {name: %s}\nspec: "+
			"{maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}", version, name))
	}
	one, two := b.watchedBy(h, "one"), b.watchedBy(h, "two")
	one.applyOf(scaler("one", "v1"), configMap(t, "marker", "1"))
	b.Take()
	two.applyOf(scaler("two", "v2"))
	b.wantCounts(map[string]int{"PATCH": 1, "POST inventory": 1, "PUT inventory": 1})
	one.applyOf(scaler("one", "v2"), configMap(t, "marker", "1"))
	two.applyOf(scaler("two", "v1"))
	b.Take()
	one.applyOf(scaler("one", "v2"), configMap(t, "marker", "1"))
	two.applyOf(scaler("two", "v1"))
	b.wantCounts(map[string]int{})
	if len(h.streams) != 3 {
		t.Errorf("it follows %v", slices.Collect(maps.Keys(h.streams)))
	}
	b.must("DELETE", "/apis/autoscaling/v1/namespaces/"+b.namespace+"/horizontalpodautoscalers/two", "")
	two.wantDrift("HorizontalPodAutoscaler.autoscaling ns/two: deleted")
	one.wantNoOther("marker")
}
