package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

// acyclic refuses a loop that would depend on itself. A loop that is not there yet depends on nothing.
func (e *engine) acyclic(l *Loop) error {
	onItself := slices.ContainsFunc(l.DependsOn, func(d Dependency) bool { return d.Name == l.Name })
	if len(e.dependents[l.Name]) == 0 && !onItself {
		return nil // where nobody depends on it, it closes no cycle: most are added so
	}
	seen := make(map[string]bool)
	var walk func(path []string, depends []Dependency) error
	walk = func(path []string, depends []Dependency) error {
		for _, d := range depends {
			if d.Name == l.Name {
				return fmt.Errorf("adding loop %q: it would depend on itself: %s", l.Name, strings.Join(append(path, d.Name), " → "))
			}
			if next := e.loops[d.Name]; next != nil && !seen[d.Name] {
				seen[d.Name] = true
				if err := walk(append(path, d.Name), next.DependsOn); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk([]string{l.Name}, l.DependsOn)
}

// wakeDependents has those looked at that may go on now, under the lock.
func (e *engine) wakeDependents(name string) {
	if e.run == nil {
		return
	}
	for l := range e.dependents[name] {
		e.run.queue.Add(l)
	}
}

// wakeDependents of a loop that has become ready, or something else than it was.
func (l *Loop) wakeDependents() {
	if g := l.grouped(); g != nil {
		g.engine.mu.Lock()
		defer g.engine.mu.Unlock()
		g.engine.wakeDependents(l.Name)
	}
}

// A blocker is a dependency that is not ready, and why.
type blocker struct {
	Dependency
	why string
}

func (b blocker) String() string { return b.Name + ": " + b.why }

// blockers returns the dependencies that keep the loop from going on to a revision.
func (l *Loop) blockers(revision source.Revision) []blocker {
	g := l.grouped()
	if g == nil {
		return nil
	}
	var all []blocker
	for _, d := range l.DependsOn {
		other, ok := g.Loop(d.Name)
		why := "there is no loop of this name"
		if ok {
			why = other.unready(d, revision)
		}
		if why != "" {
			all = append(all, blocker{d, why})
		}
	}
	return all
}

// unready says why the loop is not ready for one that depends on it.
func (l *Loop) unready(d Dependency, revision source.Revision) string {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	c := &l.core
	switch {
	case c.removing:
		return "it is being removed"
	case c.applied == nil && c.unbuilt != nil:
		return "it failed at " + string(c.unbuilt.stage)
	case c.unapplied != nil, c.unkept != nil:
		return "it failed at " + string(cmp.Or(c.unapplied, c.unkept).stage)
	case c.applied == nil || c.broken:
		return "it is not applied yet"
	case c.busy == Applying && c.built != nil && c.built.digest != c.applied.digest:
		return "it is applying"
	case c.wait != nil:
		return "it waits for health"
	case l.Wait != nil && !c.healthy:
		return "it is not healthy"
	case d.SameRevision && c.applied.revision != revision:
		return "it is at " + c.applied.revision.String()
	}
	return ""
}
