package reconcile

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// panicIn has one part of the loop panic, at first.
func panicIn(s *ship, part string, from source.Source) *atomic.Int32 {
	left := new(atomic.Int32)
	left.Store(3)
	burst := func(here string) {
		if here == part && left.Add(-1) >= 0 {
			panic("the wheels came off")
		}
	}
	build, drift := s.Build, s.Drift
	s.Source = source.Func(func(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
		burst("fetch")
		return from.Fetch(ctx, known)
	})
	s.Build = func(ctx buildContext, fsys buildFS) (buildObjects, error) { burst("build"); return build(ctx, fsys) }
	s.Apply = func(ctx context.Context, r source.Revision, all []*unstructured.Unstructured) (*apply.Result, error) {
		burst("apply")
		return s.apply(ctx, r, all)
	}
	s.Wait = func(context.Context, source.Revision) error { burst("wait"); return nil }
	s.Drift = func(ctx context.Context) ([]apply.Drift, error) { burst("drift"); return drift(ctx) }
	s.Delete = func(ctx context.Context) (*apply.Result, error) { burst("delete"); return s.delete(ctx) }
	return left
}

func TestAPanicIsAnErrorOfItsLoop(t *testing.T) {
	for _, part := range []string{"fetch", "build", "apply", "wait", "drift"} {
		t.Run(part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newFleetOrigin("a", "b")
				s, other := newShip("a", o).watched(), newShip("b", o)
				left := panicIn(s, part, o)
				sail(t, []*ship{s, other}, func(*Group) {
					later(time.Millisecond)
					status := s.Status()
					err := status.Err
					if part == "drift" {
						err = status.WatchErr
					}
					if err == nil || !strings.Contains(err.Error(), "panicIn.func") || !strings.Contains(err.Error(), "wheels") {
						t.Errorf("the status does not say what and where: %v", err)
					}
					want(t, "the other", other.Status().State, StateReady)
					later(time.Minute)
					want(t, "state later", s.Status().State, StateReady)
				})
				want(t, "panics left", left.Load() <= 0, true)
				o.wantClosed(t)
			})
		})
	}
}

func TestAPanicOfDeleteIsAnErrorOfRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		panicIn(s, "delete", o).Store(1)
		sail(t, []*ship{s}, func(g *Group) {
			if err := g.Remove(t.Context(), "a", Delete); err == nil || !strings.Contains(err.Error(), "wheels") {
				t.Errorf("Remove returned %v", err)
			}
			want(t, "again", g.Remove(t.Context(), "a", Delete), nil)
		})
	})
}
