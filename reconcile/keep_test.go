package reconcile

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

func TestLastGoodRevisionIsEnforcedAfterARestartWithoutTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		o := newFleetOrigin("a", "b")
		first := o.revision()
		before := newShip("a", o).watched()
		other := newShip("b", o).watched()
		before.Store, other.Store = store, store
		sail(t, []*ship{before, other}, func(*Group) {})
		want(t, "events", before.told(), "Fetched Built Applied Kept")
		want(t, "artifacts packed for two loops", store.puts, 1)

		o.down = errors.New("no route to host")
		s := newShip("a", o).watched()
		s.Store = store
		s.after(Dependency{Name: "gone"}) // what was applied is enforced whatever it depends on
		sail(t, []*ship{s}, func(*Group) {
			want(t, "applied", s.applies(), []string{"1 0s"})
			status := s.Status()
			want(t, "applied revision", status.Applied, first)
			want(t, "wanted revision", status.Wanted, source.Revision{})
			want(t, "reason", status.Reason, ReasonUnreachable)
			want(t, "state", []any{status.State, status.Ready}, []any{StateOutOfReach, true})
			o.set(func() { o.down = nil })
			later(2 * time.Minute)
			want(t, "fetched", s.Status().Wanted, first)
			want(t, "applied once it is back", len(s.applies()), 1)
			want(t, "state", s.Status().State, StateReady)
		})
		if !strings.HasPrefix(s.told(), "Failed Restored Built Applied") {
			t.Errorf("events: %s", s.told())
		}
		o.wantClosed(t)
	})
}

func TestLastGoodRevisionIsRestoredWhereTheNewOneDoesNotBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		o := newFleetOrigin("a")
		first := o.revision()
		before := newShip("a", o)
		before.Store = store
		sail(t, []*ship{before}, func(*Group) {})
		second := o.commit("a", "2")
		s := newShip("a", o)
		s.Store = store
		var healed atomic.Bool
		build := s.build
		s.Build = func(ctx buildContext, fsys buildFS) (buildObjects, error) {
			if body, _ := readBody(fsys, "a"); !healed.Load() && body == "2" {
				return nil, errors.New("bad yaml")
			}
			return build(ctx, fsys)
		}
		sail(t, []*ship{s}, func(*Group) {
			status := s.Status()
			want(t, "applied", s.applies(), []string{"1 0s"})
			wantRevisions(t, status, []source.Revision{second, second, first})
			want(t, "reason", status.Reason, ReasonBuild)
			healed.Store(true)
			later(time.Minute)
			status = s.Status()
			want(t, "applied in the end", status.Applied, second)
			want(t, "state in the end", status.State, StateReady)
		})
		o.wantClosed(t)
	})
}

func TestAStoreThatFailsHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		store.putErr = errors.New("disk full")
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		s.Store = store
		sail(t, []*ship{s}, func(*Group) {
			want(t, "state", s.Status().State, StateReady)
			if s.Status().StoreErr == nil {
				t.Error("the status does not tell")
			}
			store.mu.Lock()
			store.putErr = nil
			store.mu.Unlock()
			revision := o.commit("README", "nothing of ours")
			later(2 * time.Minute)
			want(t, "tag", store.tag("a"), revision.String())
			if err := s.Status().StoreErr; err != nil {
				t.Error(err)
			}
		})
		want(t, "events", s.told(), "Fetched Built NotKept Applied Fetched Built Advanced Kept Fetched")
		o.wantClosed(t)
	})
}

func TestPinRollsBackAndUnpinGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		s.Store = newMemoryStore()
		first := o.revision()
		sail(t, []*ship{s}, func(g *Group) {
			second := o.commit("a", "2")
			later(61 * time.Second)
			if err := s.Pin(source.Revision{Digest: first.Digest}); err != nil { // whatever it is called
				t.Fatal(err)
			}
			synctest.Wait()
			want(t, "applied", s.applies(), []string{"1 0s", "2 1m0s", "1 1m1s"})
			status := s.Status()
			want(t, "reason", status.Reason, ReasonPinned)
			want(t, "state", status.State, StateReady)
			want(t, "revisions", []source.Revision{status.Wanted, status.Applied}, []source.Revision{second, first})

			third := o.commit("a", "3")
			later(5 * time.Minute)
			want(t, "applied while pinned", len(s.applies()), 3)
			want(t, "wanted while pinned", s.Status().Wanted, third)
			s.drift <- someDrift()
			synctest.Wait()
			want(t, "drift while pinned", len(s.applies()), 4)

			s.Unpin()
			synctest.Wait()
			want(t, "applied after", s.applies()[4], "3 6m1s")
			want(t, "reason after", s.Status().Reason, ReasonNone)
		})
		o.wantClosed(t)
	})
}

func TestPinAsksForWhatTheStoreDoesNotHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		old := newFleetOrigin("a")
		past := old.commit("a", "0")
		s := newShip("a", o).watched()
		sail(t, []*ship{s}, func(g *Group) {
			if err := s.Pin(past); !errors.Is(err, errNoContent) {
				t.Errorf("without Store and At: %v", err)
			}
			if err := s.Pin(source.Revision{Name: "v1"}); err == nil {
				t.Error("a revision without a digest is taken")
			}
			want(t, "pinned", s.Status().Pinned, source.Revision{})
		})
		s = newShip("a", o).watched()
		s.At = func(source.Revision) (source.Source, error) { return old, nil }
		sail(t, []*ship{s}, func(g *Group) {
			if err := s.Pin(past); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			want(t, "applied", s.applies(), []string{"1 0s", "0 0s"})
			old.commit("a", "00")
			if err := s.Pin(source.Revision{Digest: past.Digest.Algorithm().FromString("x")}); err != nil {
				t.Fatal(err)
			}
			later(10 * time.Second)
			status := s.Status()
			want(t, "reason", status.Reason, ReasonPinMissing)
			want(t, "stage", status.Stage, Restoring)
			want(t, "applied meanwhile", status.Applied, past)
			if !errors.Is(status.Err, ErrNoRevision) {
				t.Error(status.Err)
			}
		})
		o.wantClosed(t)
		old.wantClosed(t)
	})
}

func TestManyLoopsRestoreFromOneArtifactOpenedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		o, ships := fleet(50)
		for _, s := range ships {
			s.Store = store
		}
		sail(t, ships, func(*Group) {})
		o.down = errors.New("no route to host")
		again := make([]*ship, len(ships))
		for i, s := range ships {
			again[i] = newShip(s.Name, o).watched()
			again[i].Store = store
		}
		sail(t, again, func(*Group) {
			want(t, "applied", sum(again, countApplies), len(again))
			later(time.Minute)
		})
		want(t, "packed and opened", []int{store.puts, store.opens}, []int{1, 1})
	})
}
