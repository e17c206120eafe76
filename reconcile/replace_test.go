package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/apply"
)

func TestReplaceSeesTheCycleThatAnAddMadeMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a", "b")
		old := newShip("a", o)
		old.slow, old.ignores = time.Minute, true
		sail(t, []*ship{old}, func(g *Group) {
			ended := make(chan error)
			go func() {
				ended <- g.Replace(t.Context(), newShip("a", o).after(Dependency{Name: "b"}).Loop)
			}()
			synctest.Wait()
			if err := g.Add(newShip("b", o).after(Dependency{Name: "a"}).Loop); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Error("the two depend on one another, and nobody said so")
			}
			l, ok := g.Loop("a")
			want(t, "the old one is in the group", ok && l == old.Loop, true)
			old.set(func() { old.slow = 0 })
			later(3 * time.Minute)
			want(t, "and goes on", old.Status().State, StateReady)
		})
	})
}

func TestReplaceByALoopThatAnotherGroupTookMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		old := newShip("a", o)
		old.slow, old.ignores = time.Minute, true
		sail(t, []*ship{old}, func(g *Group) {
			next := newShip("a", o)
			ended := make(chan error)
			go func() { ended <- g.Replace(t.Context(), next.Loop) }()
			synctest.Wait()
			if err := new(Group).Add(next.Loop); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Error("it is in two groups")
			}
			old.set(func() { old.slow = 0 })
			later(3 * time.Minute)
			want(t, "states", len(g.Status()), 1)
			want(t, "the old one goes on", old.Status().State, StateReady)
		})
	})
}

func TestRunIsRefusedUntilTheOneBeforeHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a"))
		g := new(Group)
		s.Close = func() { time.Sleep(time.Minute) }
		if err := g.Add(s.Loop); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.Run(ctx) }()
		later(time.Second)
		cancel()
		later(time.Second)
		late, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		if err := g.Run(late); !errors.Is(err, errRuns) {
			t.Errorf("a second Run returned %v", err)
		}
		<-ended
	})
}

func TestWhatIsReplacedDoesNotRunThoughRunBeganMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		old, next := newShip("a", o), newShip("a", o)
		g := new(Group)
		if err := g.Add(old.Loop); err != nil {
			t.Fatal(err)
		}
		old.Delete = func(context.Context) (*apply.Result, error) { time.Sleep(time.Minute); return nil, nil }
		removed := make(chan error, 1)
		go func() { removed <- g.Remove(t.Context(), "a", Delete) }()
		synctest.Wait()
		runFleet(t, g, func(g *Group) {
			want(t, "removed", <-removed, nil)
			want(t, "place", old.placed() == nil, true)
			if err := g.Add(next.Loop); err != nil {
				t.Error(err)
			}
			later(time.Minute)
			want(t, "fetched", o.count(), 2)
		})
	})
}

func TestRemovalThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a", "b")
		a, b := newShip("a", o), newShip("b", o)
		a.Delete = func(ctx context.Context) (*apply.Result, error) { <-ctx.Done(); return nil, ctx.Err() }
		sail(t, []*ship{a, b}, func(g *Group) {
			long, end := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- g.Remove(long, "a", Delete) }()
			later(time.Second)
			start := time.Now()
			want(t, "the other", g.Remove(t.Context(), "b", Leave), nil)
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := g.Remove(short, "a", Leave); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a second removal returned %v", err)
			}
			want(t, "time", time.Since(start), time.Second)
			end()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the removal returned %v", err)
			}
			want(t, "removed after all", g.Remove(t.Context(), "a", Leave), nil)
		})
	})
}

func TestLongChainOfDependenciesIsClosedByNobody(t *testing.T) {
	g, o := new(Group), newFleetOrigin()
	loop := func(i, on int) *Loop {
		return newShip(fmt.Sprint(i), o).after(Dependency{Name: fmt.Sprint(on)}).Loop
	}
	for i := range 3000 {
		if err := g.Add(loop(i+1, i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []*Loop{loop(0, 3000), loop(4000, 4000)} {
		if err := g.Add(l); err == nil || !strings.Contains(err.Error(), "depend on itself") {
			t.Errorf("%s: Add returned %.200v", l.Name, err)
		}
	}
	want(t, "added after all", g.Add(loop(0, -1)), nil)
}
