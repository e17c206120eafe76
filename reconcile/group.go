package reconcile

import (
	"context"
)

// A Group runs many loops with few workers. Loops with the same Source, equal by ==, fetch it once, at the shortest of
// their intervals. The zero value works. Its methods may be called by many goroutines at once, before Run and while it
// runs.
type Group struct {
	// Workers is how many fetches, builds and applies are under way at once; 0: four for each of GOMAXPROCS. One that takes
	// longer than ten seconds is no longer counted, so that those that are stuck take nobody's turn. Nothing that waits
	// counts: for health, for drift, for a dependency, for its time.
	Workers int
	// OnEvent is called with each event of each loop, after the loop's own OnEvent: one at a time and in order for one loop,
	// and for several loops at once.
	OnEvent func(Event)

	engine engine
}

// Run runs many loops at once until ctx ends, and returns ctx's error then. A loop that cannot run at all, since it lacks a
// part or its name is another's too, keeps all from starting.
func Run(ctx context.Context, loops ...*Loop) error {
	g := new(Group)
	for _, l := range loops {
		if err := g.Add(l); err != nil {
			return err
		}
	}
	return g.Run(ctx)
}

// A Removal says what becomes of what a loop has applied.
type Removal int

// The removals.
const (
	Leave  Removal = iota // it stays on the cluster
	Delete                // the loop's Delete deletes it
)
