package apply

import (
	"errors"
	"fmt"
	"strings"
)

// An Action says what became of an object.
type Action string

// The actions.
const (
	Created    Action = "created"
	Configured Action = "configured" // it existed, and was changed
	Replaced   Action = "replaced"   // it existed, and was deleted and created anew, as a field was immutable
	Unchanged  Action = "unchanged"
	Pruned     Action = "pruned"  // it was in the inventory, no longer in the set, and was deleted
	Deleted    Action = "deleted" // by Delete
	Skipped    Action = "skipped" // left alone; Err says why: [ErrProtected], [ErrNotReached], or that it lost the set's label
	Failed     Action = "failed"  // Err says why
)

// A Change is what became of one object.
type Change struct {
	Ref    Ref
	Action Action
	Err    error // an *Error where the action is Skipped or Failed, else nil
}

// end says how it ended, where that was not well, and what was being done.
func (c *Change) end(action Action, op string, err error) {
	c.Action, c.Err = action, &Error{Op: op, Ref: c.Ref, Err: err}
}

// unfinished tells whether the object is not as it should be, for no fault or wish of its own author.
func (c *Change) unfinished() bool {
	return c.Action == Failed || c.Action == Skipped && errors.Is(c.Err, ErrNotReached)
}

// A Result tells all that a call did, also of a call that failed.
type Result struct {
	ID ID
	// Changes has each object of the set in the set's order, then those pruned or deleted in the order of deletion.
	Changes []Change
}

// Count returns how many objects the actions became.
func (r *Result) Count(actions ...Action) int {
	n := 0
	for _, c := range r.Changes {
		for _, a := range actions {
			if c.Action == a {
				n++
			}
		}
	}
	return n
}

// Counts says how many objects became what, as "4 created, 1 pruned"; it is empty where there are no changes.
func (r *Result) Counts() string {
	var parts []string
	for _, a := range []Action{Created, Configured, Replaced, Unchanged, Pruned, Deleted, Skipped, Failed} {
		if n := r.Count(a); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, a))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *Result) unfinished() bool {
	for i := range r.Changes {
		if r.Changes[i].unfinished() {
			return true
		}
	}
	return false
}

// err joins the errors of the objects that failed; where none did, of those that were not reached.
func (r *Result) err() error {
	var failed, unreached []error
	for _, c := range r.Changes {
		switch {
		case c.Action == Failed:
			failed = append(failed, c.Err)
		case c.unfinished():
			unreached = append(unreached, c.Err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	return errors.Join(unreached...)
}
