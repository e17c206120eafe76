package reconcile

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// A run is a group while it runs: a queue of what may have something to do, and those who look at it.
type run struct {
	group *Group
	ctx   context.Context
	queue workqueue.TypedDelayingInterface[task]
	slots chan struct{} // one held by each task under way, up to patient

	mu      sync.Mutex // of the origins too
	origins map[any]*origin
	texts   map[string]int    // how many origins have it
	kept    map[keptKey]*kept // from the Store
}

// A task is an origin or a loop. The queue has each once, and nobody works at one twice at a time.
type task interface{ work() }

// patient is how long a task counts among Workers.
const patient = 10 * time.Second

var errRuns = errors.New("running a group: it runs already")

// errStopped is why what a loop has under way ends when the loop is removed or replaced.
var errStopped = errors.New("the loop was removed or replaced")

// Run runs the group's loops until ctx ends, and returns ctx's error then, when nothing of it is left: no goroutine, and no
// call of a loop's function under way. Loops can be added, replaced and removed meanwhile. A group without loops waits for
// them. While it runs, a second Run returns an error.
func (g *Group) Run(ctx context.Context) error {
	r := &run{group: g, queue: newQueue(), origins: make(map[any]*origin),
		texts: make(map[string]int), kept: make(map[keptKey]*kept),
		slots: make(chan struct{}, cmp.Or(max(g.Workers, 0), 4*runtime.GOMAXPROCS(0)))}
	var stop context.CancelFunc
	r.ctx, stop = context.WithCancel(ctx)
	defer stop()
	if !g.start(r) {
		r.queue.ShutDown()
		return errRuns
	}
	var tasks sync.WaitGroup
	var dispatcher sync.WaitGroup
	dispatcher.Go(func() { r.dispatch(&tasks) })
	<-ctx.Done()
	r.queue.ShutDown()
	dispatcher.Wait()
	tasks.Wait()
	g.stop(r)
	return context.Cause(ctx)
}

// dispatch starts a goroutine for each task that is due, as long as there are slots.
func (r *run) dispatch(tasks *sync.WaitGroup) {
	for {
		select {
		case r.slots <- struct{}{}:
		case <-r.ctx.Done():
			return
		}
		t, ended := r.queue.Get()
		if ended {
			return
		}
		tasks.Go(func() {
			defer r.queue.Done(t)
			leave := sync.OnceFunc(func() { <-r.slots })
			defer leave()
			impatient := time.AfterFunc(patient, leave)
			defer impatient.Stop()
			if r.ctx.Err() == nil {
				t.work()
			}
		})
	}
}

// start gives each loop of the group its place.
func (g *Group) start(r *run) bool {
	e := &g.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running {
		return false
	}
	e.run, e.running = r, true
	for _, l := range e.loops {
		r.enter(l)
	}
	return true
}

// stop ends what the loops have under way, and takes their places.
func (g *Group) stop(r *run) {
	e := &g.engine
	e.mu.Lock()
	loops := make([]*Loop, 0, len(e.loops))
	for _, l := range e.loops {
		loops = append(loops, l)
	}
	e.run = nil
	e.mu.Unlock()
	for _, l := range loops {
		_ = r.leave(context.Background(), l, r.ctx.Err())
		l.close()
	}
	r.mu.Lock()
	open := maps.Clone(r.kept)
	r.mu.Unlock()
	for key, k := range open {
		r.drop(key, k)
	}
	e.mu.Lock()
	e.running = false
	e.mu.Unlock()
}

// enter gives the loop a place, and has its source fetched.
func (r *run) enter(l *Loop) {
	p := &place{run: r}
	p.ctx, p.end = context.WithCancelCause(r.ctx)
	p.origin = r.originOf(l)
	l.set(func(c *core) {
		// What is on the cluster may have changed since an earlier run: it is applied once in any case.
		c.place, c.open, c.watching, c.broken = p, true, false, c.broken || c.applied != nil
	})
	r.ask(p.origin) // first: else the loop would think that nothing newer is on its way
	r.queue.Add(l)
}

// leave ends what the loop has under way and takes its place. It waits for the end of that, as long as ctx lasts.
func (r *run) leave(ctx context.Context, l *Loop, why error) error {
	p := l.placed()
	if p == nil || p.run != r {
		return nil
	}
	p.end(why)
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	p.tasks.Wait()
	r.forget(p.origin, l)
	l.set(func(c *core) {
		if c.place == p {
			c.place, c.wait = nil, nil
		}
	})
	l.deliver()
	return nil
}

// close tells the loop's parts that it no longer runs, if it did.
func (l *Loop) close() {
	l.core.mu.Lock()
	open := l.core.open
	l.core.open = false
	l.core.mu.Unlock()
	if open && l.Close != nil {
		l.Close()
	}
}
