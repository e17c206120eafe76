package reconcile

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// fail notes a fault, unless the stage was ended from outside, and says when to try again.
func (l *Loop) fail(ctx context.Context, f *fault, o *Outcome) {
	l.update(func(c *core) []Event {
		place := c.faultOf(f.digest)
		if f.stage == Restoring || f.stage == Building {
			place = &c.unbuilt
		}
		f.failures = 1
		if was := *place; was != nil && was.digest == f.digest && (f.digest != "" || was.revision == f.revision) {
			f.failures += was.failures
			f.partly = f.partly || was.partly
		}
		if f.stage != Checking { // beside which a newer revision may be built
			c.busy = ""
		}
		if ctx.Err() != nil {
			if place == &c.unbuilt {
				return nil
			}
			// An Applied or an Unhealthy was told, of which nobody is to think that it was all.
			return []Event{Failed{Loop: l.Name, Stage: f.stage, Revision: f.revision, Err: f.err, Failures: f.failures}}
		}
		if f.stage == Checking {
			c.unhealthy++
			f.failures = c.unhealthy
		}
		c.again = false
		*place = f
		event := Failed{Loop: l.Name, Stage: f.stage, Revision: f.revision, Err: f.err, Failures: f.failures}
		delay := max(l.delay(f.failures), patience(f.err))
		f.retryAt = time.Now().Add(delay)
		if c.place != nil { // else it runs Once
			event.RetryIn = delay
		}
		if o != nil {
			o.Stage, o.Err = f.stage, f.err
			l.record(c, o)
		}
		return []Event{event}
	})
	l.deliver()
}

// buildWanted builds the revision that the loop is to be at.
func (l *Loop) buildWanted(p *place) {
	l.core.mu.Lock()
	pin, goal, fetchFor := l.core.pin, l.core.goal(), l.core.fetchFor
	l.core.mu.Unlock()
	if !pin.IsZero() {
		l.buildPinned(p.ctx, pin)
		return
	}
	content := p.run.need(p.origin, goal)
	if content == nil {
		return // there is a newer one, or it was forgotten; a fetch is under way
	}
	defer content.release()
	if l.build(p.ctx, content, content.Revision, Durations{Fetch: fetchFor}) {
		p.run.satisfied(p.origin, l, goal)
	}
}

// build makes objects of the content and keeps them as those to apply. It tells whether that went well.
func (l *Loop) build(ctx context.Context, from *content, goal source.Revision, took Durations) bool {
	l.set(func(c *core) { c.busy = Building })
	start := time.Now()
	limited, cancel := l.limit(ctx, "Build", l.Timeouts.Build)
	objects, err := guard(func() ([]*unstructured.Unstructured, error) { return l.Build(limited, from.Snapshot) })
	err = late(limited, err)
	cancel()
	took.Build = time.Since(start)
	var b *built
	if err == nil {
		b, err = newBuilt(from.Revision, objects, l.core.built, l.core.applied)
	}
	if err != nil {
		err = fmt.Errorf("building %s: %w", from.Revision, err)
		l.fail(ctx, &fault{stage: Building, revision: goal, err: err}, &Outcome{Revision: goal, Took: took})
		return false
	}
	b.took = took
	l.have(b)
	l.keepContent(ctx, from, b)
	return true
}

// have takes b as what is to be applied.
func (l *Loop) have(b *built) {
	l.update(func(c *core) []Event {
		changed := !b.same(c.applied)
		if c.unapplied != nil && c.unapplied.digest != b.digest {
			c.unapplied, c.unhealthy = nil, 0
		}
		if c.unkept != nil && c.unkept.digest == b.digest {
			c.unapplied = c.unkept
		}
		c.unkept = nil
		c.built, c.unbuilt, c.busy = b, nil, ""
		return []Event{Built{l.Name, b.revision, b.digest, len(b.objects), changed, b.took.Build}}
	})
	l.deliver()
}

// apply applies b, which is what was built or what was applied, and returns the error.
func (l *Loop) apply(ctx context.Context, b *built, cause Cause) error {
	var mendAt time.Time
	l.update(func(c *core) []Event {
		mendAt = c.mendAt
		c.busy, c.due, c.again, c.mendAt = Applying, false, false, time.Time{}
		if cause == CauseDrift {
			c.mended = time.Now()
		}
		return l.supersede(c, b)
	})
	l.deliver()
	defer l.corrected()
	start := time.Now()
	limited, cancel := l.limit(ctx, "Apply", l.Timeouts.Apply)
	result, err := guard(func() (*apply.Result, error) { return l.Apply(limited, b.revision, b.objects) })
	err = late(limited, err)
	cancel()
	if result == nil {
		result = &apply.Result{}
	}
	o := &Outcome{Revision: b.revision, Digest: b.digest, Objects: len(b.objects), Cause: cause, Took: b.took}
	o.Took.Apply = time.Since(start)
	o.count(result)
	l.tell(Applied{Loop: l.Name, Revision: b.revision, Result: result, Cause: cause, Took: o.Took.Apply, Err: err})
	if err != nil {
		l.set(func(c *core) {
			c.broken = true
			c.mendAt = earliest(c.mendAt, mendAt) // it is not corrected
		})
		l.fail(ctx, &fault{stage: Applying, revision: b.revision, digest: b.digest, err: err, partly: changed(result)}, o)
		l.wakeDependents()
		return err
	}
	l.landed(b, o)
	l.keepTag(ctx, b)
	l.wakeDependents()
	return nil
}

// changed tells whether an Apply changed anything on the cluster.
func changed(result *apply.Result) bool {
	return result.Count(apply.Created, apply.Configured, apply.Replaced, apply.Pruned) > 0
}

// supersede ends the wait for the health of other objects than b's.
func (l *Loop) supersede(c *core, b *built) []Event {
	w := c.wait
	if w == nil || w.digest == b.digest {
		return nil
	}
	w.end()
	w.outcome.Health = HealthSuperseded
	c.wait = nil
	return []Event{Superseded{l.Name, c.applied.revision, b.revision}}
}

// landed notes that b is on the cluster.
func (l *Loop) landed(b *built, o *Outcome) {
	l.set(func(c *core) {
		if !b.same(c.applied) || len(o.Changes) > 0 {
			c.healthy = false
		}
		c.applied, c.broken, c.busy, c.appliedAt = b, false, "", time.Now()
		*c.faultOf(b.digest), c.unkept = nil, nil
		switch {
		case l.Wait == nil, c.unapplied != nil: // nobody waits for the last good one while a newer one is refused
		case c.healthy:
			o.Health = HealthOK
		case c.wait == nil: // else the wait that is under way has an outcome
			o.Health = HealthWaiting
		}
		switch {
		case l.Drift == nil || c.watchErr != nil:
			c.dueAt = time.Now().Add(l.delay(0))
		case l.Resync > 0:
			c.dueAt = time.Now().Add(l.Resync)
		default:
			c.dueAt = time.Time{}
		}
		c.last = l.record(c, o)
	})
}

// advance takes the revision of b as applied: its objects are.
func (l *Loop) advance(p *place, b *built) {
	l.update(func(c *core) []Event {
		c.applied = b
		if c.healthy {
			c.healthyAt = b.revision
		}
		o := &Outcome{Revision: b.revision, Digest: b.digest, Objects: len(b.objects), Cause: CauseAdvance, Took: b.took}
		if c.wait == nil {
			l.record(c, o)
		}
		return []Event{Advanced{l.Name, b.revision}}
	})
	l.deliver()
	l.keepTag(p.ctx, b)
	l.wakeDependents()
}

// most is how many changes of a round an Outcome has.
const most = 100

func (o *Outcome) count(result *apply.Result) {
	o.Counts = make(map[apply.Action]int)
	for _, c := range result.Changes {
		o.Counts[c.Action]++
		if c.Action != apply.Unchanged && len(o.Changes) < most {
			o.Changes = append(o.Changes, c)
		}
	}
}
