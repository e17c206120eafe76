package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Watch follows a set for long: it says when the set has drifted, and applies it without asking for what it has been
// told. Its methods may be called by many goroutines at once; two calls of Apply take turns.
//
//	watch, err := applier.Watch(ctx, set.ID)
//	defer watch.Close()
//	for {
//		result, err := watch.Apply(ctx, set) // at first, and after each drift
//		…
//		drifts, err := watch.Drift(ctx) // waits
//		…
//	}
//
// It holds one watch of the set's parent, and for each kind of the inventory one in each of up to four namespaces, or else
// one in all; all are of metadata only. Those of many sets are better shared: see [Watches]. It keeps the inventory, and of
// each member what a look would tell: 1 to 2 KiB.
type Watch struct {
	applier *Applier
	id      ID
	label   string          // of the members
	hub     *Watches        // whose streams it shares; nil: all are its own
	left    chan struct{}   // closed when it has left the hub
	unless  func() bool     // has it not leave by itself at the end of ctx; false: it has, or does
	ctx     context.Context // of the streams
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	turn    chan struct{} // held by the Apply that is under way

	// The content of parent is touched only by who has the turn; the rest is under mu.
	mu        *sync.Mutex       // the hub's, where there is one
	parent    *parent           // as last read or written; nil: it is to be read
	version   string            // of that parent; empty: there was none
	was       *inventory        // as far as known; what is in it does not change
	wants     map[resource]bool // of the set that was last applied; of a hub's Watch only
	applying  bool
	streams   map[following]*stream
	sightings map[Ref]*sighting // by identity; of the parent, by the zero Ref
	keepsakes map[Ref]keepsake
	shared    *shared
	moved     map[Ref]bool // what events were about, and nobody has judged
	refusals  map[following]*refusal
	news      chan struct{} // closed when there is something to judge or to tell
}

// A refusal is why the server does not let something be followed.
type refusal struct {
	err  error
	told bool
}

// errClosed is why a Watch ended that was closed.
var errClosed = errors.New("the watch was closed")

// Watch starts to follow a set, which need not exist yet, until ctx ends or the Watch is closed. It costs one GET of the
// inventory, and a LIST and a WATCH for each kind in it; it does not wait for these. It needs the rights to list and to
// watch: of Secrets in the set's namespace, by the name of the set, and of each kind.
func (a *Applier) Watch(ctx context.Context, id ID) (*Watch, error) {
	if err := (Set{ID: id}).check(); err != nil {
		return nil, err
	}
	p, inv, err := a.readParent(ctx, id)
	if err != nil {
		return nil, err
	}
	w := newWatch(a, id, new(sync.Mutex), &shared{most: 4096})
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.was = inv
	w.keepParent(p)
	w.sync()
	return w, nil
}

func newWatch(a *Applier, id ID, mu *sync.Mutex, texts *shared) *Watch {
	return &Watch{applier: a, id: id, label: id.label(), mu: mu, shared: texts, turn: make(chan struct{}, 1),
		was: newInventory(), streams: make(map[following]*stream), sightings: make(map[Ref]*sighting),
		keepsakes: make(map[Ref]keepsake), moved: make(map[Ref]bool), refusals: make(map[following]*refusal),
		news: make(chan struct{})}
}

// Close ends the watch and returns when nothing of it is left. A Drift that waits returns an error. Apply then works as
// the Applier's does, as it also does when the context of the Watch has ended.
func (w *Watch) Close() {
	byItself := w.hub != nil && !w.unless()
	w.mu.Lock() // whoever starts a stream does so under it
	w.cancel(errClosed)
	w.mu.Unlock()
	w.running.Wait()
	if byItself {
		<-w.left
	} else if w.hub != nil {
		w.hub.leave(w)
	}
}

// Apply is as [Applier.Apply], and does not ask for what the watch has been told: where nothing is to be done it sends
// nothing, and what has drifted costs a PATCH for each object and one write of the inventory. An object that is gone, or
// new to the set, is looked at first, by one GET, unless Drift has done so within the last half minute.
//
// The inventory, or a kind, of which the watch is not open, or has not told all yet, costs what it costs [Applier.Apply];
// and so does all with a [Set.Plan]. A watch that was lost or refused is tried again at the end of each Apply.
//
// A watch is late by milliseconds. What it has not told yet Apply cannot know, and Drift tells it then.
func (w *Watch) Apply(ctx context.Context, set Set) (*Result, error) {
	if set.ID != w.id {
		return &Result{ID: set.ID}, fmt.Errorf("applying %s: %w: the watch is of %s", set.ID, ErrInvalid, w.id)
	}
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return &Result{ID: set.ID}, fmt.Errorf("applying %s: %w", set.ID, context.Cause(ctx))
	}
	if w.ctx.Err() != nil {
		return w.applier.Apply(ctx, set)
	}
	w.mu.Lock()
	w.applying = true
	w.mu.Unlock()
	r, err := w.run(ctx, set)
	if w.guessed(r, err) {
		r, err = w.run(ctx, set)
	}
	w.learn(r)
	return r.result, err
}

func (w *Watch) run(ctx context.Context, set Set) (*run, error) {
	r := newRun(w.applier, set)
	r.watch, r.answered = w, w.note
	return r, r.apply(ctx)
}

// guessed tells whether a run changed nothing since there is an inventory of which the hub had not told yet, or a Secret
// that is none; the next run asks.
func (w *Watch) guessed(r *run, err error) bool {
	if w.hub == nil || !errors.Is(err, ErrConflict) || r.result.Changes != nil || r.parent == nil || r.parent.exists {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parent = nil
	return true
}

// learn takes from a run that is over what it found out and did, and judges what moved meanwhile.
func (w *Watch) learn(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applying = false
	if r.parent == nil { // it ended before it knew anything
		w.wake()
		return
	}
	switch {
	case r.stored != nil:
		w.was = r.stored
		w.keepParent(r.parent)
	case r.now != nil:
		w.was, w.parent = r.now, nil
	default:
		w.parent = nil
	}
	if r.changes != nil {
		w.remember(r.members)
	}
	if w.hub != nil {
		w.wants = resourcesOf(r.members)
	}
	for ref, s := range w.sightings {
		if _, in := w.was.entries[ref]; !in && s.gone() && ref != parentKey {
			delete(w.sightings, ref)
		}
	}
	w.sync()
	w.settle()
	w.wake()
}

func (w *Watch) keepParent(p *parent) {
	w.parent, w.version = p, ""
	if p.exists {
		w.version = p.metadata.ResourceVersion
		w.put(parentKey, &partialObject{ObjectMeta: p.metadata})
	}
}

// inventory returns the parent and the inventory, where they are as the cluster has them; else nil.
func (w *Watch) inventory(set Set) (*parent, *inventory) {
	if w == nil || set.Plan != nil {
		return nil, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parent == nil || !w.current(parentKey) {
		return nil, nil
	}
	if w.hub != nil && !w.parent.exists && len(set.Objects) == 0 { // no write would tell that there is one
		return nil, nil
	}
	if s := w.sightings[parentKey]; s.gone() && w.parent.exists || !s.gone() && s.object.ResourceVersion != w.version {
		return nil, nil
	}
	// A run may find that a kind is reached in another way; it changes no entries.
	return w.parent, &inventory{revalidated: w.was.revalidated, writer: w.was.writer, entries: w.was.entries, kinds: maps.Clone(w.was.kinds)}
}

// sync starts to follow what the inventory has, tries again what has trouble, and stops the rest.
func (w *Watch) sync() {
	wanted := w.followings()
	stopped := false
	for f, s := range w.streams {
		if !wanted[f] || s.pulse.open() {
			delete(w.refusals, f)
		}
		if !wanted[f] || s.feed == nil && (s.pulse.lost() || s.ended) {
			w.stop(s)
			stopped = stopped || !wanted[f]
		}
	}
	for f := range wanted {
		if w.streams[f] == nil {
			w.start(f)
		}
	}
	if stopped {
		maps.DeleteFunc(w.sightings, func(ref Ref, _ *sighting) bool { return len(w.covering(ref)) == 0 })
	}
}

// followings are one of the parent, and some of each kind, where a LIST would look for it as well.
func (w *Watch) followings() map[following]bool {
	spaces := make(map[resource]map[string]bool)
	for ref := range w.was.entries {
		r := w.was.kinds[ref.groupKind()]
		if spaces[r] == nil {
			spaces[r] = make(map[string]bool)
		}
		spaces[r][ref.Namespace] = true
	}
	wanted := map[following]bool{w.ofParent(): true}
	for r := range w.wants {
		if f, ok := w.hub.offer(r, partOfLabel); ok {
			wanted[f] = true
		}
	}
	for r, in := range spaces {
		if f, ok := w.hub.offer(r, partOfLabel); ok {
			wanted[f] = true
			continue
		}
		if len(in) > fewNamespaces && !w.applier.denied.has(r, question{}) {
			in = map[string]bool{metav1.NamespaceAll: true}
		}
		for namespace := range in {
			wanted[following{resource: r, namespace: namespace, labels: partOfLabel + "=" + w.label}] = true
		}
	}
	return wanted
}

func (w *Watch) ofParent() following {
	if f, ok := w.hub.offer(secretResource, idLabel); ok {
		return f
	}
	return following{resource: secretResource, namespace: w.id.Namespace, fields: nameField(w.id.Name)}
}

// refused notes that a stream ended, with the server's reason. Where it may not watch all namespaces, it watches each.
func (w *Watch) refused(s *stream, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams[s.following] != s || w.ctx.Err() != nil {
		return
	}
	s.ended = true
	r := s.resource
	if apierrors.IsForbidden(err) && r.Namespaced && s.namespace == metav1.NamespaceAll && !w.applier.denied.has(r, question{}) {
		w.applier.denied.add(r, question{})
		w.sync()
		return
	}
	if w.refusals[s.following] == nil {
		w.refusals[s.following] = &refusal{err: err}
		w.wake()
	}
}

// wake has Drift look again.
func (w *Watch) wake() {
	close(w.news)
	w.news = make(chan struct{})
}
