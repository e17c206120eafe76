package apply

import (
	"context"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A stream is one following of a Watch, or of Watches that share it.
type stream struct {
	following
	cancel context.CancelFunc
	pulse  pulse
	listed bool  // all that is there was told
	ended  bool  // the server refused it
	feed   *feed // what those need who share it; nil: it is the Watch's own
}

// parentKey stands for the set's parent among the members.
var parentKey = Ref{}

// key of the object in the Watch's maps.
func (s *stream) key(o metav1.Object) Ref {
	if s.ofParents() {
		return parentKey
	}
	return s.ref(o)
}

// ofParents tells whether it is of the set's parent, or of all sets' parents, and not of members.
func (s *stream) ofParents() bool { return s.fields != "" || s.labels == idLabel }

func (s *stream) covers(key Ref) bool {
	if s.ofParents() || key == parentKey {
		return s.ofParents() && key == parentKey
	}
	return s.following.covers(key)
}

// current tells whether what it told is how it is, as far as a watch can tell.
func (s *stream) current() bool { return s.listed && s.pulse.open() }

// A pulse tells whether a watch is open. It beats when one is opened and when it ends.
type pulse struct {
	beats atomic.Int32
	told  func() // of each beat; nil: nobody is
}

func (p *pulse) beat() {
	p.beats.Add(1)
	if p.told != nil {
		p.told()
	}
}

func (p *pulse) open() bool { return p.beats.Load()%2 == 1 }

// lost tells whether one was open, and none is.
func (p *pulse) lost() bool { return p.beats.Load() > 0 && !p.open() }

// start follows, until the stream is stopped or refused.
func (w *Watch) start(f following) {
	if w.ctx.Err() != nil {
		return
	}
	if w.hub != nil && f.shared() {
		w.hub.join(w, f)
		return
	}
	ctx, cancel := context.WithCancel(w.ctx)
	s := &stream{following: f, cancel: cancel}
	w.streams[f] = s
	watched := f
	watched.pulse = &s.pulse
	w.running.Go(func() {
		defer cancel()
		err := w.applier.follow(ctx, watched, func(e event) error { return w.see(ctx, s, e) })
		if ctx.Err() == nil {
			w.refused(s, err)
		}
	})
}

func (w *Watch) stop(s *stream) {
	delete(w.streams, s.following)
	if s.feed != nil {
		w.hub.release(w, s)
		return
	}
	s.cancel()
}

// covering returns the streams that tell of the object.
func (w *Watch) covering(key Ref) []*stream {
	var all []*stream
	for _, s := range w.streams {
		if s.covers(key) {
			all = append(all, s)
		}
	}
	return all
}

// current tells whether what was told of the object is how it is, as far as a watch can tell.
func (w *Watch) current(key Ref) bool {
	for _, s := range w.covering(key) {
		if s.current() {
			return true
		}
	}
	return false
}
