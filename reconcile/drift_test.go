package reconcile

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

func TestWhatIsReportedBeforeTheCorrectionCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a"))
		moved := make(chan []apply.Drift, 100)
		s.Drift = func(ctx context.Context) ([]apply.Drift, error) {
			select {
			case d := <-moved:
				return d, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		s.Apply = func(ctx context.Context, r source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
			for len(moved) > 0 { // what is corrected is not told any more
				<-moved
			}
			return s.apply(ctx, r, objects)
		}
		s.RetryMin, s.RetryMax = 10*time.Second, time.Hour
		sail(t, []*ship{s}, func(*Group) {
			later(2 * time.Minute)
			for range 40 { // somebody deletes many objects one after another
				moved <- someDrift()
				later(time.Second / 2)
			}
			later(15 * time.Second) // the correction that is due at about ten is done
			n := len(s.applies())
			moved <- someDrift()
			later(41 * time.Second) // the third or fourth in a row
			want(t, "applied soon after the next", len(s.applies()), n+1)
		})
	})
}

func TestDriftThatIsToldAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShip("a", newFleetOrigin("a"))
		var told int
		s.Drift = func(context.Context) ([]apply.Drift, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if told++; told > 10000 {
				return nil, errors.New("asked ten thousand times")
			}
			return someDrift(), nil
		}
		sail(t, []*ship{s}, func(*Group) { later(time.Minute) })
		if told > 200 {
			t.Errorf("asked %d times within a minute", told)
		}
	})
}
