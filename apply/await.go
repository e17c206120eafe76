package apply

import (
	"context"
	"time"
)

// expect has the Watch follow the kinds that a run is about, and waits for what they tell.
func (w *Watch) expect(ctx context.Context, r *run) {
	if w == nil || w.hub == nil || r.set.Plan != nil {
		return
	}
	wants := resourcesOf(r.members)
	for ref := range r.was.entries {
		wants[r.was.kinds[ref.groupKind()]] = true
	}
	w.mu.Lock()
	w.wants = wants
	w.sync()
	w.mu.Unlock()
	w.hub.await(ctx, w)
}

// resourcesOf members, but for those that the set defines itself, which may be yet to come.
func resourcesOf(members []*member) map[resource]bool {
	all := make(map[resource]bool)
	for _, m := range members {
		if m.err == nil && !m.defined {
			all[m.resource] = true
		}
	}
	return all
}

// await waits until the streams that the Watch shares are current, or have long not been.
func (h *Watches) await(ctx context.Context, w *Watch) {
	for {
		h.mu.Lock()
		news, left := h.news, time.Duration(0)
		for _, s := range w.streams {
			left = max(left, h.patience(s))
		}
		h.mu.Unlock()
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
		case <-h.ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil || h.ctx.Err() != nil {
			return
		}
	}
}

// patience is for how long yet to wait for the stream.
func (h *Watches) patience(s *stream) time.Duration {
	switch {
	case s.feed == nil, s.current(), s.listed && s.feed.absent:
		return 0
	case s.listed:
		return h.nextPatience - time.Since(s.feed.since)
	}
	return h.firstPatience - time.Since(s.feed.since)
}
