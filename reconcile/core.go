package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A core is what a Loop knows of itself. Only who holds the turn changes built and applied, and may so read them without mu.
// Who holds several of the package's locks has taken them in this order: a group's, a run's or a core's, a mailbox's.
type core struct {
	once sync.Once
	turn chan struct{} // held by the round under way
	exit chan struct{} // held by who removes or replaces it
	mail mailbox

	mu    sync.Mutex
	group *Group // that it is in
	place *place // there, while it runs
	open  bool   // it has run, and Close was not called since

	asked     bool // triggered, and no fetch has started since
	due       bool // triggered, fetched, and not applied since
	again     bool // triggered, so that what failed is tried at once
	suspended bool
	removing  bool
	pin       source.Revision

	wanted   source.Revision // as the source told
	fetchErr error
	fetched  time.Time // when it last answered
	fetchFor time.Duration
	fetchBad int       // fetches that failed one after another
	fetchDue time.Time // the next one

	built   *built // the objects that are to be on the cluster
	applied *built // those of the last Apply that succeeded
	broken  bool   // the last Apply failed, of whatever

	restored   bool // what the Store has was built, or it has nothing
	restoreAt  time.Time
	restoreBad int // tries that failed

	busy      Stage     // what is under way of a round
	unbuilt   *fault    // why the goal was not built; a fault of Restoring or Building
	unapplied *fault    // why built was not applied, or is not healthy; a fault of Applying or Checking
	unkept    *fault    // why applied, where built has other objects, is not; a fault of Applying or Checking
	dueAt     time.Time // the next Apply that time asks for; zero: none

	wait      *waiting // for health, if under way
	healthy   bool     // what is applied is
	healthyAt source.Revision
	unhealthy int // waits that failed one after another
	blocked   []string
	last      *Outcome // of the last Apply

	drifts    []apply.Drift // as last seen
	driftedAt time.Time
	mendAt    time.Time // when drift is to be corrected; zero: there is none
	mends     int       // corrections in a row, each soon after the one before
	mended    time.Time
	mending   chan struct{} // closed at the end of the next Apply
	watching  bool          // the goroutine that waits for drift was started
	watchErr  error
	storeErr  error

	appliedAt time.Time
	history   []*Outcome // newest first
	state     State
	since     time.Time
}

// A fault is why something has to be tried again, and when.
type fault struct {
	stage    Stage
	revision source.Revision
	digest   digest.Digest // of the objects, where there are any
	err      error
	failures int  // one after another
	partly   bool // an Apply of these objects changed some, and did not come to its end
	retryAt  time.Time
}

// rests tells whether it is not to be tried again yet.
func (f *fault) rests(now time.Time) bool { return f != nil && now.Before(f.retryAt) }

// A place is a loop's own in a group that runs.
type place struct {
	run    *run
	origin *origin
	ctx    context.Context // ends when the loop is removed or replaced, or the group stops
	end    context.CancelCauseFunc
	tasks  sync.WaitGroup // started by who has the loop's turn: the wait for health, and for drift
}

func (l *Loop) init() {
	l.core.once.Do(func() { l.core.turn, l.core.exit = make(chan struct{}, 1), make(chan struct{}, 1) })
}

func (l *Loop) check() error {
	l.init()
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

// take waits for the loop's turn. With it comes the right to run its stages.
func (l *Loop) take(ctx context.Context) error {
	l.init()
	select {
	case l.core.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *Loop) give() { <-l.core.turn }

// update changes the core, tells what came of it, and keeps the time since when the state is what it is.
func (l *Loop) update(change func(c *core) []Event) {
	c := &l.core
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mail.post(change(c)...)
	if state := c.stateNow(l); state != c.state {
		c.state, c.since = state, time.Now()
	}
}

// set is for an update that tells nothing.
func (l *Loop) set(change func(c *core)) {
	l.update(func(c *core) []Event { change(c); return nil })
}

func (l *Loop) placed() *place {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	return l.core.place
}

// poke has the group look at the loop, if it runs.
func (l *Loop) poke() {
	if p := l.placed(); p != nil {
		p.run.queue.Add(l)
	}
}

// ask has the loop's source fetched at once, if it runs, and the loop looked at.
func (l *Loop) ask() {
	if p := l.placed(); p != nil {
		p.run.queue.Add(l)
		p.run.ask(p.origin)
	}
}

// Trigger has a round start at once; where one is under way, right after it. The source is fetched, and what it has is
// applied also where nothing has changed; what failed is tried again. It does not wait.
func (l *Loop) Trigger() {
	l.update(func(c *core) []Event {
		if c.asked {
			return nil
		}
		c.asked = true
		return []Event{Triggered{l.Name}}
	})
	l.ask()
}

// Suspend keeps further rounds from starting. One that is under way ends as it would.
func (l *Loop) Suspend() {
	l.update(func(c *core) []Event {
		if c.suspended {
			return nil
		}
		c.suspended = true
		return []Event{Suspended{l.Name}}
	})
	l.poke()
}

// Resume undoes Suspend, and has a round start at once, as Trigger does.
func (l *Loop) Resume() {
	l.update(func(c *core) []Event {
		c.asked = true
		if !c.suspended {
			return nil
		}
		c.suspended = false
		return []Event{Resumed{l.Name}}
	})
	l.ask()
}

// errNoContent is of a pin that nobody can serve.
var errNoContent = errors.New("its content is not to be had: the loop has neither a Store nor At")

// Pin has the loop be at this revision, whatever its source has, until Unpin: it rolls back. The content comes from the
// source where it is its current one, from the Store, or by At; where the loop has none of them, the error says so, and
// where they do not have it, the loop fails and tries again. What At is for Git is a git.New whose Commit is the revision's
// Digest.Encoded(). Revisions are the same here where their digests are. A pin lasts as long as the process.
func (l *Loop) Pin(revision source.Revision) error {
	if revision.Digest == "" {
		return fmt.Errorf("pinning %q: the revision %q has no digest", l.Name, revision)
	}
	var err error
	l.update(func(c *core) []Event {
		known := l.Store != nil || l.At != nil || revision.Digest == c.wanted.Digest
		known = known || c.built != nil && revision.Digest == c.built.revision.Digest
		switch {
		case !known:
			err = fmt.Errorf("pinning %q to %s: %w", l.Name, revision, errNoContent)
			return nil
		case c.pin == revision:
			return nil
		}
		c.pin = revision
		return []Event{Pinned{l.Name, revision}}
	})
	if err == nil {
		l.poke()
	}
	return err
}

// Unpin undoes Pin: the loop goes on to what its source has.
func (l *Loop) Unpin() {
	l.update(func(c *core) []Event {
		if c.pin.IsZero() {
			return nil
		}
		c.pin = source.Revision{}
		return []Event{Unpinned{l.Name}}
	})
	l.ask()
}

// goal is the revision that the loop is to be at.
func (c *core) goal() source.Revision {
	if !c.pin.IsZero() {
		return c.pin
	}
	return c.wanted
}

// at tells whether b is of the goal. Who pins a revision may call it by another name than the source does.
func (c *core) at(b *built) bool {
	if b == nil {
		return false
	}
	if !c.pin.IsZero() {
		return b.revision.Digest == c.pin.Digest
	}
	return b.revision == c.wanted
}
