package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// Once runs one round by itself: it fetches, builds, applies and waits for health, also while the loop is suspended, and
// returns the round's error. It waits for a round that is under way, and does not look at dependencies.
func (l *Loop) Once(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	if err := l.take(ctx); err != nil {
		return fmt.Errorf("%s: %w", l.Name, err)
	}
	defer l.poke()
	defer l.give()
	err := l.once(ctx)
	l.deliver()
	if err != nil {
		return fmt.Errorf("%s: %w", l.Name, err)
	}
	return nil
}

func (l *Loop) once(ctx context.Context) error {
	err := l.renew(ctx)
	if ctx.Err() != nil && err == nil {
		err = context.Cause(ctx)
	}
	if l.core.built == nil || ctx.Err() != nil {
		return err
	}
	if failed := l.apply(ctx, l.core.built, CauseTrigger); failed != nil {
		return errors.Join(err, failed)
	}
	return errors.Join(err, l.becomeHealthy(ctx))
}

// becomeHealthy waits for the health of what was applied, or for the wait of the group that is under way, and returns why
// it is not.
func (l *Loop) becomeHealthy(ctx context.Context) error {
	for ctx.Err() == nil {
		if w, waits := l.beginWait(ctx, true); w != nil {
			defer w.end()
			l.deliver()
			return l.heed(waits, w)
		}
		l.core.mu.Lock()
		other, failed := l.core.wait, l.core.unapplied
		l.core.mu.Unlock()
		switch {
		case failed != nil:
			return failed.err
		case other == nil:
			return nil
		}
		select {
		case <-other.done:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// renew has what is built be of the revision that the loop is to be at. Its error is told already.
func (l *Loop) renew(ctx context.Context) error {
	l.core.mu.Lock()
	pin, there := l.core.pin, l.core.at(l.core.built)
	l.core.mu.Unlock()
	if !pin.IsZero() {
		if !there && !l.buildPinned(ctx, pin) {
			return l.unbuilt(ctx)
		}
		return nil
	}
	start := time.Now()
	snapshot, err := l.fetch(ctx)
	took := time.Since(start)
	if err != nil || snapshot == nil {
		return err
	}
	from := newContent(snapshot)
	defer from.release()
	if !l.build(ctx, from, from.Revision, Durations{Fetch: took}) {
		return l.unbuilt(ctx)
	}
	return nil
}

func (l *Loop) unbuilt(ctx context.Context) error {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	if ctx.Err() != nil || l.core.unbuilt == nil {
		return context.Cause(ctx)
	}
	return l.core.unbuilt.err
}

// fetch asks the source by itself. It returns nil where there is nothing new.
func (l *Loop) fetch(ctx context.Context) (*source.Snapshot, error) {
	f := &fetch{source: l.Source, loops: []*Loop{l}, limits: l}
	if b := l.core.built; b != nil {
		f.known = b.revision
	}
	f.fetch(ctx)
	if f.err != nil && ctx.Err() != nil {
		return nil, f.err
	}
	l.core.mu.Lock()
	f.due, f.failures = l.core.fetchDue, l.core.fetchBad
	l.core.mu.Unlock()
	if f.err != nil {
		f.failures++
	}
	l.hear(f, false)
	l.deliver()
	return f.snapshot, f.err
}

// deleteAll deletes what the loop applied, when it is removed.
func (l *Loop) deleteAll(ctx context.Context) (*apply.Result, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	start := time.Now()
	limited, cancel := l.limit(ctx, "Apply", l.Timeouts.Apply)
	defer cancel()
	result, err := guard(func() (*apply.Result, error) { return l.Delete(limited) })
	if result == nil {
		result = &apply.Result{}
	}
	err = late(limited, err)
	l.update(func(c *core) []Event {
		o := &Outcome{Revision: source.Revision{}, Took: Durations{Apply: time.Since(start)}}
		o.count(result)
		if err == nil {
			c.applied, c.built = nil, nil
			l.record(c, o)
			return nil
		}
		o.Stage, o.Err = Deleting, err
		l.record(c, o)
		f := &fault{stage: Deleting, err: err, failures: 1}
		if c.unapplied != nil && c.unapplied.stage == Deleting {
			f.failures += c.unapplied.failures
		}
		c.unapplied = f
		return []Event{Failed{Loop: l.Name, Stage: Deleting, Err: err, Failures: f.failures}}
	})
	l.deliver()
	return result, err
}
