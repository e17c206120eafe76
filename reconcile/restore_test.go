package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// A sulkyStore does not tell what a name stands for, for a while.
type sulkyStore struct {
	*memoryStore
	err func() error
}

func (s sulkyStore) Resolve(ctx context.Context, name string) (artifact.Tagged, error) {
	if err := s.err(); err != nil {
		return artifact.Tagged{}, err
	}
	return s.memoryStore.Resolve(ctx, name)
}

func TestLastGoodRevisionIsRestoredOnceTheStoreAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		store := newMemoryStore()
		first := newShip("a", o)
		first.Store = store
		sail(t, []*ship{first}, func(*Group) {})
		o.set(func() { o.down = errors.New("down") })
		s := newShip("a", o)
		var refuse error = errors.New("the store is down, too")
		asked := 0
		s.Store = sulkyStore{store, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			asked++
			return refuse
		}}
		sail(t, []*ship{s}, func(*Group) {
			later(20 * time.Second)
			want(t, "applied", len(s.applies()), 0)
			if n := s.count(&asked); n < 3 || n > 10 {
				t.Errorf("the store was asked %d times in 20 seconds", n)
			}
			if s.Status().StoreErr == nil {
				t.Error("the status does not say that the store fails")
			}
			s.set(func() { refuse = nil })
			later(time.Minute)
			want(t, "applied once the store answers", len(s.applies()) > 0, true)
			want(t, "the store's error", s.Status().StoreErr, nil)
		})
		o.wantClosed(t)
	})
}

func TestRestoreThatStopEndedIsDoneByTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		store := newMemoryStore()
		first := newShip("a", o)
		first.Store = store
		sail(t, []*ship{first}, func(*Group) {})
		o.set(func() { o.down = errors.New("down") })
		s := newShip("a", o)
		ctx, cancel := context.WithCancel(t.Context())
		stopped := func() error { cancel(); return ctx.Err() }
		s.Store = sulkyStore{store, func() error { return stopped() }}
		_ = s.Run(ctx)
		stopped = func() error { return nil }
		want(t, "applied", len(s.applies()), 0)
		want(t, "the store's error", s.Status().StoreErr, nil)
		sail(t, []*ship{s}, func(*Group) { later(time.Second) })
		want(t, "applied by the next run", len(s.applies()), 1)
	})
}
