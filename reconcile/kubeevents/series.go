package kubeevents

import (
	"slices"
	"time"
)

const (
	window = 10 * time.Minute // a repeat this long after the last one starts a new series
	rhythm = time.Minute      // at which a series is written again
	tries  = 10               // of one message, where the server cannot take it
)

// A key is what two messages have to have in common to be one series.
type key struct {
	Object
	Message
}

// A series is a message that is or was posted, and how often it came.
type series struct {
	key
	first, last time.Time
	count       int // how often it came
	told        int // of these, how many the server knows of

	name    string    // of the Event, from the first try on
	there   bool      // the server has it
	due     time.Time // when it may be written
	queued  bool
	refused bool // by the server, which is not asked again
	failed  int  // tries
}

// A budget is how many messages an object may have: a bucket of 25 that gains one a minute.
type budget struct {
	left float64
	at   time.Time
}

func (b *budget) take(now time.Time) bool {
	b.left = min(b.left+now.Sub(b.at).Minutes(), full)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

const full = 25

// note counts a message, and tells whether there is something new to post. The caller holds the lock.
func (r *Recorder) note(k key, now time.Time) bool {
	s := r.series[k]
	if s != nil && !s.queued && now.Sub(s.last) > window {
		s = nil
	}
	if s == nil {
		b := r.budgets[k.Object]
		if b == nil {
			b = &budget{full, now}
			r.budgets[k.Object] = b
		}
		if len(r.queue) >= r.opts.Pending || !b.take(now) {
			r.dropped++
			return false
		}
		s = &series{key: k, first: now}
		r.series[k] = s
	}
	if s.refused {
		r.dropped++
		return false // until it is forgotten, and tried anew
	}
	s.count++
	s.last = now
	switch {
	case s.queued:
		return false
	case len(r.queue) >= r.opts.Pending:
		return false // it is counted, and its next repeat may tell
	}
	s.queued = true
	r.queue = append(r.queue, s)
	return true
}

// next takes the first series out of the queue that may be written now, or says how long there will be none. At the end
// none is waited for.
func (r *Recorder) next(now time.Time, end bool) (*series, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	wait := rhythm
	for i, s := range r.queue {
		if d := s.due.Sub(now); d > 0 && !end {
			wait = min(wait, d)
			continue
		}
		r.queue = slices.Delete(r.queue, i, i+1)
		s.queued = false
		return s, 0
	}
	return nil, wait
}

// again puts a series back.
func (r *Recorder) again(s *series) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.queued {
		s.queued = true
		r.queue = append(r.queue, s)
	}
}

// sweep forgets what is over.
func (r *Recorder) sweep(now time.Time) {
	for k, s := range r.series {
		if !s.queued && now.Sub(s.last) > window {
			delete(r.series, k)
		}
	}
	for o, b := range r.budgets {
		if b.left+now.Sub(b.at).Minutes() >= full {
			delete(r.budgets, o)
		}
	}
}
