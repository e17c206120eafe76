package reconcile

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoopsComeAndGoWhileTheGroupRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, ships := fleet(3)
		for _, s := range ships {
			s.Delete = s.delete
		}
		sail(t, ships[:1], func(g *Group) {
			later(10 * time.Second)
			for _, s := range ships[1:] {
				if err := g.Add(s.Loop); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			want(t, "added", ships[2].applies(), []string{"1 10s"})
			want(t, "the others", len(ships[0].applies()), 1)

			if err := g.Remove(t.Context(), "app-0001", Leave); err != nil {
				t.Error(err)
			}
			if err := g.Remove(t.Context(), "app-0002", Delete); err != nil {
				t.Error(err)
			}
			for i, s := range ships[1:] {
				want(t, s.Name, []int{s.count(&s.deleted), s.count(&s.closed)}, []int{i, 1})
			}
			want(t, "left", len(g.Status()), 1)
			o.commit("app-0001", "2")
			later(5 * time.Minute)
			want(t, "applied after it was removed", len(ships[1].applies()), 1)
			if !strings.HasSuffix(ships[2].told(), "Applied Removed") {
				t.Errorf("events: %s", ships[2].told())
			}
			if err := g.Add(ships[1].Loop); err != nil {
				t.Errorf("what was removed is not taken again: %v", err)
			}
			synctest.Wait()
			want(t, "applied after it came back", ships[1].applies()[1], "2 5m10s")
		})
		o.wantClosed(t)
	})
}

func TestRemovalThatFailsCanBeTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a"))
		s.Delete = s.delete
		sail(t, []*ship{s}, func(g *Group) {
			s.set(func() { s.applyErr = errors.New("the cluster is away") })
			if err := g.Remove(t.Context(), "a", Delete); err == nil {
				t.Error("it succeeds")
			}
			status := s.Status()
			want(t, "state", status.State, StateRemoving)
			want(t, "stage", status.Stage, Deleting)
			later(10 * time.Minute)
			want(t, "applied meanwhile", len(s.applies()), 1)
			s.set(func() { s.applyErr = nil })
			if err := g.Remove(t.Context(), "a", Delete); err != nil {
				t.Error(err)
			}
			want(t, "left", len(g.Status()), 0)
		})
		want(t, "closed", s.closed, 1)
	})
}

func TestRemovalEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a"))
		s.slow = time.Hour
		sail(t, []*ship{s}, func(g *Group) {
			start := time.Now()
			if err := g.Remove(t.Context(), "a", Leave); err != nil {
				t.Error(err)
			}
			want(t, "time", time.Since(start), 0)
		})
		want(t, "events", s.told(), "Fetched Built Applied Failed Removed")
	})
}

func TestReplacedLoopKeepsItsHistoryAndAppliesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		old := newShip("a", o).watched()
		sail(t, []*ship{old}, func(g *Group) {
			later(time.Minute)
			next := newShip("a", o).watched()
			if err := g.Replace(t.Context(), next.Loop); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			want(t, "applied", next.applies(), []string{"1 0s"})
			want(t, "history", len(next.Status().History), 2)
			want(t, "the old one is closed", old.count(&old.closed), 1)
			if l, _ := g.Loop("a"); l != next.Loop {
				t.Error("it is not in the group")
			}
			later(5 * time.Minute)
			want(t, "the old one's applies", len(old.applies()), 1)
			want(t, "the new one's", len(next.applies()), 1)
		})
		o.wantClosed(t)
	})
}
