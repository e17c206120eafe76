package reconcile

import (
	"context"

	"github.com/gitopskit/gitopskit/source"
)

type core struct{}
type engine struct{}

// Run runs the group's loops until ctx ends, and returns ctx's error then, when nothing of it is left: no goroutine, and no call of a
// loop's function under way. Loops can be added, replaced and removed meanwhile. A group without loops waits for them.
// While it runs, a second Run returns an error.
func (g *Group) Run(ctx context.Context) error { panic("to come") }

// Add has the group run the loop too. It refuses one that lacks a part, whose name another one has, that is in a group
// already, or that would depend on itself by way of others. What a loop depends on may be added later.
func (g *Group) Add(l *Loop) error { panic("to come") }

// Replace has l take the place of the loop of the same name: its rounds under way are ended first, and l takes over its
// history, its revisions, its suspension and its pin, and applies anew. It refuses what Add refuses, and a name that is not
// there.
func (g *Group) Replace(ctx context.Context, l *Loop) error { panic("to come") }

// Remove takes the loop out of the group, after ending what it has under way. With [Delete] it deletes what was applied: where
// that fails the loop stays, without rounds, and Remove may be called again.
func (g *Group) Remove(ctx context.Context, name string, what Removal) error { panic("to come") }

// Trigger is the Trigger of the loop of this name. It tells whether there is one.
func (g *Group) Trigger(name string) bool { panic("to come") }

// TriggerSource has the sources of those loops be fetched at once that match says yes to, as a webhook wants it, and
// returns how many loops that are. What did not change is not applied.
func (g *Group) TriggerSource(match func(*Loop) bool) int { panic("to come") }

// Status returns the status of each loop, ordered by name.
func (g *Group) Status() []Status { panic("to come") }

// Loop returns the loop of this name.
func (g *Group) Loop(name string) (*Loop, bool) { panic("to come") }

// Once runs one round by itself: it fetches, builds, applies and waits for health, also while the loop is suspended, and
// returns the round's error. It waits for a round that is under way, and does not look at dependencies.
func (l *Loop) Once(ctx context.Context) error { panic("to come") }

// Trigger has a round start at once; where one is under way, right after it. The source is fetched, and what it has is applied
// also where nothing has changed. It does not wait.
func (l *Loop) Trigger() { panic("to come") }

// Suspend keeps further rounds from starting. One that is under way ends as it would.
func (l *Loop) Suspend() { panic("to come") }

// Resume undoes Suspend, and has a round start at once.
func (l *Loop) Resume() { panic("to come") }

// Pin has the loop be at this revision, whatever its source has, until Unpin: it rolls back. The content comes from the
// source where it is its current one, from the Store, or by At; where none of them can have it, the error says so. Revisions are the
// same here where their digests are. A pin lasts as long as the process.
func (l *Loop) Pin(revision source.Revision) error { panic("to come") }

// Unpin undoes Pin: the loop goes on to what its source has.
func (l *Loop) Unpin() { panic("to come") }

// Status returns how the loop stands.
func (l *Loop) Status() Status { panic("to come") }
