package apply

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A feedBench is a hub whose stream of ConfigMaps a test tells, of a cluster that it makes up.
type feedBench struct {
	*Watches
	stream  *stream
	watches []*Watch
	follower

	version int // of the cluster
	objects map[string]*partialObject
	events  []event // that are on their way
}

func newFeedBench(t testing.TB, sets int) *feedBench {
	h := (&Applier{}).Watches(t.Context())
	t.Cleanup(h.Close)
	b := &feedBench{Watches: h, version: 1000, objects: make(map[string]*partialObject)}
	b.stream = &stream{following: following{resource: configMaps, labels: partOfLabel}, cancel: func() {}, feed: newFeed()}
	h.streams[kindOf(configMaps, partOfLabel)] = b.stream
	for i := range sets {
		b.watches = append(b.watches, b.joined(i))
	}
	b.follower = follower{known: make(map[types.NamespacedName]identity), see: func(e event) error { return h.see(t.Context(), b.stream, e) }}
	return b
}

// joined is a Watch of a set that follows the stream, and the only one of that set.
func (b *feedBench) joined(set int) *Watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := newWatch(b.applier, ID{Namespace: "default", Name: fmt.Sprint("set-", set)}, &b.mu, &b.shared)
	w.hub, w.ctx, w.cancel = b.Watches, b.ctx, func(error) {}
	w.applying = true // as it is when answers come
	b.Watches.sets[w.label] = []*Watch{w}
	b.join(w, b.stream.following)
	return w
}

func (b *feedBench) key(name string) Ref {
	return Ref{Kind: "ConfigMap", Namespace: "default", Name: name}
}

// write has an object be one of the set's, or of none, or be no longer there, and returns the answer.
func (b *feedBench) write(name string, set int, there bool) *partialObject {
	b.version++
	before := b.objects[name]
	if !there {
		if before != nil && before.Labels != nil {
			gone := before.DeepCopy()
			gone.ResourceVersion = strconv.Itoa(b.version)
			b.events = append(b.events, event{what: eventGone, object: gone})
		}
		delete(b.objects, name)
		return nil
	}
	o := &partialObject{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), ResourceVersion: strconv.Itoa(b.version)}}
	if before == nil {
		o.UID = types.UID(name + o.ResourceVersion)
	} else {
		o.UID = before.UID
	}
	if set >= 0 {
		o.Labels = map[string]string{partOfLabel: b.watches[set].label}
	}
	b.objects[name] = o
	switch {
	case o.Labels != nil:
		b.events = append(b.events, event{what: eventPresent, object: o})
	case before != nil && before.Labels != nil: // it is no longer selected
		gone := before.DeepCopy()
		gone.ResourceVersion = o.ResourceVersion
		b.events = append(b.events, event{what: eventGone, object: gone})
	}
	return o
}

// deliver tells the next event; relist all that is there.
func (b *feedBench) deliver(t *testing.T) {
	e := b.events[0]
	b.events = b.events[1:]
	b.at = e.object.GetResourceVersion()
	err := b.gone
	if e.what == eventPresent {
		err = b.present
	}
	if err := err(e.object); err != nil {
		t.Fatal(err)
	}
}

func (b *feedBench) relist(t *testing.T) {
	b.events = nil
	found := make(map[types.NamespacedName]bool)
	for _, o := range b.objects {
		if o.Labels != nil {
			found[keyOf(o)] = true
			if err := b.present(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.at = strconv.Itoa(b.version)
	if err := b.listed(found); err != nil {
		t.Fatal(err)
	}
}

// check wants the feed and all Watches to know the cluster as it is.
func (b *feedBench) check(t *testing.T) {
	t.Helper()
	want := make(map[string]string)
	for name, o := range b.objects {
		if o.Labels != nil {
			want[name] = o.ResourceVersion + " " + o.Labels[partOfLabel]
		}
	}
	known, bySet, sighted := make(map[string]string), make(map[string]string), make(map[string]string)
	for key, is := range b.stream.feed.objects {
		known[key.Name] = is.object.ResourceVersion + " " + is.object.Labels[partOfLabel]
		if !is.told {
			t.Errorf("%s was not told", key.Name)
		}
	}
	for label, all := range b.stream.feed.sets {
		for key, is := range all {
			bySet[key.Name] = is.object.ResourceVersion + " " + label
		}
	}
	for _, w := range b.watches {
		for ref, s := range w.sightings {
			if !s.gone() {
				sighted[ref.Name] = s.object.ResourceVersion + " " + w.label
			}
		}
	}
	for what, got := range map[string]map[string]string{"the feed knows": known, "by set it knows": bySet, "the Watches know": sighted} {
		if !maps.Equal(got, want) {
			t.Fatalf("%s\n%v, want\n%v", what, got, want)
		}
	}
}

// TestFeedKnowsWhatThereIs mixes, at random, changes by whoever, answers that come early or late, events that lag, streams
// that break, and Watches that join: when all is told, all know what there is.
func TestFeedKnowsWhatThereIs(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newFeedBench(t, 3)
		type late struct {
			to     *Watch
			answer *partialObject
		}
		var answers []late
		b.relist(t)
		for range 200 {
			name, set := fmt.Sprint("object-", random.IntN(5)), random.IntN(3)
			switch random.IntN(9) {
			case 0, 1, 2: // a set applies, and gets its answer now or later
				answer := b.write(name, set, true).DeepCopy()
				answers = append(answers, late{b.watches[set], answer})
			case 3: // somebody takes the label off, or deletes
				b.write(name, -1, random.IntN(2) == 0)
			case 4, 5:
				if len(b.events) > 0 {
					b.deliver(t)
				}
			case 6, 7:
				if len(answers) > 0 {
					i := random.IntN(len(answers))
					answers[i].to.note(b.key(answers[i].answer.Name), answers[i].answer)
					answers = append(answers[:i], answers[i+1:]...)
				}
			case 8:
				switch random.IntN(4) {
				case 0:
					b.relist(t)
				case 1: // a Watch is closed, and another of the set begins
					b.watches[set] = b.joined(set)
				}
			}
		}
		for len(b.events) > 0 {
			b.deliver(t)
		}
		if random.IntN(2) == 0 {
			b.relist(t)
		}
		b.check(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestFeedTakesNoAnswerThatComesAfterTheEnd(t *testing.T) {
	b := newFeedBench(t, 2)
	b.relist(t)
	answer := b.write("a", 0, true)
	b.write("a", 0, false)
	for len(b.events) > 0 {
		b.deliver(t)
	}
	b.watches[0].note(b.key("a"), answer)
	if !b.stream.feed.free(b.key("a")) {
		t.Error("an answer that came late has the object be there")
	}
	b.watches[0].note(b.key("b"), b.write("b", 0, true))
	if b.stream.feed.free(b.key("b")) {
		t.Error("an answer that came early was not taken")
	}
}

// A thousand sets of four objects each, as like each other as those of one chart; each with texts of its own, as it is read.
func TestWatchesAreSmall(t *testing.T) {
	const sets, objects = 1000, 4
	b := newFeedBench(t, 0)
	texts := `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/name":{},"f:applyset.kubernetes.io/part-of":{}}},"f:data":{"f:key":{}}}`
	before := inUse()
	for i := range sets {
		w := b.joined(i)
		for j := range objects {
			name := fmt.Sprintf("some-application-%04d-%d", i, j)
			o := &partialObject{ObjectMeta: metav1.ObjectMeta{Namespace: string([]byte("default")), Name: name, UID: types.UID(fmt.Sprintf("%036d", 10*i+j)),
				ResourceVersion: fmt.Sprint(1_000_000 + 10*i + j), Labels: map[string]string{partOfLabel: string([]byte(w.label)), "app.kubernetes.io/name": name},
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: string([]byte("gitopskit")), Operation: "Apply", APIVersion: string([]byte("v1")),
					FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string([]byte(texts)))}}}}
			if err := b.present(o); err != nil {
				t.Fatal(err)
			}
			m := &member{ref: b.stream.ref(o), object: configMap(t, name, "1").Object}
			w.was.add(m.ref, configMaps, entry{applied: true})
			b.mu.Lock()
			w.applying = false
			w.remember([]*member{m})
			w.settle()
			b.mu.Unlock()
		}
	}
	bytes := (inUse() - before) / sets
	t.Logf("%d bytes a set", bytes)
	if bytes > 14<<10 {
		t.Errorf("%d bytes a set of %d objects", bytes, objects)
	}
	runtime.KeepAlive(b)
}

func TestWatchesAreUsedByManyAtOnce(t *testing.T) {
	b := newBench(t, Options{})
	h := b.hub()
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			id := ID{Namespace: b.namespace, Name: fmt.Sprint("set-", i)}
			for round := range 3 {
				w, err := h.Watch(t.Context(), id)
				if err != nil {
					t.Error(err)
					return
				}
				set := Set{ID: id}
				for j := range 3 {
					set.Objects = append(set.Objects, in(b.namespace, configMap(t, fmt.Sprint("a-", i, "-", j), fmt.Sprint(round))))
				}
				for _, want := range [][2]int{{0, 3}, {3, 0}} {
					result, err := w.Apply(t.Context(), set)
					if err != nil || result.Count(Unchanged) != want[0] || result.Count(Created, Configured) != want[1] {
						t.Errorf("%s, %v", result.Counts(), err)
					}
				}
				w.Close()
			}
		})
	}
	all.Wait()
	h.Close()
	if len(h.sets) != 0 || len(h.streams) != 0 {
		t.Errorf("it keeps %v, %v", h.sets, h.streams)
	}
	wantNoGoroutines(t)
}
