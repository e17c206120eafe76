package cache

import (
	"context"
	"sync"
)

// Flights has what is being fetched, so that nobody else fetches the same meanwhile. The zero value is ready.
type Flights struct {
	mu      sync.Mutex
	running map[Key]*flight
}

type flight struct {
	done      chan struct{}
	body      *Body // nil: it failed
	abandoned bool  // it failed because its caller's context ended
}

// Do returns what fetch does, or what the fetch of another caller does that is running under the same key. An error is only
// for whose fetch had it: where another's context ended, the next in line fetches, and after any other error, which may come
// of what the other may not or has not, each by itself. The error is ctx's where that ends while this waits.
func (f *Flights) Do(ctx context.Context, key Key, fetch func() (*Body, error)) (*Body, error) {
	for {
		running, leads := f.join(key)
		if leads {
			return f.lead(ctx, key, running, fetch)
		}
		select {
		case <-running.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case running.body != nil:
			return running.body, nil
		case !running.abandoned:
			return fetch()
		}
	}
}

func (f *Flights) join(key Key) (running *flight, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if running := f.running[key]; running != nil {
		return running, false
	}
	if f.running == nil {
		f.running = map[Key]*flight{}
	}
	running = &flight{done: make(chan struct{})}
	f.running[key] = running
	return running, true
}

func (f *Flights) lead(ctx context.Context, key Key, own *flight, fetch func() (*Body, error)) (body *Body, err error) {
	defer func() { // also where fetch panics
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.running, key)
		own.body, own.abandoned = body, ctx.Err() != nil
		close(own.done)
	}()
	return fetch()
}
