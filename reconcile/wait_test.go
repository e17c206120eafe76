package reconcile

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// toldOf are the events of one type.
func toldOf[E Event](s *ship) []E {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []E
	for _, e := range s.events {
		if e, ok := e.(E); ok {
			all = append(all, e)
		}
	}
	return all
}

func TestNewObjectsEndTheWaitForTheOldOnesAlsoAfterADependencyHeldThemUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("db", "web")
		db := newShip("db", o).watched().waiting()
		web := newShip("web", o).watched().waiting().after(Dependency{Name: "db", SameRevision: true})
		var waited []source.Revision
		var mu sync.Mutex
		web.Wait = func(ctx context.Context, r source.Revision) error {
			mu.Lock()
			waited = append(waited, r)
			mu.Unlock()
			<-ctx.Done()
			return ctx.Err()
		}
		first := o.revision()
		sail(t, []*ship{db, web}, func(*Group) {
			db.set(func() { close(db.heal) })
			later(time.Second)
			want(t, "state", web.Status().State, StateWaiting)
			db.set(func() { db.heal = make(chan struct{}) })
			o.commit("db", "2")
			second := o.commit("web", "2")
			later(time.Minute)
			want(t, "state while the dependency waits", web.Status().State, StateBlocked)
			db.set(func() { close(db.heal) })
			later(time.Second)
			want(t, "applied", len(web.applies()), 2)
			mu.Lock()
			want(t, "waited for", waited, []source.Revision{first, second})
			mu.Unlock()
		})
		want(t, "waits", []int{len(toldOf[Waiting](web)), len(toldOf[Superseded](web))}, []int{2, 2})
	})
}

func TestWhatIsToldToBeginIsToldToEndAlsoAtTheEndOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a", "b")
		waits, applies := newShip("a", o).waiting(), newShip("b", o)
		applies.slow = time.Hour
		sail(t, []*ship{waits, applies}, func(*Group) { later(time.Second) })
		want(t, "a wait", waits.told(), "Fetched Built Applied Waiting Superseded")
		want(t, "by", toldOf[Superseded](waits)[0].By, source.Revision{})
		want(t, "an apply", applies.told(), "Fetched Built Applied Failed")
		failed := toldOf[Failed](applies)[0]
		want(t, "again in", failed.RetryIn, 0)
		want(t, "stage", failed.Stage, Applying)
		if !errors.Is(failed.Err, context.Canceled) {
			t.Errorf("the error is %v", failed.Err)
		}
	})
}

func TestADependencyIsToldOnceThoughAnotherBecomesReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a", "b", "c")
		s := newShip("c", o).after(Dependency{Name: "a"}, Dependency{Name: "b"})
		sail(t, []*ship{s}, func(g *Group) {
			later(time.Second)
			if err := g.Add(newShip("a", o).Loop); err != nil {
				t.Fatal(err)
			}
			later(time.Second)
		})
		var told []string
		for _, e := range toldOf[DependencyNotReady](s) {
			if e.Dependency.Name == "b" {
				told = append(told, e.Why)
			}
		}
		want(t, "told of b", told, []string{"there is no loop of this name"})
	})
}

func TestOnceWaitsWithTheWaitThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a")).watched().waiting()
		s.Apply = func(context.Context, source.Revision, []*unstructured.Unstructured) (*apply.Result, error) {
			return nil, nil
		}
		sail(t, []*ship{s}, func(*Group) {
			later(time.Second)
			want(t, "state", s.Status().State, StateWaiting)
			ended := make(chan error, 1)
			go func() { ended <- s.Once(t.Context()) }()
			synctest.Wait()
			select {
			case err := <-ended:
				t.Fatalf("Once returned %v, and it is not healthy", err)
			default:
			}
			s.set(func() { close(s.heal) })
			want(t, "Once", <-ended, nil)
			want(t, "waits", s.count(&s.waits), 1)
		})
	})
}

func TestOnceOfAnEndedContextSaysSo(t *testing.T) {
	for range 20 { // which of two that are ready select takes is by chance
		o := newFleetOrigin("a")
		s := newShip("a", o)
		if err := s.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Pin(o.revision()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Once(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("Once returned %v", err)
		}
		want(t, "applied", len(s.applies()), 1)
	}
}
