package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/gitopskit/gitopskit/apply"
)

// Replace has l take the place of the loop of the same name: its rounds under way are ended first, and l takes over its
// history, its revisions, its suspension and its pin, and applies anew. It refuses what Add refuses, and a name that is not
// there. Where ctx ends before the other's rounds have, that one stays, without rounds, and Replace may be called again.
func (g *Group) Replace(ctx context.Context, l *Loop) error {
	if err := l.check(); err != nil {
		return err
	}
	e := &g.engine
	old, stay, err := g.goodbye(ctx, l.Name)
	if err != nil {
		return fmt.Errorf("replacing loop %q: %w", l.Name, err)
	}
	defer stay()
	e.mu.Lock()
	err = e.acyclic(l)
	e.mu.Unlock()
	switch {
	case old == l:
		return fmt.Errorf("replacing loop %q: it is the same", l.Name)
	case err != nil:
		return err
	}
	if l.grouped() != nil {
		return fmt.Errorf("replacing loop %q: the new one is in a group already", l.Name)
	}
	if err := g.halt(ctx, old); err != nil {
		return fmt.Errorf("replacing loop %q: %w", l.Name, err)
	}
	if err := g.exchange(old, l); err != nil {
		return fmt.Errorf("replacing loop %q: %w", l.Name, err)
	}
	old.close()
	old.set(func(c *core) { c.group = nil })
	return nil
}

// exchange is the end of Replace, with the lock, which it gives back. What others did while old was halted may be in its
// way: old goes on then.
func (g *Group) exchange(old, l *Loop) error {
	e := &g.engine
	defer e.mu.Unlock()
	err := e.acyclic(l)
	if err == nil {
		err = g.claim(l)
	}
	if err != nil {
		if e.run != nil {
			e.run.enter(old)
		}
		return err
	}
	g.dismiss(old)
	l.inherit(old)
	g.admit(l)
	return nil
}

// A Removal says what becomes of what a loop has applied.
type Removal int

// The removals.
const (
	Leave  Removal = iota // it stays on the cluster
	Delete                // the loop's Delete deletes it
)

// Remove takes the loop out of the group, after ending what it has under way. With [Delete] it deletes what was applied:
// where that fails the loop stays, without rounds, and Remove may be called again.
func (g *Group) Remove(ctx context.Context, name string, what Removal) error {
	e := &g.engine
	l, stay, err := g.goodbye(ctx, name)
	if err != nil {
		return fmt.Errorf("removing loop %q: %w", name, err)
	}
	defer stay()
	if what == Delete && l.Delete == nil {
		return fmt.Errorf("removing loop %q: its Delete is not set", name)
	}
	l.set(func(c *core) { c.removing = true })
	if err := g.halt(ctx, l); err != nil {
		return fmt.Errorf("removing loop %q: %w", name, err)
	}
	e.mu.Unlock()
	var result *apply.Result
	if what == Delete {
		var err error
		if result, err = l.deleteAll(ctx); err != nil {
			return fmt.Errorf("removing loop %q: %w", name, err)
		}
	}
	if err := g.halt(ctx, l); err != nil { // a Run may have begun meanwhile
		return fmt.Errorf("removing loop %q: %w", name, err)
	}
	g.dismiss(l)
	e.mu.Unlock()
	l.close()
	l.tell(Removed{name, result})
	l.set(func(c *core) { c.group = nil })
	return nil
}

var errNoLoop = errors.New("there is none of this name")

// goodbye returns the loop of the name when nobody else is about to remove or replace it, until what it returns is called.
func (g *Group) goodbye(ctx context.Context, name string) (*Loop, func(), error) {
	for {
		l, ok := g.Loop(name)
		if !ok {
			return nil, nil, errNoLoop
		}
		select {
		case l.core.exit <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		stay := func() { <-l.core.exit }
		if now, _ := g.Loop(name); now == l {
			return l, stay, nil
		}
		stay()
	}
}

// halt ends what the loop has under way. Where it returns no error the loop has no place, and gets none as long as the
// group's lock is held, which is the caller's then.
func (g *Group) halt(ctx context.Context, l *Loop) error {
	for {
		g.engine.mu.Lock()
		p := l.placed()
		if p == nil {
			return nil
		}
		g.engine.mu.Unlock()
		if err := p.run.leave(ctx, l, errStopped); err != nil {
			return err
		}
	}
}

// inherit takes over what is known of a loop whose place l takes. What was applied is to be applied again, by l's own Apply.
func (l *Loop) inherit(old *Loop) {
	old.core.mu.Lock()
	o := &old.core
	suspended, pin := o.suspended, o.pin
	history := make([]*Outcome, len(o.history))
	for i, was := range o.history {
		told := was.clone()
		history[i] = &told
	}
	applied, appliedAt, healthyAt := o.applied, o.appliedAt, o.healthyAt
	old.core.mu.Unlock()
	l.update(func(c *core) []Event {
		c.suspended = c.suspended || suspended
		if c.pin.IsZero() {
			c.pin = pin
		}
		c.history, c.applied, c.appliedAt, c.healthyAt = history, applied, appliedAt, healthyAt
		c.broken = applied != nil
		return []Event{Replaced{l.Name}}
	})
}
