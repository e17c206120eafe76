package bucket_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A historyState is what Fetch returned at a time, or that there was nothing.
type historyState struct {
	at       time.Time
	revision source.Revision
	files    map[string]string
}

func recordHistory(t *testing.T, h *historyStore, s *bucket.Source) historyState {
	t.Helper()
	state := historyState{at: h.now}
	snapshot, err := s.Fetch(t.Context(), source.Revision{})
	if err == nil {
		state.revision, state.files = snapshot.Revision, historyContent(t, snapshot)
	} else if !errors.Is(err, source.ErrNotFound) && !errors.Is(err, source.ErrTooLarge) {
		t.Fatal(err)
	}
	return state
}

// historyOptions are those of one run of the property test.
func historyOptions(seed uint64) func(*bucket.Options) {
	return func(o *bucket.Options) {
		o.Limits.MaxIgnoreBytes = 40
		switch seed % 4 {
		case 1:
			o.Prefix, o.KeepPrefix = "a", true
		case 2:
			o.Ignore = "*.tmp\n"
		case 3:
			o.NoIgnoreFiles = true
		}
	}
}

// scribble makes a random change.
func scribble(random *rand.Rand, h *historyStore) {
	keys := []string{
		"a/one", "a/two", "a/b/three", "a/six.md", "a/.sourceignore", "a/", "four", "five.tmp", "six.md", ".sourceignore",
	}
	ignores := []string{"*.md", "!a/six.md", "a/b", "*.tmp\nfour", "# nothing", strings.Repeat("#", 41)}
	key := keys[random.IntN(len(keys))]
	body := fmt.Sprint(random.IntN(4))
	if strings.HasSuffix(key, ".sourceignore") {
		body = ignores[random.IntN(len(ignores))]
	}
	if key == "a/" {
		body = ""
	}
	h.put(key, body, random.IntN(4) == 0)
}

func TestHistoryTellsEveryStateThatFetchReturned(t *testing.T) {
	for seed := range uint64(24) {
		random := rand.New(rand.NewPCG(seed, 6))
		h := newHistoryStore()
		h.apart = seed%3 == 0
		configure := historyOptions(seed)
		present := h.source(t, configure)
		states := []historyState{{at: h.now.Add(-time.Hour)}}
		for range 60 {
			h.after(time.Duration(11+random.IntN(100)) * time.Second)
			scribble(random, h)
			states = append(states, recordHistory(t, h, present))
		}
		checkAsOf(t, h, configure, states)
		checkHistory(t, h, configure, states)
		checkBefore(t, h, configure, states)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func TestHistoryTellsTheTruthOrNothingWhereVersioningWasOff(t *testing.T) {
	told, untold := 0, 0
	for seed := range uint64(24) {
		random := rand.New(rand.NewPCG(seed, 7))
		h := newHistoryStore()
		modes := [][]string{{"off", ""}, {"off", "", "suspended", ""}, {"", "suspended"}}[seed%3]
		present := h.source(t, nil)
		var states []historyState
		for _, h.mode = range modes {
			for range 12 {
				h.after(time.Minute)
				scribble(random, h)
				states = append(states, recordHistory(t, h, present))
			}
		}
		for i, state := range states {
			for option, configure := range map[string]func(*bucket.Options){
				"AsOf":   func(o *bucket.Options) { o.AsOf = state.at },
				"Before": func(o *bucket.Options) { o.Before = state.revision },
			} {
				want := state.revision
				if option == "Before" {
					want = revisionBefore(states, states[i].revision)
				}
				if states[i].revision.IsZero() {
					continue
				}
				snapshot, err := h.source(t, configure).Fetch(t.Context(), source.Revision{})
				if wrong := new(bucket.HistoryError); errors.As(err, &wrong) {
					untold++
				} else if err != nil || snapshot.Revision != want {
					t.Fatalf("seed %d, %s, state %d of %d: got %v, %v, want %v", seed, option, i, len(states), snapshot, err, want)
				} else {
					told++
				}
			}
		}
	}
	if told < 300 || untold < 300 { // the test sees too little
		t.Errorf("got %d states told and %d not", told, untold)
	}
}

// revisionBefore returns what was there before the newest state of a revision, and before what led to it.
func revisionBefore(states []historyState, revision source.Revision) source.Revision {
	found := false
	for _, state := range slices.Backward(states) {
		if state.revision == revision {
			found = true
		} else if found && !state.revision.IsZero() {
			return state.revision
		}
	}
	return source.Revision{}
}

func TestHistoryReadsOnlyWhatThePresentLacks(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1", "b", "1", "c", "1", ".sourceignore", "none")
	was := recordHistory(t, h, h.source(t, nil))
	h.after(time.Hour).write("a", "2", "c", "")
	cache := bucket.NewCache(bucket.CacheOptions{})
	share := func(o *bucket.Options) { o.Cache = cache }
	recordHistory(t, h, h.source(t, share))
	for _, want := range []int{2, 0} {
		h.took()
		got := recordHistory(t, h, h.source(t, func(o *bucket.Options) { share(o); o.AsOf = was.at }))
		if lists, gets := h.took(); lists != 1 || gets != want || !maps.Equal(got.files, was.files) {
			t.Errorf("got %d listings, %d reads and %v, want %d reads of %v", lists, gets, got, want, was)
		}
	}
}

func checkAsOf(t *testing.T, h *historyStore, configure func(*bucket.Options), states []historyState) {
	t.Helper()
	for _, state := range states {
		s := h.source(t, func(o *bucket.Options) { configure(o); o.AsOf = state.at.Add(5 * time.Second) })
		got := recordHistory(t, h, s)
		if got.revision != state.revision || !maps.Equal(got.files, state.files) {
			t.Errorf("as of %s: got %v, want %v", state.at, got, state)
		}
	}
}

// turns returns the states whose revision is another one than that of the state before.
func turns(states []historyState) []historyState {
	var all []historyState
	var last source.Revision
	for _, state := range states {
		if state.revision != last {
			all = append(all, state)
		}
		last = state.revision
	}
	return all
}

func checkHistory(t *testing.T, h *historyStore, configure func(*bucket.Options), states []historyState) {
	t.Helper()
	want := turns(states)
	slices.Reverse(want)
	changes, err := h.source(t, configure).History(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, change := range changes {
		if i >= len(want) || change.Revision != want[i].revision || !change.Time.Equal(want[i].at) ||
			!change.Began.Equal(change.Time) {
			t.Fatalf("change %d of %d: got %+v, want %+v", i, len(changes), change, want[min(i, len(want)-1)])
		}
	}
	if len(changes) != len(want) {
		t.Errorf("got %d changes, want %d", len(changes), len(want))
	}
	want = append(want, historyState{})
	for i, change := range changes {
		s := h.source(t, func(o *bucket.Options) { configure(o); o.AsOf = change.Before })
		if got := recordHistory(t, h, s); got.revision != want[i+1].revision || !maps.Equal(got.files, want[i+1].files) {
			t.Errorf("before change %d: got %v, want %v", i, got, want[i+1])
		}
	}
	if few, err := h.source(t, configure).History(t.Context(), 3); err != nil || len(few) != 3 {
		t.Errorf("got %d changes, %v", len(few), err)
	}
}

func checkBefore(t *testing.T, h *historyStore, configure func(*bucket.Options), states []historyState) {
	t.Helper()
	for i, state := range states {
		same := func(s historyState) bool { return s.revision == state.revision }
		if state.revision.IsZero() || slices.ContainsFunc(states[i+1:], same) {
			continue // a newer state has that revision
		}
		want := historyState{}
		for _, s := range states[:i] {
			if s.revision != state.revision && !s.revision.IsZero() {
				want = s
			}
		}
		s := h.source(t, func(o *bucket.Options) { configure(o); o.Before = state.revision })
		snapshot, err := s.Fetch(t.Context(), source.Revision{})
		if want.revision.IsZero() {
			if wrong := new(bucket.HistoryError); !errors.As(err, &wrong) || !errors.Is(err, source.ErrNotFound) {
				t.Errorf("before the first revision: got %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := historyContent(t, snapshot); snapshot.Revision != want.revision || !maps.Equal(got, want.files) {
			t.Errorf("before %v: got %v %v, want %v", state, snapshot.Revision, got, want)
		}
		h.took()
		if _, err := s.Fetch(t.Context(), want.revision); err != source.ErrNotModified {
			t.Errorf("got %v", err)
		}
		if lists, gets := h.took(); lists != 1 || gets != 0 {
			t.Errorf("nothing new: got %d listings and %d reads", lists, gets)
		}
	}
}

// A revision that never was costs a digest for each of 2,000 changes of 10,000 keys.
func BenchmarkBeforeARevisionThatNeverWas(b *testing.B) {
	h := newHistoryStore()
	for i := range 10_000 {
		h.write(fmt.Sprintf("apps/app-%04d/manifests/file-%02d.yaml", i/10, i%10), "1")
	}
	random := rand.New(rand.NewPCG(1, 8))
	for range 2000 {
		key := fmt.Sprintf("apps/app-%04d/manifests/file-%02d.yaml", random.IntN(1000), random.IntN(10))
		h.after(time.Minute).write(key, fmt.Sprint(h.now))
	}
	s := h.source(b, func(o *bucket.Options) { o.Before.Digest, o.MaxChanges = "sha256:00", 2000 })
	for b.Loop() {
		if _, err := s.Fetch(b.Context(), source.Revision{}); !errors.Is(err, source.ErrNotFound) {
			b.Fatal(err)
		}
	}
}
