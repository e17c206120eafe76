package reconcile

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// A step is the next thing that a loop has to do.
type step int

const (
	toRest   step = iota
	toDecide      // again: what the loop is to be at has changed meanwhile
	toBuild
	toRestore // from the Store, what was applied before this process
	toAdvance // to a revision of the same objects
	toApply
)

// work does what the loop has to do, until there is nothing, and has it looked at again when there is.
func (l *Loop) work() {
	p := l.placed()
	if p == nil {
		return
	}
	select {
	case l.core.turn <- struct{}{}:
		defer l.give()
	default:
		return // Once or Remove has it, and lets us know
	}
	for p.ctx.Err() == nil {
		l.deliver()
		what, b, cause := l.decide(p, time.Now())
		switch what {
		case toBuild:
			l.buildWanted(p)
		case toRestore:
			l.restoreLast(p)
		case toAdvance:
			l.advance(p, b)
		case toApply:
			if l.apply(p.ctx, b, cause) == nil {
				l.await(p, true)
			}
			l.follow(p)
		case toRest:
			l.await(p, false) // what Once had begun to, and did not
			l.deliver()
			if next := l.next(); !next.IsZero() {
				p.run.queue.AddAfter(l, max(time.Until(next), 0))
			}
			return
		}
	}
}

// decide says what is to be done now, with which objects, and why.
func (l *Loop) decide(p *place, now time.Time) (step, *built, Cause) {
	busy := p.run.busy(p.origin, now)
	first, goal, ok := l.decideContent(p, now)
	if !ok || first != toRest {
		return first, nil, ""
	}
	b := l.candidate()
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	c := &l.core
	switch {
	case c.suspended || c.removing:
		return toRest, nil, ""
	case c.goal() != goal:
		return toDecide, nil, ""
	case b == nil:
		return toRest, nil, ""
	}
	cause := c.cause(b, now, busy)
	if cause == "" && c.refused(b) {
		b = c.applied
		cause = c.causeToKeep(now, busy)
	}
	switch {
	case cause != "":
		return toApply, b, cause
	case b.same(c.applied) && !c.broken && b.revision != c.applied.revision:
		return toAdvance, b, ""
	}
	return toRest, nil, ""
}

// decideContent says whether there is something to build for the revision that the loop is to be at; false if it is to rest
// whatever there is.
func (l *Loop) decideContent(p *place, now time.Time) (step, source.Revision, bool) {
	l.core.mu.Lock()
	c := &l.core
	idle, goal := c.suspended || c.removing, c.goal()
	lacks := !goal.IsZero() && !c.at(c.built)
	failed := c.unbuilt != nil && c.unbuilt.revision == goal
	pinned := !c.pin.IsZero()
	again := !failed || c.again || !c.unbuilt.rests(now)
	lost := c.built == nil && !pinned && (c.fetchErr != nil || failed)
	lost = lost && l.Store != nil && !c.restored && !now.Before(c.restoreAt)
	l.core.mu.Unlock()
	switch {
	case idle:
		p.run.unwanted(p.origin, l)
		return toRest, goal, false
	case pinned:
		p.run.unwanted(p.origin, l)
		if lacks && again {
			return toBuild, goal, true
		}
	case !lacks && !goal.IsZero():
		p.run.satisfied(p.origin, l, goal)
	case lacks && again:
		if content := p.run.need(p.origin, goal); content != nil {
			content.release()
			return toBuild, goal, true
		}
	}
	if lost {
		return toRestore, goal, true
	}
	return toRest, goal, true
}

// candidate returns the objects that are to be on the cluster now: those that were built; or where a dependency is not
// ready for them, those that were applied, which are kept as they are.
func (l *Loop) candidate() *built {
	c := &l.core
	b := c.built
	var blocking []blocker
	if b != nil && !b.proven && (c.applied == nil || b.revision != c.applied.revision || !b.same(c.applied)) {
		blocking = l.blockers(b.revision)
	}
	l.update(func(c *core) []Event {
		var events []Event
		texts := make([]string, 0, len(blocking))
		for _, x := range blocking {
			texts = append(texts, x.String())
			if !slices.Contains(c.blocked, x.String()) {
				events = append(events, DependencyNotReady{l.Name, b.revision, x.Dependency, x.why})
			}
		}
		c.blocked = texts
		return events
	})
	if len(blocking) > 0 {
		return c.applied
	}
	return b
}

// faultOf is where it is kept why b is not applied, which is what was built or what was applied.
func (c *core) faultOf(b digest.Digest) **fault {
	if c.built == nil || c.built.digest == b {
		return &c.unapplied
	}
	return &c.unkept
}

// refused tells whether the cluster did not take b, and there is a last good revision to be kept meanwhile.
func (c *core) refused(b *built) bool {
	f := c.unapplied
	return f != nil && f.stage == Applying && f.digest == b.digest && c.applied != nil && !b.same(c.applied)
}

// causeToKeep says why the last good revision is to be applied now, though a newer one is tried, if it is. Where the newer
// one had a part applied, time is no cause: each try would undo the other for ever.
func (c *core) causeToKeep(now time.Time, busy bool) Cause {
	switch {
	case c.unkept.rests(now):
		return ""
	case c.unkept != nil:
		return CauseRetry
	case c.drifting(now):
		return CauseDrift
	case !c.unapplied.partly && c.timed(now) && !busy:
		return CauseInterval
	}
	return ""
}

// drifting tells whether it is time to correct drift.
func (c *core) drifting(now time.Time) bool { return !c.mendAt.IsZero() && !now.Before(c.mendAt) }

// timed tells whether it is time to apply though nothing has happened.
func (c *core) timed(now time.Time) bool { return !c.dueAt.IsZero() && !now.Before(c.dueAt) }

// cause says why b is to be applied now, if it is.
func (c *core) cause(b *built, now time.Time, busy bool) Cause {
	f, mend := *c.faultOf(b.digest), c.drifting(now)
	switch {
	case f != nil:
		if c.again || c.due || !f.rests(now) {
			return CauseRetry
		}
		if f.stage != Checking || !mend {
			return ""
		}
		return CauseDrift // which may be why it is not healthy
	case !b.same(c.applied):
		return CauseNew
	case c.broken: // applied by an earlier run, or by other parts
		if busy {
			return ""
		}
		return CauseNew
	case c.due:
		return CauseTrigger
	case mend:
		return CauseDrift
	case c.timed(now) && !busy:
		return CauseInterval
	}
	return ""
}

// next is when the loop has to be looked at again though nothing happens; zero: never.
func (l *Loop) next() time.Time {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	c := &l.core
	if c.suspended || c.removing {
		return time.Time{}
	}
	now := time.Now()
	var next time.Time
	// What is past already waits for something else, which lets the loop know.
	soonest := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, f := range []*fault{c.unbuilt, c.unapplied, c.unkept} {
		if f != nil {
			soonest(f.retryAt)
		}
	}
	soonest(c.restoreAt)
	soonest(c.mendAt)
	soonest(c.dueAt)
	if c.broken && c.unapplied == nil || !c.dueAt.IsZero() && !c.dueAt.After(now) {
		soonest(now.Add(grace)) // a fetch goes first, for so long
	}
	return next
}
