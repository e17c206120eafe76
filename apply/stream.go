package apply

import (
	"context"
	"sync/atomic"
)

// A stream is one following of a Watch.
type stream struct {
	following
	cancel context.CancelFunc
	pulse  pulse
	listed bool // all that is there was told
	ended  bool // the server refused it
}

// parentKey stands for the set's parent among the members.
var parentKey = Ref{}

// key of the object in the Watch's maps.
func (s *stream) key(f following, e event) Ref {
	if s.fields != "" {
		return parentKey
	}
	return f.ref(e.object)
}

func (s *stream) covers(key Ref) bool {
	if s.fields != "" || key == parentKey {
		return s.fields != "" && key == parentKey
	}
	return s.following.covers(key)
}

// A pulse tells whether a watch is open. It beats when one is opened and when it ends.
type pulse struct{ beats atomic.Int32 }

func (p *pulse) beat()      { p.beats.Add(1) }
func (p *pulse) open() bool { return p.beats.Load()%2 == 1 }

// lost tells whether one was open, and none is.
func (p *pulse) lost() bool { return p.beats.Load() > 0 && !p.open() }

// start follows, until the stream is stopped or refused.
func (w *Watch) start(f following) {
	if w.ctx.Err() != nil {
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
		if s.listed && s.pulse.open() {
			return true
		}
	}
	return false
}
