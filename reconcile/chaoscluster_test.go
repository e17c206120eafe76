package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gitopskit/gitopskit/apply"
)

// A chaosCluster has one object for each loop, and tells its loop when somebody else has changed it.
type chaosCluster struct {
	mu      sync.Mutex
	down    bool
	objects map[string]string
	left    map[string]string        // as the loop left it
	news    map[string]chan struct{} // that it is not so any more
}

func newChaosCluster() *chaosCluster {
	return &chaosCluster{objects: map[string]string{}, left: map[string]string{}, news: map[string]chan struct{}{}}
}

// edit is somebody else's.
func (c *chaosCluster) edit(name, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left[name] == "" {
		return // there is none
	}
	if c.objects[name] = body; body == "" {
		delete(c.objects, name)
	}
	c.ring(name)
}

func (c *chaosCluster) bell(name string) chan struct{} {
	if c.news[name] == nil {
		c.news[name] = make(chan struct{}, 1)
	}
	return c.news[name]
}

func (c *chaosCluster) ring(name string) {
	select {
	case c.bell(name) <- struct{}{}:
	default:
	}
}

func (c *chaosCluster) apply(ctx context.Context, name, body string, took time.Duration) (*apply.Result, error) {
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errors.New("connection refused")
	}
	if body == "refused" {
		return nil, errors.New("no such kind")
	}
	action := apply.Unchanged
	if c.objects[name] != body {
		action = apply.Configured
	}
	c.objects[name], c.left[name] = body, body
	result := &apply.Result{Changes: []apply.Change{{Ref: apply.Ref{Kind: "ConfigMap", Name: name}, Action: action}}}
	if body == "refused in part" {
		return result, errors.New("another object is refused")
	}
	return result, nil
}

// drift waits for what is not as it was left.
func (c *chaosCluster) drift(ctx context.Context, name string) ([]apply.Drift, error) {
	for {
		c.mu.Lock()
		bell, drifted := c.bell(name), c.objects[name] != c.left[name]
		c.mu.Unlock()
		select {
		case <-bell:
			c.mu.Lock()
			drifted = c.objects[name] != c.left[name]
			c.mu.Unlock()
			if drifted {
				return []apply.Drift{{What: apply.DriftChanged}}, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("drifted %t: %w", drifted, ctx.Err())
		}
	}
}

func (c *chaosCluster) delete(name string) (*apply.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errors.New("connection refused")
	}
	delete(c.objects, name)
	c.left[name] = ""
	return &apply.Result{}, nil
}
