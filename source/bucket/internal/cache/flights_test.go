package cache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// A caller is one of many that want the same.
type caller struct {
	ctx    context.Context
	cancel context.CancelFunc
	result error
	body   *Body
}

// fly has n callers at one key wait for what answer says, which is called once all wait and has the count of fetches so far.
func fly(t *testing.T, n int, began func(callers []*caller), answer func(c *caller, fetches int) (*Body, error)) (all []*caller, fetches int) {
	var flights Flights
	var mu sync.Mutex
	hold := make(chan struct{})
	var group sync.WaitGroup
	for range n {
		c := &caller{}
		c.ctx, c.cancel = context.WithCancel(t.Context())
		all = append(all, c)
		group.Go(func() {
			c.body, c.result = flights.Do(c.ctx, Key{1}, func() (*Body, error) {
				select {
				case <-hold:
				case <-c.ctx.Done():
					mu.Lock()
					defer mu.Unlock()
					fetches++
					return nil, c.ctx.Err()
				}
				mu.Lock()
				defer mu.Unlock()
				fetches++
				return answer(c, fetches)
			})
		})
		synctest.Wait() // the first one leads
	}
	began(all)
	synctest.Wait()
	close(hold)
	group.Wait()
	for _, c := range all {
		c.cancel()
	}
	if len(flights.running) > 0 {
		t.Errorf("%d flights are left", len(flights.running))
	}
	return all, fetches
}

func flown(*caller, int) (*Body, error) { return Read(strings.NewReader("a"), 1) }

func TestOneFetchIsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, fetches := fly(t, 5, func([]*caller) {}, flown)
		for i, c := range all {
			if c.body == nil || c.body != all[0].body || c.result != nil {
				t.Errorf("%d: got %v, %v", i, c.body, c.result)
			}
		}
		if fetches != 1 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

func TestWhoLeavesTakesNobodyAlong(t *testing.T) {
	for _, tt := range []struct {
		leave    []int // the first one leads
		min, max int   // fetches, cut ones too
	}{
		{[]int{2}, 1, 1},
		{[]int{0}, 2, 2},
		{[]int{4, 0}, 2, 2},
		{[]int{0, 1}, 2, 3}, // which of the others leads then is chance
	} {
		synctest.Test(t, func(t *testing.T) {
			all, fetches := fly(t, 5, func(callers []*caller) {
				for _, i := range tt.leave {
					callers[i].cancel()
					synctest.Wait()
				}
			}, flown)
			for i, c := range all {
				left := slices.Contains(tt.leave, i)
				if errors.Is(c.result, context.Canceled) != left || (c.body == nil) != left {
					t.Errorf("%v leave: %d got %v, %v", tt.leave, i, c.body, c.result)
				}
			}
			if fetches < tt.min || fetches > tt.max {
				t.Errorf("%v leave: %d fetches", tt.leave, fetches)
			}
		})
	}
}

func TestAnErrorIsOnlyForWhoHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forbidden := errors.New("forbidden")
		all, fetches := fly(t, 4, func([]*caller) {}, func(_ *caller, fetches int) (*Body, error) {
			if fetches == 1 {
				return nil, forbidden
			}
			return flown(nil, 0)
		})
		for i, c := range all {
			if (i == 0) != (c.result == forbidden) || (i == 0) == (c.body != nil) {
				t.Errorf("%d: got %v, %v", i, c.body, c.result)
			}
		}
		if fetches != 4 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flights Flights
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_, _ = flights.Do(t.Context(), Key{}, func() (*Body, error) { panic("a") })
		}()
		if body, err := flights.Do(t.Context(), Key{}, func() (*Body, error) { return flown(nil, 0) }); body == nil || err != nil {
			t.Errorf("got %v, %v", body, err)
		}
	})
}
