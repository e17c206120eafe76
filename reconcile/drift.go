package reconcile

import (
	"context"
	"time"

	"github.com/gitopskit/gitopskit/apply"
)

// follow has a goroutine wait for drift from now on, until the loop's place ends.
func (l *Loop) follow(p *place) {
	start := false
	l.set(func(c *core) {
		start = l.Drift != nil && !c.watching && c.applied != nil
		c.watching = c.watching || start
	})
	if start {
		p.tasks.Go(func() { l.heedDrift(p) })
	}
}

func (l *Loop) heedDrift(p *place) {
	failures := 0
	for p.ctx.Err() == nil {
		drifts, err := guard(func() ([]apply.Drift, error) { return l.Drift(p.ctx) })
		switch {
		case p.ctx.Err() != nil:
			return
		case err != nil:
			failures++
			delay := l.delay(failures)
			l.unwatched(err, delay)
			p.run.queue.Add(l)
			pause(p.ctx, delay, nil)
		default:
			failures = 0
			mending := l.drifted(drifts)
			p.run.queue.Add(l)
			// A Drift may tell of the same until it is corrected, and is not asked at full speed meanwhile.
			pause(p.ctx, l.delay(1), mending)
		}
	}
}

// drifted says when drift is to be corrected: at once; where it comes back soon and again, somebody else wants it
// otherwise, and the two are not to fight at full speed. What it returns is closed after the next Apply.
func (l *Loop) drifted(drifts []apply.Drift) <-chan struct{} {
	mending := make(chan struct{})
	l.update(func(c *core) []Event {
		c.watchErr = nil
		if len(drifts) == 0 {
			return nil
		}
		now := time.Now()
		c.drifts, c.driftedAt = drifts, now
		c.mending = mending
		if c.mendAt.IsZero() { // else the correction is due, of this too
			c.mends++
			if now.Sub(c.mended) > l.interval() {
				c.mends = 0
			}
			c.mendAt = now
			if c.mends > 0 {
				c.mendAt = now.Add(l.delay(c.mends))
			}
		}
		return []Event{Drifted{l.Name, drifts}}
	})
	return mending
}

// corrected has Drift be asked again after an Apply.
func (l *Loop) corrected() {
	l.set(func(c *core) {
		if c.mending != nil {
			close(c.mending)
			c.mending = nil
		}
	})
}

// unwatched has the loop apply by time, for nobody tells of drift.
func (l *Loop) unwatched(err error, delay time.Duration) {
	l.update(func(c *core) []Event {
		c.watchErr = err
		if c.dueAt.IsZero() {
			c.dueAt = time.Now().Add(l.delay(0))
		}
		return []Event{Unwatched{l.Name, err, delay}}
	})
}

// pause waits for a while, or until one of the two ends.
func pause(ctx context.Context, d time.Duration, end <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-end:
	case <-ctx.Done():
	}
}
