package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

type (
	buildContext = context.Context
	buildFS      = fs.FS
	buildObjects = []*unstructured.Unstructured
)

func readBody(fsys fs.FS, name string) (string, error) {
	body, err := fs.ReadFile(fsys, name)
	return string(body), err
}

// wantRevisions compares the one that is wanted, the one that was tried and the one that is applied.
func wantRevisions(t *testing.T, s Status, all []source.Revision) {
	t.Helper()
	want(t, "revisions", []source.Revision{s.Wanted, s.Attempted, s.Applied}, all)
}

func someDrift() []apply.Drift { return []apply.Drift{{What: apply.DriftChanged}} }

func TestARevisionThatFailsDoesNotUndoTheLastGoodOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		first := o.revision()
		s := newShip("a", o).watched()
		s.RetryMax = 10 * time.Second
		sail(t, []*ship{s}, func(*Group) {
			s.set(func() { s.buildErr = errors.New("bad yaml") })
			second := o.commit("a", "2")
			later(61 * time.Second)
			status := s.Status()
			wantRevisions(t, status, []source.Revision{second, second, first})
			want(t, "reason", status.Reason, ReasonBuild)
			want(t, "state", status.State, StateFailing)
			want(t, "ready", status.Ready, false)
			want(t, "applies", len(s.applies()), 1)
			fetches := o.count()
			s.drift <- someDrift()
			synctest.Wait()
			want(t, "drift is corrected to", s.applies()[1], "1 1m1s")

			later(30 * time.Second)
			want(t, "fetches to try again", o.count(), fetches)
			if s.count(&s.builds) < 4 {
				t.Errorf("%d builds: it is not tried again", s.count(&s.builds))
			}
			s.set(func() { s.buildErr, s.applyErr = nil, errors.New("webhook says no") })
			later(10 * time.Second)
			status = s.Status()
			wantRevisions(t, status, []source.Revision{second, second, first})
			want(t, "reason", status.Reason, ReasonApply)
			s.set(func() { s.applyErr = nil })
			later(20 * time.Second)
			status = s.Status()
			want(t, "applied", status.Applied, second)
			want(t, "reason", status.Reason, ReasonNone)
			want(t, "error", []any{status.Err, status.Failures, status.Ready}, []any{error(nil), 0, true})
		})
		o.wantClosed(t)
	})
}

func TestSourceOutOfReachIsToldAndDriftCorrectedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		sail(t, []*ship{s}, func(*Group) {
			o.set(func() { o.down = &source.TemporaryError{After: 10 * time.Minute, Err: errors.New("busy")} })
			later(90 * time.Second)
			status := s.Status()
			want(t, "state", []any{status.State, status.Reason, status.Ready}, []any{StateOutOfReach, ReasonUnreachable, true})
			s.drift <- someDrift()
			later(5 * time.Minute)
			want(t, "applied", len(s.applies()), 2)
			want(t, "fetches of who wants to be left alone", o.count(), 2)
			o.set(func() { o.down = nil })
			s.Trigger()
			synctest.Wait()
			want(t, "state", s.Status().State, StateReady)
		})
	})
}

func TestANewRevisionEndsTheWaitForTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched().waiting()
		sail(t, []*ship{s}, func(*Group) {
			later(61 * time.Second)
			want(t, "state", s.Status().State, StateWaiting)
			o.commit("README", "nothing of ours")
			s.Trigger()
			synctest.Wait()
			want(t, "waits after a revision of the same", s.count(&s.waits), 1)
			o.commit("a", "2")
			later(60 * time.Second)
			want(t, "waits after a new one", s.count(&s.waits), 2)
			want(t, "health", s.Status().History[1].Health, HealthNone)
			s.set(func() { close(s.heal) })
			synctest.Wait()
			status := s.Status()
			want(t, "state", []any{status.State, status.Ready, status.Healthy}, []any{StateReady, true, status.Wanted})
			want(t, "took", status.History[0].Took.Wait > 0 || status.History[0].Health == HealthOK, true)
		})
		if told := s.told(); !strings.Contains(told, "Built Superseded Applied Waiting Healthy") {
			t.Errorf("events: %s", told)
		}
	})
}

func TestWhatDoesNotBecomeHealthyIsAppliedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched().waiting()
		s.Timeouts.Wait = 30 * time.Second
		sail(t, []*ship{s}, func(*Group) {
			later(100 * time.Second)
			want(t, "applied", s.applies(), []string{"1 0s", "1 31s", "1 1m3s", "1 1m37s"})
			status := s.Status()
			want(t, "failures", status.Failures, 0)
			want(t, "health", status.History[1].Health, HealthBad)
			if err := status.History[1].Err; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the loop's Timeouts.Wait, 30s") {
				t.Errorf("the error is %v", err)
			}
			s.set(func() { close(s.heal) })
			synctest.Wait()
			want(t, "state", s.Status().State, StateReady)
		})
		var failures []int
		for _, e := range s.events {
			if f, ok := e.(Failed); ok {
				want(t, "stage", f.Stage, Checking)
				failures = append(failures, f.Failures)
			}
		}
		want(t, "failures told", failures, []int{1, 2, 3})
	})
}

func TestDependenciesAreReadyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("db", "web")
		db := newShip("db", o).watched().waiting()
		web := newShip("web", o).watched().after(Dependency{Name: "db"})
		sail(t, []*ship{web, db}, func(*Group) {
			later(70 * time.Second)
			status := web.Status()
			want(t, "state", []any{status.State, status.Reason}, []any{StateBlocked, ReasonDependency})
			want(t, "blocked", status.Blocked, []string{"db: it waits for health"})
			want(t, "applied", len(web.applies()), 0)
			db.set(func() { close(db.heal) })
			synctest.Wait()
			want(t, "applied", web.applies(), []string{"1 1m10s"})
			want(t, "blocked", len(web.Status().Blocked), 0)
		})
	})
}

func TestDependenciesAtTheSameRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("db", "web", "page")
		db := newShip("db", o).watched()
		web := newShip("web", o).watched().after(Dependency{Name: "db", SameRevision: true})
		page := newShip("page", o).watched().after(Dependency{Name: "web", SameRevision: true})
		sail(t, []*ship{page, web, db}, func(g *Group) {
			want(t, "at first", []int{len(db.applies()), len(web.applies()), len(page.applies())}, []int{1, 1, 1})
			db.set(func() { db.slow = 20 * time.Second })
			o.commit("db", "2")
			o.commit("page", "2") // and web stays
			g.Trigger("db")
			later(10 * time.Second)
			want(t, "page while db is applied", len(page.applies()), 1)
			want(t, "web's revision then", web.Status().Applied != web.Status().Wanted, true)
			page.drift <- someDrift()
			synctest.Wait()
			want(t, "page's drift is corrected to the old one", page.applies()[1], "1 10s")
			later(15 * time.Second)
			want(t, "page", page.applies()[2], "2 20s")
			want(t, "web", len(web.applies()), 1)
			want(t, "all at one", []source.Revision{db.Status().Applied, web.Status().Applied, page.Status().Applied},
				[]source.Revision{o.revision(), o.revision(), o.revision()})

			if err := g.Remove(t.Context(), "db", Leave); err != nil {
				t.Error(err)
			}
			o.commit("web", "2")
			later(2 * time.Minute)
			want(t, "blocked by who is gone", web.Status().Blocked, []string{"db: there is no loop of this name"})
			if err := g.Add(newShip("db", o).Loop); err != nil {
				t.Fatal(err)
			}
			later(time.Second)
			want(t, "web after it came back", len(web.applies()), 2)
		})
		o.wantClosed(t)
	})
}

func TestHistoryTellsWhatHappenedAndCountsWhatRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o)
		s.History = 3
		unchanged := &apply.Result{Changes: []apply.Change{{Action: apply.Unchanged}}}
		apply0 := s.apply
		s.Apply = func(ctx context.Context, r source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
			result, err := apply0(ctx, r, objects)
			if len(s.applies()) > 1 && err == nil {
				result = unchanged
			}
			return result, err
		}
		sail(t, []*ship{s}, func(*Group) {
			later(10*time.Minute + time.Second)
			history := s.Status().History
			want(t, "outcomes", len(history), 2)
			want(t, "repeats", history[0].Repeats, 9)
			want(t, "last", history[0].Last.Sub(history[0].Time), 9*time.Minute)
			want(t, "first", fmt.Sprint(history[1].Counts), fmt.Sprint(map[apply.Action]int{apply.Configured: 1}))
			want(t, "changes", []int{len(history[0].Changes), len(history[1].Changes)}, []int{0, 1})
			s.set(func() { s.buildErr = errors.New("bad yaml") })
			o.commit("a", "2")
			later(2 * time.Minute)
			s.set(func() { s.buildErr = nil })
			later(2 * time.Minute)
			history = s.Status().History
			want(t, "outcomes kept", len(history), 3)
			stages := map[Stage]bool{}
			for _, h := range history {
				stages[h.Stage] = true
			}
			want(t, "stages", stages[Building], true)
		})
	})
}

func TestEventsMayCallTheLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o)
		g := new(Group)
		listen, once := s.OnEvent, false
		s.OnEvent = func(e Event) {
			listen(e)
			switch e.(type) {
			case Fetched:
				if once { // else there is no end
					return
				}
				once = true
				s.Trigger()
				s.Suspend()
				_ = s.Status()
				_ = g.Status()
			case Suspended:
				s.Resume()
				if err := s.Pin(o.revision()); err != nil {
					t.Error(err)
				}
			case Pinned:
				s.Unpin()
			}
		}
		var mine []Event
		g.OnEvent = func(e Event) {
			mine = append(mine, e)
			want(t, "the loop's own hears it first", len(mine), len(s.events))
		}
		if err := g.Add(s.Loop); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		ended := make(chan struct{})
		go func() { _ = g.Run(ctx); close(ended) }()
		<-ended
		want(t, "events", len(mine) > 4, true)
	})
}
