package main

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/bench/fleet"
	"github.com/gitopskit/gitopskit/reconcile"
)

// counts are of the events of one step.
type counts struct {
	fetches, builds, applies, advanced int
	created, configured                int // objects
	mended                             int // applies because of drift that configured an object
	unreachable                        int // loops that were told so
}

// A tally counts.
type tally struct {
	mu   sync.Mutex
	now  counts
	down bool  // fetches are expected to fail
	err  error // what was not expected
	last time.Time
	news chan struct{} // closed at the next event
}

// begin forgets what was counted.
func (t *tally) begin(down bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now, t.down = counts{}, down
}

// building counts the builds that gave other objects: a Builder that found nothing changed gives the very same.
func (t *tally) building(build reconcile.BuildFunc) reconcile.BuildFunc {
	var last objects
	return func(ctx context.Context, fsys fs.FS) (objects, error) {
		got, err := build(ctx, fsys)
		if err != nil || !slices.Equal(got, last) {
			t.mu.Lock()
			t.now.builds++
			t.mu.Unlock()
			last = got
		}
		return got, err
	}
}

// hear is the group's OnEvent.
func (t *tally) hear(event reconcile.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.now
	switch e := event.(type) {
	case reconcile.Fetched:
		if !e.Shared {
			c.fetches++
		}
	case reconcile.Applied:
		c.applies++
		c.created += e.Result.Count(apply.Created)
		c.configured += e.Result.Count(apply.Configured)
		if e.Cause == reconcile.CauseDrift && e.Result.Count(apply.Configured) > 0 {
			c.mended++
		}
	case reconcile.Advanced:
		c.advanced++
	case reconcile.Failed:
		if e.Stage == reconcile.Fetching && t.down {
			c.unreachable++
		} else if t.err == nil {
			t.err = fmt.Errorf("the loop %s: %s: %w", e.Loop, e.Stage, e.Err)
		}
	case reconcile.Unwatched:
		if t.err == nil {
			t.err = fmt.Errorf("the loop %s is told of no drift: %w", e.Loop, e.Err)
		}
	}
	t.last = time.Now()
	close(t.news)
	t.news = make(chan struct{})
}

// patience is for a step; whatever takes longer does not happen any more.
const patience = 10 * time.Minute

// await waits until the counts are so.
func (t *tally) await(ctx context.Context, is func(counts) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		t.mu.Lock()
		now, err, news := t.now, t.err, t.news
		t.mu.Unlock()
		if err != nil || is(now) {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("it did not come to be: %+v: %w", now, context.Cause(ctx))
		}
	}
}

// rest waits until nothing was heard for so long.
func (t *tally) rest(ctx context.Context, quiet time.Duration) error {
	for {
		t.mu.Lock()
		left := quiet - time.Since(t.last)
		t.mu.Unlock()
		if left <= 0 {
			return nil
		}
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
}

// count fills in the step.
func (t *tally) count(s *fleet.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Fetches, s.Builds, s.Applies = t.now.fetches, t.now.builds, t.now.applies
}
