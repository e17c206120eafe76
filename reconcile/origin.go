package reconcile

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// An origin is a Source that loops of a group have together. All but the source is under run.mu.
type origin struct {
	run     *run
	key     any
	source  source.Source
	text    string          // of the source
	ctx     context.Context // ends when no loop has it any more
	cancel  context.CancelFunc
	loops   map[*Loop]bool
	asked   bool
	started time.Time // of the fetch under way; zero: there is none
	due     time.Time // the next fetch that time asks for
	bad     int       // fetches that failed one after another

	revision source.Revision // as last told
	content  *content        // of revision, while there are loops that want it
	wanting  map[*Loop]bool
}

// originOf has the loops of one comparable source share an origin.
func (r *run) originOf(l *Loop) *origin {
	var key any = l // its own
	if v := reflect.ValueOf(l.Source); v.Comparable() {
		key = l.Source
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.origins[key]
	if o == nil {
		o = &origin{run: r, key: key, source: l.Source, text: originText(l.Source), loops: make(map[*Loop]bool),
			wanting: make(map[*Loop]bool)}
		o.ctx, o.cancel = context.WithCancel(r.ctx)
		r.origins[key] = o
		r.texts[o.text]++
	}
	o.loops[l] = true
	return o
}

// forget takes the loop from its origin, which ends with the last one.
func (r *run) forget(o *origin, l *Loop) {
	r.mu.Lock()
	delete(o.loops, l)
	if len(o.loops) == 0 && r.origins[o.key] == o {
		delete(r.origins, o.key)
		r.texts[o.text]--
		o.cancel()
	}
	r.mu.Unlock()
	r.unwanted(o, l)
}

// alone tells whether no other source of the group has the same text.
func (r *run) alone(o *origin) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.texts[o.text] <= 1
}

// ask has the source fetched at once; where a fetch is under way, once more after it.
func (r *run) ask(o *origin) {
	r.mu.Lock()
	o.asked = true
	r.mu.Unlock()
	r.queue.Add(o)
}

// need returns the content of a revision for a loop to build, which releases it; or nil, and has it fetched. While fetches
// fail it is not asked for, since they are tried again anyway.
func (r *run) need(o *origin, revision source.Revision) *content {
	r.mu.Lock()
	if o.content != nil && o.revision == revision {
		defer r.mu.Unlock()
		return o.content.acquire()
	}
	ask := o.revision == revision && o.bad == 0 && o.started.IsZero() // of a newer one the loop is about to hear
	o.asked = o.asked || ask
	r.mu.Unlock()
	if ask {
		r.queue.Add(o)
	}
	return nil
}

// satisfied says that the loop has built what it wanted.
func (r *run) satisfied(o *origin, l *Loop, with source.Revision) {
	r.mu.Lock()
	newer := o.revision != with // of which the loop is about to hear
	r.mu.Unlock()
	if !newer {
		r.unwanted(o, l)
	}
}

// unwanted says that the loop wants no content of the source.
func (r *run) unwanted(o *origin, l *Loop) {
	r.mu.Lock()
	var last *content
	if delete(o.wanting, l); len(o.wanting) == 0 {
		last, o.content = o.content, nil
	}
	r.mu.Unlock()
	if last != nil {
		last.release()
	}
}

// grace is how long a loop's Apply that time asks for waits for a fetch that time asks for too, so as not to apply what is
// about to be replaced.
const grace = 5 * time.Second

// busy tells whether a fetch is under way, or is about to be, and has not been for long.
func (r *run) busy(o *origin, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !o.started.IsZero() {
		return now.Sub(o.started) < grace
	}
	return o.asked || !now.Before(o.due) && now.Sub(o.due) < grace
}

// work fetches, if it is time to.
func (o *origin) work() {
	now := time.Now()
	active := o.active()
	if len(active) == 0 {
		return // who resumes asks
	}
	o.run.mu.Lock()
	asked, due := o.asked, o.due
	o.run.mu.Unlock()
	if !asked && now.Before(due) {
		o.run.queue.AddAfter(o, due.Sub(now))
		return
	}
	f := o.begin(active, now)
	f.fetch(o.ctx)
	if o.ctx.Err() != nil && f.snapshot == nil {
		return
	}
	o.end(f)
	for i, l := range f.loops {
		l.hear(f, i > 0)
		o.run.queue.Add(l)
	}
}

// active returns the loops that do not rest, the one with the shortest interval first.
func (o *origin) active() []*Loop {
	o.run.mu.Lock()
	loops := slices.Collect(maps.Keys(o.loops))
	o.run.mu.Unlock()
	loops = slices.DeleteFunc(loops, func(l *Loop) bool {
		l.core.mu.Lock()
		defer l.core.mu.Unlock()
		return l.core.suspended || l.core.removing || l.core.place == nil
	})
	slices.SortFunc(loops, func(a, b *Loop) int { return cmp.Compare(a.interval(), b.interval()) })
	return loops
}

// A fetch is one call of a source, for many loops.
type fetch struct {
	source source.Source
	origin *origin // nil for Once
	loops  []*Loop
	asked  map[*Loop]bool // those that were triggered before it began
	known  source.Revision
	limits *Loop // whose timeout it has

	revision source.Revision
	snapshot *source.Snapshot
	err      error
	took     time.Duration
	failures int
	due      time.Time
}

// begin takes the triggers of the loops, and finds out what is known.
func (o *origin) begin(loops []*Loop, now time.Time) *fetch {
	f := &fetch{source: o.source, origin: o, loops: loops, asked: make(map[*Loop]bool)}
	for _, l := range loops {
		l.core.mu.Lock()
		f.asked[l], l.core.asked = l.core.asked, false
		l.core.mu.Unlock()
		if f.limits == nil || l.fetchTimeout() > f.limits.fetchTimeout() {
			f.limits = l
		}
	}
	o.run.mu.Lock()
	revision, held := o.revision, o.content != nil
	o.asked, o.started = false, now
	o.run.mu.Unlock()
	if held || !slices.ContainsFunc(loops, func(l *Loop) bool { return l.lacks(revision) }) {
		f.known = revision
	}
	return f
}

// lacks tells whether the loop is to build a revision of its source.
func (l *Loop) lacks(revision source.Revision) bool {
	l.core.mu.Lock()
	defer l.core.mu.Unlock()
	c := &l.core
	return c.pin.IsZero() && !c.suspended && !c.removing && (c.built == nil || c.built.revision != revision)
}

// What a source returned against its contract.
var (
	errNothing    = errors.New("the source returned neither a snapshot nor an error")
	errNoRevision = errors.New("the source returned a snapshot whose revision has no digest")
)

func (l *Loop) fetchTimeout() time.Duration {
	return or(l.Timeouts.Fetch, or(l.Timeout, defaultTimeout))
}

// fetch calls the source, and asks that it keeps to its contract.
func (f *fetch) fetch(ctx context.Context) {
	start := time.Now()
	ctx, cancel := f.limits.limit(ctx, "Fetch", f.limits.Timeouts.Fetch)
	defer cancel()
	f.snapshot, f.err = fetchFrom(ctx, f.source, f.known)
	f.took = time.Since(start)
	f.revision = f.known
	switch {
	case f.err == nil:
		f.revision = f.snapshot.Revision
	case errors.Is(f.err, source.ErrNotModified) && !f.known.IsZero():
		f.err = nil
	default:
		f.err = late(ctx, f.err)
	}
}

// fetchFrom returns a snapshot with a revision, or else an error.
func fetchFrom(ctx context.Context, from source.Source, known source.Revision) (*source.Snapshot, error) {
	snapshot, err := guard(func() (*source.Snapshot, error) { return from.Fetch(ctx, known) })
	switch {
	case err == nil && snapshot == nil:
		err = errNothing
	case err == nil && snapshot.Revision.Digest == "":
		err = errNoRevision
	}
	if err != nil && snapshot != nil {
		_ = snapshot.Close()
		snapshot = nil
	}
	return snapshot, err
}

// end keeps what was fetched for those who want it, and says when to fetch next.
func (o *origin) end(f *fetch) {
	var fresh, old *content
	var wanting []*Loop
	if f.snapshot != nil && f.err == nil {
		fresh = newContent(f.snapshot)
		wanting = slices.DeleteFunc(slices.Clone(f.loops), func(l *Loop) bool { return !l.lacks(f.revision) })
	}
	o.run.mu.Lock()
	o.started = time.Time{}
	o.bad++
	if f.err == nil {
		o.revision, o.bad = f.revision, 0
	}
	f.failures = o.bad
	wait := max(f.loops[0].delay(o.bad), patience(f.err))
	o.due = time.Now().Add(wait)
	f.due = o.due
	if fresh != nil {
		old, o.content = o.content, fresh
		clear(o.wanting)
		for _, l := range wanting {
			if o.loops[l] { // it may have left meanwhile
				o.wanting[l] = true
			}
		}
		if len(o.wanting) > 0 {
			fresh = nil
		} else {
			o.content = nil
		}
	}
	o.run.mu.Unlock()
	for _, c := range []*content{old, fresh} {
		if c != nil {
			c.release()
		}
	}
	o.run.queue.AddAfter(o, wait)
}

// hear tells a loop what came of a fetch.
func (l *Loop) hear(f *fetch, shared bool) {
	l.update(func(c *core) []Event {
		if f.origin != nil && (c.place == nil || c.place.origin != f.origin || c.removing) {
			return nil // it left meanwhile
		}
		if f.asked[l] {
			c.due, c.again = true, true
		}
		c.fetchErr, c.fetchDue, c.fetchBad, c.fetchFor = f.err, f.due, f.failures, f.took
		if f.err != nil {
			return []Event{Failed{Loop: l.Name, Stage: Fetching, Revision: c.wanted, Err: f.err, Failures: f.failures,
				RetryIn: max(time.Until(f.due), 0), Shared: shared}}
		}
		c.wanted, c.fetched = f.revision, time.Now()
		modified := c.built == nil || c.built.revision != f.revision
		return []Event{Fetched{Loop: l.Name, Revision: f.revision, Modified: modified, Shared: shared, Took: f.took}}
	})
}
