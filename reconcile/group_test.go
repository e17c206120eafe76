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
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// fleet is n loops on one source, each with drift told, as on a real cluster.
func fleet(n int) (*fleetOrigin, []*ship) {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("app-%04d", i))
	}
	o := newFleetOrigin(names...)
	ships := make([]*ship, n)
	for i, name := range names {
		ships[i] = newShip(name, o).watched()
	}
	return o, ships
}

func sum(ships []*ship, of func(*ship) int) int {
	n := 0
	for _, s := range ships {
		s.mu.Lock()
		n += of(s)
		s.mu.Unlock()
	}
	return n
}

func builds(s *ship) int       { return s.builds }
func countApplies(s *ship) int { return len(s.applied) }

func TestACommitTouchesOnlyWhatItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 1000
		if testbed.Race {
			n = 200
		}
		o, ships := fleet(n)
		sail(t, ships, func(g *Group) {
			want(t, "fetches at first", o.count(), 1)
			want(t, "builds at first", sum(ships, builds), n)
			want(t, "applies at first", sum(ships, countApplies), n)

			revision := o.commit("app-0007", "2")
			told := g.TriggerSource(func(l *Loop) bool { return l.Source == source.Source(o) })
			synctest.Wait()
			want(t, "loops on the source", told, n)
			want(t, "fetches after one commit", o.count(), 2)
			want(t, "applies after one commit", sum(ships, countApplies), n+1)
			want(t, "of which", ships[7].applies()[1], "2 0s")
			for _, s := range g.Status() {
				if s.Applied != revision || !s.Ready || s.Reason != ReasonNone {
					t.Fatalf("%s is at %s, ready %t, reason %q", s.Name, s.Applied, s.Ready, s.Reason)
				}
			}

			o.commit("README", "of nobody's concern")
			later(61 * time.Second)
			want(t, "fetches after an interval", o.count(), 3)
			want(t, "applies after a commit that touches nothing", sum(ships, countApplies), n+1)
			built := sum(ships, builds)

			later(10 * time.Minute)
			want(t, "fetches in ten idle minutes", o.count(), 13)
			want(t, "builds and applies in ten idle minutes", sum(ships, builds)-built+sum(ships, countApplies), n+1)
		})
		want(t, "fetches with content", o.moved, 3)
		o.wantClosed(t)
		want(t, "closed", sum(ships, func(s *ship) int { return s.closed }), n)
	})
}

func TestDriftIsCorrectedAtOnceAndInNoOtherLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ships := fleet(10)
		sail(t, ships, func(*Group) {
			later(90 * time.Second)
			ships[3].drift <- []apply.Drift{{Ref: apply.Ref{Kind: "ConfigMap", Name: "app-0003"}, What: apply.DriftDeleted}}
			synctest.Wait()
			want(t, "applied", ships[3].applies(), []string{"1 0s", "1 1m30s"})
			want(t, "all", sum(ships, countApplies), 11)
			want(t, "fetches", o.count(), 2)
			status := ships[3].Status()
			want(t, "cause", status.History[0].Cause, CauseDrift)
			want(t, "drifts", len(status.Drifts), 1)
		})
		want(t, "events", ships[3].told(), "Fetched Built Applied Fetched Drifted Applied")
	})
}

func TestDriftThatComesBackIsFoughtWithGrowingDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched()
		sail(t, []*ship{s}, func(*Group) {
			end := time.Now().Add(15 * time.Second)
			for time.Now().Before(end) {
				s.drift <- []apply.Drift{{What: apply.DriftChanged}}
				later(100 * time.Millisecond)
			}
		})
		if n := len(s.applies()); n < 3 || n > 6 {
			t.Errorf("%d applies in 15 seconds of somebody else's, want 3 to 6: %v", n, s.applies())
		}
	})
}

func TestWithoutNewsOfDriftTimeApplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched()
		sail(t, []*ship{s}, func(*Group) {
			later(10 * time.Minute)
			want(t, "applied while drift is told", s.applies(), []string{"1 0s"})
			s.drift <- nil // the cluster refuses
			later(150 * time.Second)
			want(t, "applied while it is not", len(s.applies()), 3)
			if s.Status().WatchErr == nil {
				t.Error("the status does not say that drift is not told")
			}
			s.drift <- []apply.Drift{{What: apply.DriftChanged}}
			synctest.Wait()
			n := len(s.applies())
			later(10 * time.Minute)
			want(t, "applied after it is again", len(s.applies()), n)
		})
	})
}

func TestResyncAppliesThoughNothingHasDrifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched()
		s.Resync = time.Hour
		sail(t, []*ship{s}, func(*Group) { later(150 * time.Minute) })
		want(t, "applied", s.applies(), []string{"1 0s", "1 1h0m0s", "1 2h0m0s"})
	})
}

func TestSlowAndFailingLoopsTakeNobodysTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ships := fleet(40)
		for _, s := range ships[:20] {
			s.slow = 4 * time.Minute // more of them than there are workers, which are four
		}
		for _, s := range ships[20:25] {
			s.applyErr = errors.New("no")
		}
		hung := newFleetOrigin("h")
		hung.hang = true
		for i := range 10 {
			from := source.Func(hung.Fetch) // is not comparable: each fetches by itself
			ships = append(ships, newShip(fmt.Sprintf("h%d", i), from))
		}
		sail(t, ships, func(g *Group) {
			later(2 * time.Minute)
			for _, s := range ships[25:40] {
				want(t, s.Name, s.Status().State, StateReady)
			}
			o.commit("app-0030", "2")
			g.Trigger("app-0030")
			later(15 * time.Second)
			want(t, "the commit's", len(ships[30].applies()), 2)
			want(t, "failing", ships[21].Status().State, StateFailing)
		})
	})
}

func TestGroupRefusesWhatCannotRun(t *testing.T) {
	o := newFleetOrigin("a")
	g := new(Group)
	a := newShip("a", o).after(Dependency{Name: "b"})
	b := newShip("b", o).after(Dependency{Name: "c"})
	for _, s := range []*ship{a, b} {
		if err := g.Add(s.Loop); err != nil {
			t.Fatal(err)
		}
	}
	for text, l := range map[string]*Loop{
		"two have the name":     newShip("a", o).Loop,
		"c → a → b → c":         newShip("c", o).after(Dependency{Name: "a"}).Loop,
		"d → d":                 newShip("d", o).after(Dependency{Name: "d"}).Loop,
		"its Source is not set": {Name: "e"},
	} {
		if err := g.Add(l); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	if err := new(Group).Add(a.Loop); err == nil || !strings.Contains(err.Error(), "in a group already") {
		t.Errorf("a second group takes it: %v", err)
	}
	want(t, "loops", len(g.Status()), 2)
	if err := g.Remove(t.Context(), "a", Delete); err == nil || !strings.Contains(err.Error(), "Delete is not set") {
		t.Error(err)
	}
	if err := g.Remove(t.Context(), "x", Leave); err == nil || g.Trigger("x") {
		t.Error("there is no x")
	}
	b = newShip("b", o).after(Dependency{Name: "a"})
	if err := g.Replace(t.Context(), b.Loop); err == nil || !strings.Contains(err.Error(), "b → a → b") {
		t.Errorf("a replacement closes a cycle: %v", err)
	}
}

func TestGroupRunsOnceAtATimeAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched()
		g := new(Group)
		if err := g.Add(s.Loop); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 2; n++ {
			runFleet(t, g, func(g *Group) {
				if err := g.Run(t.Context()); !errors.Is(err, errRuns) {
					t.Errorf("a second Run: %v", err)
				}
				want(t, "applies", len(s.applies()), n)
			})
			want(t, "closed", s.closed, n)
		}
	})
}

func TestStopWaitsForNobodyWhoHeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ships := fleet(50)
		for i, s := range ships {
			s.waiting() // for ever
			if i%2 == 0 {
				s.slow = time.Hour
			}
		}
		g := &Group{Workers: 8}
		for _, s := range ships {
			_ = g.Add(s.Loop)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := g.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		want(t, "time", time.Since(start), 3*time.Second)
		o.wantClosed(t)
		for _, s := range ships {
			if status := s.Status(); status.Err != nil || status.Failures != 0 {
				t.Errorf("%s: being stopped counts as a failure: %v", s.Name, status.Err)
			}
		}
	})
}
