package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// A chaos is a world that goes wrong, by chance that a seed decides.
type chaos struct {
	*rand.Rand
	t       *testing.T
	cluster *chaosCluster
	origin  *fleetOrigin
	store   *memoryStore
	group   *Group
	n       int // loops there have been
	names   map[string]bool
	books   map[string]*chaosBook
}

// A chaosBook checks that the events of a loop add up.
type chaosBook struct {
	mu      sync.Mutex
	t       *testing.T
	waiting bool
	removed bool
}

func (b *chaosBook) note(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.removed {
		b.t.Errorf("%s: told after it was removed", e)
	}
	switch e.(type) {
	case Waiting:
		if b.waiting {
			b.t.Errorf("%s: two waits at once", e)
		}
		b.waiting = true
	case Healthy, Unhealthy, Superseded:
		if !b.waiting {
			b.t.Errorf("%s: without a wait", e)
		}
		b.waiting = false
	case Replaced:
		b.waiting = false
	case Removed:
		b.removed = true
	}
	if e.LoopName() == "" || e.String() == "" {
		b.t.Errorf("%T says nothing", e)
	}
}

// loop makes one of the name, whose build fails of a file that says so.
func (c *chaos) loop(name string) *Loop {
	book := &chaosBook{t: c.t}
	c.books[name] = book
	took := time.Duration(c.IntN(3)) * time.Second
	l := &Loop{Name: name, Source: c.origin, Store: c.store, RetryMax: 30 * time.Second, OnEvent: book.note,
		Build: func(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
			body, err := fs.ReadFile(fsys, name)
			if string(body) == "bad" {
				err = errors.New("bad yaml")
			}
			return []*unstructured.Unstructured{{Object: map[string]any{"body": string(body)}}}, err
		},
		Apply: func(ctx context.Context, _ source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
			return c.cluster.apply(ctx, name, objects[0].Object["body"].(string), took)
		},
		Drift:  func(ctx context.Context) ([]apply.Drift, error) { return c.cluster.drift(ctx, name) },
		Delete: func(context.Context) (*apply.Result, error) { return c.cluster.delete(name) },
	}
	if c.IntN(2) == 0 {
		l.Wait = func(ctx context.Context, _ source.Revision) error { pause(ctx, 5*time.Second, nil); return ctx.Err() }
	}
	if name != "app-1" && c.IntN(3) == 0 {
		l.DependsOn = []Dependency{{Name: "app-1", SameRevision: c.IntN(2) == 0}}
	}
	return l
}

// mishap is one thing that goes wrong, or right again.
func (c *chaos) mishap() {
	name := fmt.Sprintf("app-%d", 1+c.IntN(c.n))
	l, there := c.group.Loop(name)
	switch c.IntN(14) {
	case 0, 1, 2:
		c.origin.commit(name, fmt.Sprint(c.IntN(1000)))
	case 3:
		c.origin.commit(name, []string{"bad", "refused", "refused in part"}[c.IntN(3)])
	case 4:
		down := c.IntN(2) == 0
		c.origin.set(func() { c.origin.down = map[bool]error{true: errors.New("no route to host")}[down] })
	case 5:
		hang := c.IntN(4) == 0
		c.origin.set(func() { c.origin.hang = hang })
	case 6:
		c.cluster.mu.Lock()
		c.cluster.down = c.IntN(3) == 0
		c.cluster.mu.Unlock()
	case 7, 8:
		c.cluster.edit(name, map[bool]string{true: "edited"}[c.IntN(2) == 0])
	case 9:
		c.group.TriggerSource(func(*Loop) bool { return true })
		c.group.Trigger(name)
	case 10:
		if there && c.IntN(2) == 0 {
			l.Suspend()
		} else if there {
			l.Resume()
		}
	case 11:
		c.comeAndGo(name, there)
	case 12:
		if there && c.IntN(2) == 0 {
			_ = l.Pin(l.Status().Applied) // zero is refused
		} else if there {
			l.Unpin()
		}
	case 13:
		if there && name != "app-1" {
			if err := c.group.Replace(context.Background(), c.loop(name)); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// comeAndGo removes the loop, or adds one; app-1, on which others depend, stays.
func (c *chaos) comeAndGo(name string, there bool) {
	if there && name != "app-1" {
		if c.group.Remove(context.Background(), name, Delete) == nil {
			delete(c.names, name)
		}
		return
	}
	c.n++
	c.add(fmt.Sprintf("app-%d", c.n))
}

func (c *chaos) add(name string) {
	c.origin.commit(name, "new")
	c.names[name] = true
	if err := c.group.Add(c.loop(name)); err != nil {
		c.t.Error(err)
	}
}

// process runs the group for a while, and stops it in the midst of all.
func (c *chaos) process(mishaps int, end func()) {
	c.group = &Group{Workers: 3}
	for name := range c.names {
		if err := c.group.Add(c.loop(name)); err != nil {
			c.t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() { _ = c.group.Run(ctx); close(ended) }()
	for range mishaps {
		c.mishap()
		time.Sleep(time.Duration(c.IntN(20000)) * time.Millisecond)
	}
	end()
	cancel()
	<-ended
}

func TestChaosEndsAsTheLastGoodRevisionsSay(t *testing.T) {
	seeds := uint64(12)
	if testbed.Race {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &chaos{Rand: rand.New(rand.NewPCG(seed, 8)), t: t, cluster: newChaosCluster(), origin: newFleetOrigin(),
					store: newMemoryStore(), names: map[string]bool{}, books: map[string]*chaosBook{}}
				for c.n = 1; c.n <= 5; c.n++ {
					name := fmt.Sprintf("app-%d", c.n)
					c.origin.commit(name, "new")
					c.names[name] = true
				}
				c.n = 5
				for range 4 { // lives of the process
					c.process(60, func() {})
				}
				c.process(20, c.calm)
				c.origin.wantClosed(t)
			})
		})
	}
}

// calm puts all right that others did, and checks what the loops make of it.
func (c *chaos) calm() {
	c.cluster.mu.Lock()
	c.cluster.down = false
	c.cluster.mu.Unlock()
	c.origin.set(func() { c.origin.down, c.origin.hang = nil, false })
	for name := range c.names {
		switch string(c.origin.files[name].Data) {
		case "bad", "refused", "refused in part":
			c.origin.commit(name, "good again")
		}
		l, ok := c.group.Loop(name)
		if !ok {
			c.t.Fatalf("%s is not in the group", name)
		}
		if l.Status().State == StateRemoving {
			if err := c.group.Remove(context.Background(), name, Delete); err != nil {
				c.t.Error(err)
			}
			delete(c.names, name)
			continue
		}
		l.Unpin()
		l.Resume()
	}
	time.Sleep(15 * time.Minute)
	synctest.Wait()
	for name := range c.cluster.objects {
		if !c.names[name] {
			c.t.Errorf("%s is orphaned", name)
		}
	}
	for _, s := range c.group.Status() {
		if got, want := c.cluster.objects[s.Name], string(c.origin.files[s.Name].Data); got != want {
			c.t.Errorf("%s is %q on the cluster, want %q", s.Name, got, want)
		}
		if s.State != StateReady || !s.Ready || s.Err != nil || s.Applied != c.origin.revision() || s.Failures != 0 {
			c.t.Errorf("%s is %s: ready %t, %q, %v, at %s; blocked by %v",
				s.Name, s.State, s.Ready, s.Reason, s.Err, s.Applied, s.Blocked)
		}
	}
}
