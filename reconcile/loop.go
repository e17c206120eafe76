package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A BuildFunc makes objects of a source's content; the method Build of a kustomize.Builder is one. The
// content is good until it returns.
type BuildFunc func(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error)

// An ApplyFunc makes the cluster as the objects say; an Applier's Apply is one with the set's ID filled in. It does not
// change the objects, which may be those of its last call. Its result may be nil where it did nothing.
type ApplyFunc func(ctx context.Context, revision source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error)

// A Loop is one origin's way to one cluster. Source, Build and Apply are needed, and nothing of it is to be changed once
// it runs. It is not to be copied.
type Loop struct {
	Name   string // of the loop, for events and errors
	Source source.Source
	Build  BuildFunc
	Apply  ApplyFunc

	Interval time.Duration // from the end of a round to the next one; 0: one minute
	Jitter   float64       // the share of Interval by which a round is earlier or later, 0 to 1; 0: 0.1; below 0: none
	Timeout  time.Duration // of a round; 0: five minutes
	RetryMin time.Duration // after the first failure; 0: one second
	RetryMax time.Duration // after many; 0: Interval, or RetryMin where that is longer

	// OnEvent is called with each event, one at a time, by Run's and Once's own goroutine: the loop waits for it. It may
	// call Trigger, Suspend and Resume, and not Once.
	OnEvent func(Event)

	init  sync.Once
	wake  chan struct{} // holds one Trigger, Suspend or Resume
	mu    sync.Mutex
	stop  bool // suspended
	asked bool // triggered, and no round has started since

	round  chan struct{} // held by the round under way
	events sync.Mutex    // held by OnEvent

	known source.Revision
	built []*unstructured.Unstructured // of known
	fails int                          // rounds that failed one after another
}

// Run runs rounds until ctx ends, and returns ctx's error then. The first starts at once. A round that fails is told by an
// event, not by Run.
func (l *Loop) Run(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	suspended := false
	for ctx.Err() == nil {
		if s := l.suspended(); s != suspended {
			suspended = s
			l.emit(change(l.Name, s))
		}
		if suspended {
			l.await(ctx, nil)
			continue
		}
		l.answerTrigger()
		failed := l.run(ctx)
		if ctx.Err() != nil {
			break
		}
		failures := 0
		if failed != nil {
			failures = failed.Failures
		}
		delay := l.delay(failures)
		if failed != nil {
			failed.RetryIn = delay
			l.emit(*failed)
		}
		l.pause(ctx, delay)
	}
	return context.Cause(ctx)
}

func change(loop string, suspended bool) Event {
	if suspended {
		return Suspended{loop}
	}
	return Resumed{loop}
}

// Once runs one round, also while the loop is suspended, and returns its error. It waits for a round that is under way.
func (l *Loop) Once(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	if failed := l.run(ctx); failed != nil {
		l.emit(*failed)
		return fmt.Errorf("%s: %w", l.Name, failed.Err)
	}
	return nil
}

// Trigger has the next round start at once; where one is under way, right after it. It does not wait.
func (l *Loop) Trigger() {
	l.mu.Lock()
	l.asked = true
	l.mu.Unlock()
	l.poke()
}

// Suspend keeps further rounds from starting. One that is under way ends as it would.
func (l *Loop) Suspend() { l.setSuspended(true) }

// Resume undoes Suspend, and has a round start at once.
func (l *Loop) Resume() {
	l.setSuspended(false)
	l.Trigger()
}

func (l *Loop) setSuspended(stop bool) {
	l.mu.Lock()
	l.stop = stop
	l.mu.Unlock()
	l.poke()
}

func (l *Loop) suspended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop
}

// poke wakes Run, which then looks at what is asked of it.
func (l *Loop) poke() {
	l.init.Do(l.ready)
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (l *Loop) ready() { l.wake, l.round = make(chan struct{}, 1), make(chan struct{}, 1) }

func (l *Loop) check() error {
	l.init.Do(l.ready)
	for _, f := range []struct {
		name string
		set  bool
	}{{"Source", l.Source != nil}, {"Build", l.Build != nil}, {"Apply", l.Apply != nil}} {
		if !f.set {
			return fmt.Errorf("running loop %q: its %s is not set", l.Name, f.name)
		}
	}
	return nil
}

// answerTrigger marks what was asked for as done by the round about to start.
func (l *Loop) answerTrigger() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = false
}

// pause waits for the next round to be due: by time, by Trigger, or by Suspend and Resume.
func (l *Loop) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.mu.Lock()
		due := l.asked || l.stop
		l.mu.Unlock()
		if due || l.await(ctx, timer.C) {
			return
		}
	}
}

// await returns true when the time is up, false when somebody asks something of the loop or ctx ends.
func (l *Loop) await(ctx context.Context, due <-chan time.Time) bool {
	select {
	case <-due:
		return true
	case <-l.wake:
	case <-ctx.Done():
	}
	return false
}

// delay is the time to the next round, after so many in a row that failed.
func (l *Loop) delay(failures int) time.Duration {
	interval := or(l.Interval, time.Minute)
	if failures > 0 {
		first := or(l.RetryMin, time.Second)
		most := max(or(l.RetryMax, interval), first)
		delay := most
		if doublings := failures - 1; doublings < 32 && first<<doublings>>doublings == first {
			delay = min(first<<doublings, most)
		}
		return delay
	}
	share := l.Jitter
	if share == 0 {
		share = 0.1
	}
	share = min(max(share, 0), 1)
	return interval + time.Duration(float64(interval)*share*(2*rand.Float64()-1))
}

func or(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

func (l *Loop) emit(e Event) {
	l.events.Lock()
	defer l.events.Unlock()
	if l.OnEvent != nil {
		l.OnEvent(e)
	}
}

// errTimeout is why a round ended that took too long.
var errTimeout = errors.New("the round took longer than the loop's Timeout")
