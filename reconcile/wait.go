package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
)

// A waiting is a wait for health that is under way.
type waiting struct {
	digest  digest.Digest // of the objects
	end     context.CancelFunc
	outcome *Outcome      // of the Apply before it
	done    chan struct{} // closed when all of it is noted
}

// await has a goroutine wait for the health of what was just applied, where that is not known, and nobody does.
func (l *Loop) await(p *place, inRound bool) {
	w, ctx := l.beginWait(p.ctx, inRound)
	if w == nil {
		return
	}
	l.deliver()
	p.tasks.Go(func() {
		defer w.end()
		_ = l.heed(ctx, w)
		p.run.queue.Add(l)
	})
}

// beginWait returns nil where there is nothing to wait for. A loop that is suspended begins no wait but to end a round.
func (l *Loop) beginWait(ctx context.Context, inRound bool) (*waiting, context.Context) {
	var w *waiting
	l.update(func(c *core) []Event {
		known := c.healthy || c.wait != nil || c.unapplied != nil || c.unkept != nil
		idle := c.applied == nil || c.broken || c.removing || c.suspended && !inRound
		if l.Wait == nil || known || idle {
			return nil
		}
		w = &waiting{digest: c.applied.digest, outcome: c.last, done: make(chan struct{})}
		w.outcome.Health = HealthWaiting
		ctx, w.end = context.WithCancel(ctx)
		c.wait = w
		return []Event{Waiting{l.Name, c.applied.revision}}
	})
	return w, ctx
}

// heed waits, and notes what came of it, unless there are newer objects meanwhile, or an end.
func (l *Loop) heed(ctx context.Context, w *waiting) error {
	defer close(w.done)
	start := time.Now()
	l.core.mu.Lock()
	revision := l.core.applied.revision
	l.core.mu.Unlock()
	limited, cancel := l.limit(ctx, "Wait", l.Timeouts.Wait)
	defer cancel()
	_, err := guard(func() (any, error) { return nil, l.Wait(limited, revision) })
	err = late(limited, err)
	took := time.Since(start)
	ended := ctx.Err() != nil
	var failed *fault
	l.update(func(c *core) []Event {
		if c.wait != w {
			return nil
		}
		c.wait = nil
		if ended && err != nil {
			w.outcome.Health = HealthNone
			return []Event{Superseded{Loop: l.Name, Revision: c.applied.revision}}
		}
		revision = c.applied.revision // it may have advanced
		w.outcome.Took.Wait = took
		if err == nil {
			c.healthy, c.healthyAt, c.unhealthy, w.outcome.Health = true, revision, 0, HealthOK
			return []Event{Healthy{l.Name, revision, took}}
		}
		unhealthy := Unhealthy{l.Name, revision, err, took}
		err = fmt.Errorf("waiting for %s: %w", revision, err)
		w.outcome.Health, w.outcome.Stage, w.outcome.Err = HealthBad, Checking, err
		failed = &fault{stage: Checking, revision: revision, digest: w.digest, err: w.outcome.Err}
		return []Event{unhealthy}
	})
	if failed != nil {
		l.fail(ctx, failed, nil)
	}
	l.deliver()
	l.wakeDependents()
	return err
}
