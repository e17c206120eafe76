package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A stage set: a loop whose parts can be told to fail, in a bubble whose time is ours.
type stageSet struct {
	*Loop
	mu       sync.Mutex
	start    time.Time
	content  string
	fetchErr error
	buildErr error
	applyErr error
	slow     time.Duration // that Apply takes
	fetches  int
	builds   int
	applied  []string // content and time of each Apply
	events   []string
}

func newStageSet() *stageSet {
	s := &stageSet{content: "one", start: time.Now()}
	s.Loop = &Loop{Name: "it", Source: source.Func(s.fetch), Build: s.build, Apply: s.apply, Jitter: -1,
		OnEvent: func(e Event) { s.events = append(s.events, strings.TrimPrefix(fmt.Sprintf("%T", e), "reconcile.")) }}
	return s
}

func (s *stageSet) fetch(_ context.Context, known source.Revision) (*source.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches++
	now := source.Revision{Digest: digest.FromString(s.content)}
	switch {
	case s.fetchErr != nil:
		return nil, s.fetchErr
	case known == now:
		return nil, source.ErrNotModified
	}
	return source.NewSnapshot(fstest.MapFS{"name": {Data: []byte(s.content)}}, now), nil
}

func (s *stageSet) build(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds++
	name, err := fs.ReadFile(fsys, "name")
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetName(string(name))
	return []*unstructured.Unstructured{o}, errors.Join(err, s.buildErr)
}

func (s *stageSet) apply(ctx context.Context, _ source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
	s.mu.Lock()
	s.applied = append(s.applied, fmt.Sprintf("%s %s", objects[0].GetName(), time.Since(s.start)))
	s.mu.Unlock()
	if s.slow > 0 {
		select {
		case <-time.After(s.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &apply.Result{Changes: []apply.Change{{Action: apply.Created}}}, s.applyErr
}

// during runs the loop, does what is said at each of the times, and ends it.
func (s *stageSet) during(t *testing.T, end time.Duration, at map[time.Duration]func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	for when, do := range at {
		time.AfterFunc(when, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			do()
		})
	}
	time.AfterFunc(end, cancel)
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want the context's error", err)
	}
}

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestLoopAppliesAgainThoughTheSourceHasNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.during(t, 150*time.Second, map[time.Duration]func(){90 * time.Second: func() { s.content = "two" }})
		want(t, "applied", s.applied, []string{"one 0s", "one 1m0s", "two 2m0s"})
		want(t, "builds", s.builds, 2)
		want(t, "events", s.events, []string{"Fetched", "Built", "Applied", "Fetched", "Applied", "Fetched", "Built", "Applied"})
	})
}

func TestLoopRetriesWithGrowingDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.RetryMax = 5 * time.Second
		s.applyErr = errors.New("no")
		var failures []Failed
		s.OnEvent = func(e Event) {
			if f, ok := e.(Failed); ok {
				failures = append(failures, f)
			}
		}
		s.during(t, 13*time.Second, map[time.Duration]func(){12500 * time.Millisecond: func() { s.applyErr = nil }})
		want(t, "applied", s.applied, []string{"one 0s", "one 1s", "one 3s", "one 7s", "one 12s"})
		var delays []time.Duration
		for i, f := range failures {
			delays = append(delays, f.RetryIn)
			want(t, "stage", f.Stage, Applying)
			want(t, "failures", f.Failures, i+1)
		}
		want(t, "delays", delays, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second})
	})
}

func TestLoopFetchesARevisionAgainThatDidNotBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.buildErr = errors.New("bad yaml")
		s.during(t, 2*time.Second, map[time.Duration]func(){500 * time.Millisecond: func() { s.buildErr = nil }})
		want(t, "builds", s.builds, 2)
		want(t, "applied", s.applied, []string{"one 1s"})
	})
}

func TestLoopKeepsDesiredStateWhileTheSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.during(t, 60500*time.Millisecond, map[time.Duration]func(){30 * time.Second: func() { s.fetchErr = source.ErrNotFound }})
		want(t, "applied", s.applied, []string{"one 0s", "one 1m0s"})
		want(t, "events", s.events, []string{"Fetched", "Built", "Applied", "Failed", "Applied"})
	})
}

func TestTriggerStartsARoundAtOnceOrRightAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.slow = 10 * time.Second
		s.during(t, 50*time.Second, map[time.Duration]func(){
			5 * time.Second:  func() { s.Trigger(); s.Trigger() }, // while the first round is under way
			30 * time.Second: s.Trigger,
		})
		want(t, "applied", s.applied, []string{"one 0s", "one 10s", "one 30s"})
	})
}

func TestSuspendedLoopStartsNoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.during(t, 5*time.Minute, map[time.Duration]func(){
			30 * time.Second:  s.Suspend,
			100 * time.Second: s.Trigger,
			280 * time.Second: s.Resume,
		})
		want(t, "applied", s.applied, []string{"one 0s", "one 4m40s"})
		want(t, "events", s.events, []string{"Fetched", "Built", "Applied", "Suspended", "Triggered", "Resumed", "Fetched", "Applied"})
	})
}

func TestTimeoutEndsARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStageSet()
		s.slow, s.Timeout = time.Hour, 20*time.Second
		err := s.Once(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Timeout, 20s") {
			t.Errorf("the error is %v", err)
		}
		want(t, "time", time.Since(s.start), 20*time.Second)
	})
}

func TestJitterSpreadsRounds(t *testing.T) {
	l := &Loop{Interval: time.Minute, Jitter: 0.5}
	seen := make(map[time.Duration]bool)
	for range 100 {
		d := l.delay(0)
		if d < 30*time.Second || d > 90*time.Second {
			t.Fatalf("delay %s, want 30 s to 90 s", d)
		}
		seen[d] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d delays of 100 differ", len(seen))
	}
}

func TestDelayStaysWithinItsBounds(t *testing.T) {
	l := &Loop{RetryMin: time.Hour, RetryMax: 1 << 62}
	last := time.Duration(0)
	for failures := 1; failures < 200; failures++ {
		d := l.delay(failures)
		if d < last || d > l.RetryMax {
			t.Fatalf("after %d failures %d, after one less %d", failures, d, last)
		}
		last = d
	}
}

func TestRunRefusesIncompleteLoops(t *testing.T) {
	for missing, l := range map[string]*Loop{
		"Source": {Name: "it"}, "Build": {Name: "it", Source: newStageSet().Source}, "Apply": {Name: "it", Source: newStageSet().Source, Build: newStageSet().build},
	} {
		for _, err := range []error{l.Run(t.Context()), l.Once(t.Context()), Run(t.Context(), l)} {
			if err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), `"it"`) {
				t.Errorf("without %s: %v", missing, err)
			}
		}
	}
}

func TestRunRunsManyLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newStageSet(), newStageSet()
		b.Name = "other"
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if err := Run(ctx, a.Loop, b.Loop); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		want(t, "applied", [][]string{a.applied, b.applied}, [][]string{{"one 0s", "one 1m0s"}, {"one 0s", "one 1m0s"}})
		if err := Run(ctx, a.Loop, a.Loop); err == nil || !strings.Contains(err.Error(), "two have the name") {
			t.Errorf("two of one name: %v", err)
		}
	})
}
