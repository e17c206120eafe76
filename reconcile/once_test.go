package reconcile

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

func TestOnceGoesTheWholeWayAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).waiting()
		s.Suspend()
		time.AfterFunc(10*time.Second, func() { close(s.heal) })
		start := time.Now()
		if err := s.Once(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, "time", time.Since(start), 10*time.Second)
		want(t, "events", s.told(), "Suspended Fetched Built Applied Waiting Healthy")
		status := s.Status()
		want(t, "status", []any{status.State, status.Ready, status.Healthy}, []any{StateSuspended, true, o.revision()})

		first := o.revision()
		o.commit("a", "2")
		s.set(func() { s.waitErr = errors.New("crash loop") })
		err := s.Once(t.Context())
		if err == nil || !strings.Contains(err.Error(), "crash loop") {
			t.Errorf("the error is %v", err)
		}
		want(t, "state", s.Status().Stage, Checking)
		s.At = func(source.Revision) (source.Source, error) {
			old := newFleetOrigin("a")
			return old, nil
		}
		if err := s.Pin(first); err != nil {
			t.Fatal(err)
		}
		s.set(func() { s.waitErr = nil })
		if err := s.Once(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, "applied", s.applies(), []string{"1 0s", "2 10s", "1 10s"})
		o.wantClosed(t)
	})
}

func TestOnceTellsEveryStageThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for stage, fail := range map[Stage]func(*ship, *fleetOrigin){
			Fetching: func(_ *ship, o *fleetOrigin) { o.down = errors.New("no") },
			Building: func(s *ship, _ *fleetOrigin) { s.buildErr = errors.New("no") },
			Applying: func(s *ship, _ *fleetOrigin) { s.applyErr = errors.New("no") },
			Checking: func(s *ship, _ *fleetOrigin) { s.waitErr = errors.New("no") },
			Restoring: func(s *ship, o *fleetOrigin) {
				_ = s.Pin(source.Revision{Digest: o.revision().Digest.Algorithm().FromString("")})
			},
		} {
			o := newFleetOrigin("a")
			s := newShip("a", o).waiting()
			s.At = func(source.Revision) (source.Source, error) { return o, nil }
			fail(s, o)
			if err := s.Once(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "a: ") {
				t.Errorf("%s: %v", stage, err)
			}
			status := s.Status()
			want(t, "stage", status.Stage, stage)
			last, ok := s.events[len(s.events)-1].(Failed)
			if !ok || last.Stage != stage || last.RetryIn != 0 || last.Failures != 1 {
				t.Errorf("%s: the last event is %#v", stage, s.events[len(s.events)-1])
			}
			o.wantClosed(t)
		}
	})
}

func TestOnceOfALoopThatRunsTakesItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched()
		s.slow = 10 * time.Second
		sail(t, []*ship{s}, func(*Group) {
			later(time.Second)
			if err := s.Once(t.Context()); err != nil {
				t.Error(err)
			}
			want(t, "applied", s.applies(), []string{"1 0s", "1 10s"})
			later(10 * time.Minute)
			want(t, "applied after", len(s.applies()), 2)
		})
	})
}

func TestTheLoopWaitsForWhatOnceDidNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched().waiting()
		close(s.heal)
		sail(t, []*ship{s}, func(*Group) {
			want(t, "state", s.Status().State, StateReady)
			s.set(func() { s.heal = make(chan struct{}) })
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := s.Once(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			synctest.Wait()
			want(t, "state", s.Status().State, StateWaiting)
			s.set(func() { close(s.heal) })
			synctest.Wait()
			want(t, "state", s.Status().State, StateReady)
		})
	})
}

func TestDriftIsCorrectedThoughTheLoopIsNotHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched().waiting()
		s.waitErr, s.RetryMin = errors.New("crash loop"), time.Hour
		sail(t, []*ship{s}, func(*Group) {
			later(time.Minute)
			s.drift <- someDrift()
			synctest.Wait()
			want(t, "applied", s.applies(), []string{"1 0s", "1 1m0s"})
		})
	})
}

func TestPinToWhatTheSourceHasHoldsItThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		sail(t, []*ship{s}, func(*Group) {
			if err := s.Pin(o.revision()); err != nil { // without Store and At
				t.Fatal(err)
			}
			o.commit("a", "2")
			later(3 * time.Minute)
			want(t, "applied while pinned", s.applies(), []string{"1 0s"})
			want(t, "reason", s.Status().Reason, ReasonPinned)
			s.Unpin()
			synctest.Wait()
			want(t, "applied after", len(s.applies()), 2)
		})
	})
}

func TestEventsAreLinesOfALog(t *testing.T) {
	s := newShip("a", newFleetOrigin("a"))
	if err := s.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	two := errors.Join(errors.New("one"), errors.New("two"))
	drifts := append(append(someDrift(), someDrift()...), append(someDrift(), someDrift()...)...)
	for _, e := range append(s.events, Restored{Loop: "a"}, Advanced{Loop: "a"}, Waiting{Loop: "a"}, Healthy{Loop: "a"},
		Unhealthy{Loop: "a", Err: two}, Superseded{Loop: "a"}, Drifted{"a", append(drifts, drifts...)}, Unwatched{Loop: "a", Err: two},
		DependencyNotReady{Loop: "a"}, Kept{Loop: "a"}, NotKept{Loop: "a", Err: two}, Failed{Loop: "a", Err: two, RetryIn: time.Minute},
		Suspended{"a"}, Resumed{"a"}, Triggered{"a"}, Pinned{Loop: "a"}, Unpinned{"a"}, Replaced{"a"}, Removed{Loop: "a"}) {
		text := e.String()
		if !strings.HasPrefix(text, "a: ") || strings.Contains(text, "\n") || e.LoopName() != "a" {
			t.Errorf("%T is told as %q", e, text)
		}
		if _, many := e.(Drifted); many && !strings.HasSuffix(text, "; 3 more") {
			t.Errorf("eight drifts are told as %q", text)
		}
	}
}
