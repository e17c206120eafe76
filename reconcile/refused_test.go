package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

var errRefused = errors.New("the cluster says no")

// refusing has the cluster refuse the objects whose body is one of those, after changing so many of them.
func (s *ship) refusing(changes int, bodies ...string) *ship {
	s.Apply = func(ctx context.Context, r source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
		result, err := s.apply(ctx, r, objects)
		s.mu.Lock()
		defer s.mu.Unlock()
		body, _, _ := unstructured.NestedString(objects[0].Object, "data", "it")
		for _, no := range bodies {
			if no == body && s.applyErr == nil && s.heal != nil {
				return &apply.Result{Changes: result.Changes[:changes]}, errRefused
			}
		}
		return result, err
	}
	return s
}

// relent has the cluster refuse nothing more.
func (s *ship) relent() { s.set(func() { s.heal = nil }) }

func TestDriftOfTheLastGoodRevisionIsCorrectedWhileANewerOneIsRefused(t *testing.T) {
	for changes, what := range []string{"not applied", "applied in part"} {
		synctest.Test(t, func(t *testing.T) {
			o := newFleetOrigin("a")
			first := o.revision()
			s := newShip("a", o).watched().refusing(changes, "2")
			s.RetryMin = 20 * time.Second
			sail(t, []*ship{s}, func(*Group) {
				second := o.commit("a", "2")
				s.Trigger()
				later(5 * time.Second)
				want(t, "applied", s.applies(), []string{"1 0s", "2 0s"})
				s.drift <- someDrift()
				synctest.Wait()
				want(t, "applied at once", s.applies()[2:], []string{"1 5s"})
				status := s.Status()
				wantRevisions(t, status, []source.Revision{second, second, first})
				want(t, "state", []any{status.State, status.Reason, status.Stage, status.Ready},
					[]any{StateFailing, ReasonApply, Applying, false})
				if !errors.Is(status.Err, errRefused) {
					t.Errorf("the status says %v", status.Err)
				}
				later(16 * time.Second)
				want(t, "tried again at its time", s.applies()[3:], []string{"2 20s"})
				later(50 * time.Second) // the third try is at 1m0s
				want(t, "failures", s.Status().Failures, 3)
				s.drift <- someDrift()
				synctest.Wait()
				want(t, "corrected again", s.applies()[5], "1 1m11s")
				s.relent()
				later(time.Minute)
				status = s.Status()
				wantRevisions(t, status, []source.Revision{second, second, second})
				want(t, "in the end", []any{status.State, status.Ready, status.Err}, []any{StateReady, true, error(nil)})
			})
			applied := toldOf[Applied](s)
			want(t, "cause", []any{applied[2].Cause, applied[2].Revision, applied[2].Err}, []any{CauseDrift, first, error(nil)})
			want(t, "cause of the try", applied[3].Cause, CauseRetry)
			if text := applied[1].String(); !strings.HasPrefix(text, "a: "+what+" ") {
				t.Errorf("the line is %q", text)
			}
			o.wantClosed(t)
		})
	}
}

func TestDriftThatIsToBeCorrectedLaterIsThoughATryComesBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched().refusing(0, "2")
		s.RetryMin = 10 * time.Second
		sail(t, []*ship{s}, func(*Group) {
			o.commit("a", "2")
			s.Trigger()
			later(5 * time.Second)
			s.drift <- someDrift()
			later(2 * time.Second)
			s.drift <- someDrift() // which comes back soon, so that it is left for ten seconds
			later(11 * time.Second)
			want(t, "applied", s.applies(), []string{"1 0s", "2 0s", "1 5s", "2 10s", "1 17s"})
		})
	})
}

func TestLastGoodRevisionThatCannotBeKeptIsToldBesideTheRefusedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched().refusing(0, "2")
		s.RetryMin, s.Interval = 10*time.Second, time.Hour
		down := errors.New("connection refused")
		sail(t, []*ship{s}, func(*Group) {
			o.commit("a", "2")
			s.Trigger()
			later(5 * time.Second)
			s.set(func() { s.applyErr = down })
			s.drift <- someDrift()
			later(time.Second)
			if err := s.Status().Err; !errors.Is(err, errRefused) || !errors.Is(err, down) {
				t.Errorf("the status says %v", err)
			}
			later(20 * time.Second)
			want(t, "both are tried, each at its time", s.applies(), []string{"1 0s", "2 0s", "1 5s", "2 10s", "1 15s"})
			s.set(func() { s.applyErr = nil })
			later(10 * time.Second)
			want(t, "then", s.applies()[5:], []string{"2 30s", "1 35s"})
			if err := s.Status().Err; !errors.Is(err, errRefused) || errors.Is(err, down) {
				t.Errorf("the status says %v", err)
			}
		})
	})
}

func TestTimeKeepsTheLastGoodRevisionOnlyWhereTheRefusedOneChangedNothing(t *testing.T) {
	for changes, applies := range []string{
		"1 0s, 2 1m0s, 1 1m0s, 2 1m25s, 1 2m0s, 2 2m15s, 1 3m0s", "1 0s, 2 1m0s, 2 1m25s, 2 2m15s"} {
		synctest.Test(t, func(t *testing.T) {
			o := newFleetOrigin("a")
			s := newShip("a", o).refusing(changes, "2")
			s.RetryMin, s.RetryMax = 25*time.Second, time.Hour
			sail(t, []*ship{s}, func(*Group) {
				o.commit("a", "2")
				later(190 * time.Second)
			})
			want(t, "applied", strings.Join(s.applies(), ", "), applies)
		})
	}
}

func TestNobodyWaitsForTheLastGoodRevisionWhileANewerOneIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched().refusing(0, "2")
		s.Wait = func(context.Context, source.Revision) error { return nil }
		s.Interval, s.RetryMin = time.Hour, time.Minute
		sail(t, []*ship{s}, func(*Group) {
			o.commit("a", "2")
			s.Trigger()
			later(time.Second)
			s.drift <- someDrift()
			synctest.Wait()
			status := s.Status()
			want(t, "outcome", []any{status.History[0].Cause, status.History[0].Health}, []any{CauseDrift, HealthNone})
			o.commit("a", "1") // as it was
			s.Trigger()
			synctest.Wait()
			status = s.Status()
			want(t, "state", []any{status.State, status.Ready, status.Err}, []any{StateReady, true, error(nil)})
		})
		want(t, "waits", []int{len(toldOf[Waiting](s)), len(toldOf[Healthy](s))}, []int{2, 2})
	})
}

func TestWhatDependsOnARestoredLoopGoesOnThoughTheSourceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemoryStore()
		o := newFleetOrigin("db")
		before := newShip("db", o).watched()
		before.Store = store
		sail(t, []*ship{before}, func(*Group) {})
		o.down = errors.New("no route to host")
		db := newShip("db", o).watched()
		db.Store, db.Wait = store, func(context.Context, source.Revision) error { return nil }
		web := newShip("web", newFleetOrigin("web")).watched().after(Dependency{Name: "db"})
		sail(t, []*ship{web, db}, func(*Group) {
			later(time.Second)
			for _, s := range []*ship{db, web} {
				status := s.Status()
				want(t, s.Name, []any{len(s.applies()), status.Ready, status.Err, len(status.Blocked)}, []any{1, true, error(nil), 0})
			}
			want(t, "states", []State{db.Status().State, web.Status().State}, []State{StateOutOfReach, StateReady})
		})
	})
}

func TestDriftOfASuspendedLoopIsCorrectedOnceItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched()
		sail(t, []*ship{s}, func(*Group) {
			s.Suspend()
			s.drift <- someDrift()
			later(time.Hour)
			want(t, "applied meanwhile", len(s.applies()), 1)
			s.Resume()
			synctest.Wait()
			if len(s.applies()) < 2 { // once, or once more by what Resume asks for
				t.Error("it is not corrected")
			}
		})
		if !strings.HasPrefix(s.told(), "Fetched Built Applied Suspended Drifted Resumed ") {
			t.Errorf("events: %s", s.told())
		}
	})
}

func TestARevisionOfTheSameObjectsHasACauseOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		sail(t, []*ship{s}, func(*Group) {
			o.commit("README", "nothing of ours")
			later(2 * time.Minute)
			want(t, "cause", s.Status().History[0].Cause, CauseAdvance)
		})
		want(t, "applied", len(toldOf[Applied](s)), 1)
	})
}
