package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Group runs many loops with few workers. Loops with the same Source, equal by ==, fetch it once, at the shortest of
// their intervals. The zero value works. Its methods may be called by many goroutines at once, before Run and while it
// runs; OnEvent may call them, too, but for Run, Replace and Remove.
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

// An engine is what a Group knows of itself.
type engine struct {
	mu         sync.Mutex
	loops      map[string]*Loop
	dependents map[string]map[*Loop]bool // of a name
	run        *run                      // nil while it does not run
	running    bool                      // until Run has returned
}

// Run runs many loops at once until ctx ends, and returns ctx's error then. A loop that cannot run at all, since it lacks a
// part or its name is another's too, keeps all from starting. When it has returned, the loops are free for another group.
func Run(ctx context.Context, loops ...*Loop) error {
	g := new(Group)
	defer g.disband()
	for _, l := range loops {
		if err := g.Add(l); err != nil {
			return err
		}
	}
	return g.Run(ctx)
}

// Add has the group run the loop too. It refuses one that lacks a part, whose name another one has, that is in a group
// already, or that would depend on itself by way of others. What a loop depends on may be added later.
func (g *Group) Add(l *Loop) error {
	if err := l.check(); err != nil {
		return err
	}
	e := &g.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loops[l.Name] != nil {
		return fmt.Errorf("adding loops: two have the name %q", l.Name)
	}
	if err := e.acyclic(l); err != nil {
		return err
	}
	if err := g.claim(l); err != nil {
		return err
	}
	g.admit(l)
	return nil
}

// claim makes the loop the group's, unless it is another's.
func (g *Group) claim(l *Loop) error {
	taken := false
	l.set(func(c *core) {
		if taken = c.group != nil; !taken {
			c.group, c.removing = g, false
		}
	})
	if taken {
		return fmt.Errorf("adding loop %q: it is in a group already", l.Name)
	}
	return nil
}

// admit is the rest of Add and Replace, under the lock.
func (g *Group) admit(l *Loop) {
	e := &g.engine
	if e.loops == nil {
		e.loops, e.dependents = make(map[string]*Loop), make(map[string]map[*Loop]bool)
	}
	e.loops[l.Name] = l
	for _, d := range l.DependsOn {
		if e.dependents[d.Name] == nil {
			e.dependents[d.Name] = make(map[*Loop]bool)
		}
		e.dependents[d.Name][l] = true
	}
	if e.run != nil {
		e.run.enter(l)
		e.wakeDependents(l.Name)
	}
}

// dismiss undoes admit, for a loop that has no place any more.
func (g *Group) dismiss(l *Loop) {
	e := &g.engine
	delete(e.loops, l.Name)
	for _, d := range l.DependsOn {
		if delete(e.dependents[d.Name], l); len(e.dependents[d.Name]) == 0 {
			delete(e.dependents, d.Name)
		}
	}
	e.wakeDependents(l.Name)
}

// disband frees the loops for another group.
func (g *Group) disband() {
	e := &g.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.loops {
		l.set(func(c *core) { c.group = nil })
	}
	e.loops, e.dependents = nil, nil
}

// Trigger is the Trigger of the loop of this name. It tells whether there is one.
func (g *Group) Trigger(name string) bool {
	l, ok := g.Loop(name)
	if ok {
		l.Trigger()
	}
	return ok
}

// TriggerSource has the sources of those loops be fetched at once that match says yes to, as a webhook wants it, and
// returns how many loops that are. What did not change is not applied.
func (g *Group) TriggerSource(match func(*Loop) bool) int {
	n := 0
	asked := make(map[*origin]bool)
	for _, l := range g.all() {
		if !match(l) {
			continue
		}
		n++
		if p := l.placed(); p != nil && !asked[p.origin] {
			asked[p.origin] = true
			p.run.ask(p.origin)
		}
	}
	return n
}

// Status returns the status of each loop, ordered by name.
func (g *Group) Status() []Status {
	loops := g.all()
	all := make([]Status, len(loops))
	for i, l := range loops {
		all[i] = l.Status()
	}
	return all
}

// Loop returns the loop of this name.
func (g *Group) Loop(name string) (*Loop, bool) {
	g.engine.mu.Lock()
	defer g.engine.mu.Unlock()
	l, ok := g.engine.loops[name]
	return l, ok
}

func (g *Group) all() []*Loop {
	g.engine.mu.Lock()
	defer g.engine.mu.Unlock()
	return slices.SortedFunc(maps.Values(g.engine.loops), func(a, b *Loop) int { return strings.Compare(a.Name, b.Name) })
}

func (l *Loop) grouped() *Group {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	return l.core.group
}
