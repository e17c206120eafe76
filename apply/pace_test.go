package apply

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func TestPacerHalvesItsBoundAndGrowsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, busy, most := http.StatusOK, 0, 0
		var mu sync.Mutex
		p := newPacer(8)
		p.next = answering(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			busy--
			return &http.Response{StatusCode: status}, nil
		})
		round := func(requests, answer, wantMost int) {
			t.Helper()
			status, most = answer, 0
			var all sync.WaitGroup
			for range requests {
				all.Go(func() {
					r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://server/", nil)
					if _, err := p.RoundTrip(r); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if most != wantMost {
				t.Errorf("%d requests were under way at once, want %d", most, wantMost)
			}
		}
		round(20, http.StatusOK, 8)
		round(8, http.StatusTooManyRequests, 8) // all at once halve it once
		round(5, http.StatusOK, 4)
		round(5, http.StatusTooManyRequests, 5)
		round(30, http.StatusOK, 6)
		round(60, http.StatusOK, 8)
	})
}

func TestPacerLetsGoOfThoseThatNoLongerWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(1)
		p.next = answering(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return &http.Response{StatusCode: http.StatusOK}, nil
		})
		send := func(ctx context.Context, path string) error {
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://server/"+path, nil)
			_, err := p.RoundTrip(r)
			return err
		}
		var all sync.WaitGroup
		all.Go(func() { _ = send(t.Context(), "") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if err := send(ctx, ""); !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
		})
		all.Go(func() { _ = send(t.Context(), "?watch=true") }) // does not wait for a turn
		synctest.Wait()
		cancel()
		all.Wait()
		if err := send(t.Context(), ""); err != nil || p.busy != 0 || len(p.queue) != 0 {
			t.Errorf("%v; %d busy, %d waiting", err, p.busy, len(p.queue))
		}
	})
}

// An overloaded server answers 429 to all but a few requests at once.
func TestApplyGetsThroughToAnOverloadedServer(t *testing.T) {
	b := newBench(t, Options{})
	var busy, refused atomic.Int32
	config := rest.CopyConfig(b.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return answering(func(r *http.Request) (*http.Response, error) {
			defer busy.Add(-1)
			if busy.Add(1) > 4 {
				refused.Add(1)
				return &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody, Request: r,
					Header: http.Header{"Retry-After": {"1"}}}, nil
			}
			return next.RoundTrip(r)
		})
	})
	var objects []*unstructured.Unstructured
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "nn", "o", "p"} {
		objects = append(objects, configMap(t, name, "1"), service(t, name))
	}
	a := newApplier(t, config, Options{})
	result, err := a.Apply(t.Context(), b.set(objects...))
	if err != nil || result.Count(Created) != 32 {
		t.Errorf("%v, %v", actions(result), err)
	}
	if refused.Load() == 0 {
		t.Error("nothing was refused")
	}
}
