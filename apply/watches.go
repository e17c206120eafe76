package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Watches follow many sets by few watches: one of all sets' parents, and one of each kind that any of the sets has, by the
// labels that parents and members have, in all namespaces and of metadata only. What a set's Watch costs is memory.
//
//	watches := applier.Watches(ctx)
//	defer watches.Close()
//	watch, err := watches.Watch(ctx, set.ID) // of each set
//
// Its methods may be called by many goroutines at once.
type Watches struct {
	applier *Applier
	ctx     context.Context // of the streams
	cancel  context.CancelCauseFunc
	running sync.WaitGroup

	mu      sync.Mutex // also of all its Watches, so that each event comes to all in one order
	streams map[streamKind]*stream
	sets    map[string][]*Watch      // by the label of the members
	refused map[streamKind]time.Time // when the server last refused a stream

	firstPatience time.Duration // for a kind to be listed
	nextPatience  time.Duration // for a watch that has ended to be opened again
	shared        shared
	news          chan struct{} // closed when a stream has become current, or has ended
}

// A streamKind is what a stream is of. Its label is that of the members or that of the parents. By which version a kind is
// reached is of no matter: metadata are the same.
type streamKind struct {
	scopedKind
	labels string
}

func kindOf(r resource, labels string) streamKind {
	return streamKind{scopedKind{r.GroupKind(), r.Namespaced}, labels}
}

// refusedFor is how long a stream that was refused is not tried again.
const refusedFor = 10 * time.Minute

// Watches returns what follows sets together, until ctx ends or it is closed. It sends nothing before there is a Watch.
//
// It needs the right to list and to watch Secrets, and each kind, in all namespaces. Where the server refuses that for one,
// each set follows that kind by itself, as one of [Applier.Watch] does; after ten minutes it is tried again.
func (a *Applier) Watches(ctx context.Context) *Watches {
	h := &Watches{applier: a, streams: make(map[streamKind]*stream), sets: make(map[string][]*Watch),
		refused: make(map[streamKind]time.Time), shared: shared{most: 1 << 16}, news: make(chan struct{}),
		firstPatience: 5 * time.Second, nextPatience: time.Second}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.running.Go(func() {
		<-h.ctx.Done()
		for _, w := range h.all() {
			w.cancel(context.Cause(h.ctx))
		}
	})
	return h
}

// Close ends all its Watches and returns when nothing of them is left.
func (h *Watches) Close() {
	h.mu.Lock() // whoever starts anything does so under it
	h.cancel(errClosed)
	h.mu.Unlock()
	h.running.Wait()
}

func (h *Watches) all() []*Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(slices.Collect(maps.Values(h.sets))...)
}

// Watch starts to follow a set, which need not exist yet, until ctx ends or the Watch, or all of them, are closed. It is
// used as one of [Applier.Watch] is. Of a set that exists it reads the inventory, by one GET; that one does not exist is
// known. It waits, for some seconds at most, until the parents of all sets were listed.
//
// Its Apply asks for nothing of kinds that are followed, also not for objects that are new to the set, unless another set
// has them, or [AdoptNone], an ignored field or an annotation wants to know of objects that no set has. The first Apply of
// a small set so costs a PATCH for each object, and two writes of the inventory. Before it sends anything it waits, for
// some seconds at most, until the kinds that nobody has followed yet were listed.
func (h *Watches) Watch(ctx context.Context, id ID) (*Watch, error) {
	if err := (Set{ID: id}).check(); err != nil {
		return nil, err
	}
	w := newWatch(h.applier, id, &h.mu, &h.shared)
	w.hub, w.left = h, make(chan struct{})
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	h.mu.Lock()
	if h.ctx.Err() != nil {
		h.mu.Unlock()
		return nil, fmt.Errorf("watching %s: %w", id, context.Cause(h.ctx))
	}
	h.sets[w.label] = append(h.sets[w.label], w)
	h.running.Add(1)
	w.unless = context.AfterFunc(w.ctx, func() { h.leave(w) })
	w.sync()
	h.mu.Unlock()
	h.await(ctx, w)
	p, inv, err := h.read(ctx, w)
	if err != nil {
		w.Close()
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w.was = inv
	w.keepParent(p)
	w.sync()
	return w, nil
}

// read asks for the inventory, unless it is known that there is none.
func (h *Watches) read(ctx context.Context, w *Watch) (*parent, *inventory, error) {
	h.mu.Lock()
	s := w.streams[w.ofParent()]
	none := s != nil && s.feed != nil && s.current() && s.feed.sets[w.label] == nil
	h.mu.Unlock()
	if none {
		return &parent{Applier: h.applier, id: w.id}, newInventory(), nil
	}
	return h.applier.readParent(ctx, w.id)
}

// leave forgets a Watch that has ended.
func (h *Watches) leave(w *Watch) {
	h.mu.Lock()
	left := slices.DeleteFunc(h.sets[w.label], func(o *Watch) bool { return o == w })
	if h.sets[w.label] = left; len(left) == 0 {
		delete(h.sets, w.label)
	}
	for _, s := range w.streams {
		if s.feed != nil {
			w.stop(s)
		}
	}
	h.mu.Unlock()
	w.running.Wait() // for those of its own, of which none starts any more
	close(w.left)
	h.running.Done()
}

// offer returns how to follow a kind for all sets, unless the server refuses that.
func (h *Watches) offer(r resource, labels string) (following, bool) {
	if h == nil {
		return following{}, false
	}
	kind := kindOf(r, labels)
	if s := h.streams[kind]; s != nil {
		return s.following, true
	}
	at, refused := h.refused[kind]
	return following{resource: r, namespace: metav1.NamespaceAll, labels: labels}, !refused || time.Since(at) > refusedFor
}

// join has a Watch share a stream, and tells it what the stream has told before.
func (h *Watches) join(w *Watch, f following) {
	kind := kindOf(f.resource, f.labels)
	s := h.streams[kind]
	if s == nil {
		if h.ctx.Err() != nil {
			return
		}
		s = h.start(f)
		h.streams[kind] = s
	}
	s.feed.users[w], w.streams[s.following] = true, s
	if !s.listed {
		return
	}
	for _, is := range s.feed.sets[w.label] {
		w.hear(s, event{what: eventPresent, object: is.object})
	}
	w.hear(s, event{what: eventListed, at: s.feed.at})
}

func (h *Watches) start(f following) *stream {
	ctx, cancel := context.WithCancel(h.ctx)
	s := &stream{following: f, cancel: cancel, feed: newFeed()}
	s.pulse.told = func() { h.beat(s) }
	watched := f
	watched.pulse = &s.pulse
	h.running.Go(func() {
		defer cancel()
		err := h.applier.follow(ctx, watched, func(e event) error { return h.see(ctx, s, e) })
		if ctx.Err() == nil {
			h.refuse(s, err)
		}
	})
	return s
}

// release lets go a kind that nobody has any more.
func (h *Watches) release(w *Watch, s *stream) {
	if delete(s.feed.users, w); len(s.feed.users) == 0 {
		s.cancel()
		delete(h.streams, kindOf(s.resource, s.labels))
	}
}

// refuse has those who shared a stream that the server does not let be followed do without.
func (h *Watches) refuse(s *stream, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind := kindOf(s.resource, s.labels)
	if h.streams[kind] != s || h.ctx.Err() != nil {
		return
	}
	delete(h.streams, kind)
	h.refused[kind] = time.Now()
	if !s.ofParents() && s.resource.Namespaced && apierrors.IsForbidden(err) {
		h.applier.denied.add(s.resource, question{})
	}
	for w := range s.feed.users {
		delete(w.streams, s.following)
		w.sync()
	}
	h.wake()
}

func (h *Watches) beat(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !s.pulse.open() {
		s.feed.since = time.Now()
	}
	h.wake()
}

func (h *Watches) wake() {
	close(h.news)
	h.news = make(chan struct{})
}
