package reconcile

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/source"
)

func TestHugeIntervalIsNotNow(t *testing.T) {
	for _, jitter := range []float64{-1, 0, 1, math.NaN(), math.Inf(1)} {
		l := &Loop{Interval: math.MaxInt64, Jitter: jitter}
		for range 100 {
			if d := l.delay(0); d < 0 || jitter != 1 && jitter <= 1 && d < 24*365*time.Hour {
				t.Fatalf("Jitter %g: the next round is in %s", jitter, d)
			}
		}
	}
}

func TestABuilderMayUseItsSliceAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		s := newShip("a", o).watched()
		objects := make([]*unstructured.Unstructured, 1)
		s.Build = func(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
			body, err := readBody(fsys, "a")
			objects[0] = configMap("a", body)
			return objects, err
		}
		sail(t, []*ship{s}, func(*Group) {
			later(time.Second)
			o.commit("a", "2")
			later(time.Minute)
		})
		want(t, "applied", s.applies(), []string{"1 0s", "2 1m0s"})
	})
}

func TestASourceThatTellsNoRevisionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		var given []*source.Snapshot
		s := newShip("a", source.Func(func(context.Context, source.Revision) (*source.Snapshot, error) {
			given = append(given, source.NewSnapshot(o.files, source.Revision{}))
			return given[len(given)-1], nil
		}))
		sail(t, []*ship{s}, func(*Group) {
			later(time.Second / 2)
			if s.Status().FetchErr == nil {
				t.Errorf("the status says nothing of it: %+v", s.Status())
			}
		})
		if _, err := given[0].ReadDir("."); !errors.Is(err, fs.ErrClosed) {
			t.Error("its snapshot is open still")
		}
	})
}

// An unhashableStore is comparable by its type, and not by its value.
type unhashableStore struct {
	Store
	more any
}

func TestStoreThatIsNoKeyOfAMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a")
		store := unhashableStore{newMemoryStore(), []string{"more"}}
		s := newShip("a", o)
		s.Store = store
		sail(t, []*ship{s}, func(*Group) {})
		want(t, "events", s.told(), "Fetched Built Applied Kept")
		again := newShip("a", o)
		again.Store = store
		o.set(func() { o.down = errors.New("down") })
		sail(t, []*ship{again}, func(*Group) {})
		want(t, "applied", again.applies(), []string{"1 0s"})
	})
}
