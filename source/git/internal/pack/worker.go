package pack

import (
	"context"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A worker makes objects out of entries.
type worker struct {
	*pack
	ctx    context.Context
	hasher *object.Hasher
	packer object.Packer
	// Where the base of a delta is decoded, and where what comes out is made.
	from, to []byte
	// stack is what can be done now: a chain of deltas may be too long for recursion.
	stack []ready
}

// A ready is deltas that waited for a base, linked by next, and the base.
type ready struct {
	first *entry
	base  object.Object
}

func newWorker(ctx context.Context, p *pack) *worker {
	return &worker{
		pack: p, ctx: ctx, hasher: object.NewHasher(),
		from: make([]byte, 0, object.MaxPacked), to: make([]byte, 0, scratchSize),
	}
}

// settle does what can be done with an entry that just came, and what waited for that.
func (w *worker) settle(e *entry) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if e.isWhole() {
		if err := w.finish(e, e.object.Kind, e.object.Body(), e.slab != nil); err != nil {
			return err
		}
		return w.unwind()
	}
	base, ok := w.baseOf(e)
	if !ok {
		return nil
	}
	if err := w.apply(e, base); err != nil {
		return err
	}
	return w.unwind()
}

// unwind empties the stack.
func (w *worker) unwind() error {
	for len(w.stack) > 0 && !w.stopped.Load() {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		top := &w.stack[len(w.stack)-1]
		e, base := top.first, top.base
		if top.first = e.next; e.next == nil {
			*top = ready{}
			w.stack = w.stack[:len(w.stack)-1]
		}
		e.next = nil
		if err := w.apply(e, base); err != nil {
			return err
		}
	}
	return nil
}

// baseOf returns the base of a delta, or has the delta wait for it.
func (w *worker) baseOf(e *entry) (object.Object, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.hash != nil {
		base, ok := w.objects[*e.hash]
		if !ok {
			e.next, w.refs[*e.hash] = w.refs[*e.hash], e
		}
		return base, ok
	}
	if !e.base.settled {
		e.next, e.base.waiting = e.base.waiting, e
		return object.Object{}, false
	}
	return e.base.object, true
}

// apply makes an object out of a delta.
func (w *worker) apply(e *entry, base object.Object) error {
	from, to, instructions, ok := sizes(e.object.Body())
	if !ok || from != uint64(base.Size()) {
		return &FormatError{Offset: e.offset, Problem: "a delta that is not for its base"}
	}
	w.mu.Lock()
	err := w.admit(&w.held, to)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	// A few bytes may claim to make many: memory for those is taken when they will.
	if to > trusted && made(instructions) != to {
		return &FormatError{Offset: e.offset, Problem: "a delta that is malformed"}
	}
	out := w.to
	if to > scratchSize {
		out = make([]byte, 0, to)
	}
	body, ok := patched(out[:0:to], base.BodyIn(w.from), instructions)
	if !ok || len(body) != int(to) {
		return &FormatError{Offset: e.offset, Problem: "a delta that is malformed"}
	}
	return w.finish(e, base.Kind, body, to <= scratchSize)
}

// finish keeps the object that an entry turned out to be, and puts the deltas that wait for it on the stack. A body that is
// lent is used for something else then.
func (w *worker) finish(e *entry, kind object.Kind, body []byte, lent bool) error {
	hash, err := w.hasher.Sum(kind, body)
	if err != nil {
		return err
	}
	o := w.packer.Pack(kind, body, lent)
	w.drop(e.slab)
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.isWhole() {
		if err := w.admit(&w.held, uint64(len(body))); err != nil {
			return err
		}
	}
	if same, ok := w.objects[hash]; ok {
		o = same // and let the copy go
	} else {
		w.objects[hash] = o
	}
	w.left--
	e.object, e.settled, e.slab = o, true, nil
	w.push(e.waiting, o)
	e.waiting = nil
	if len(w.refs) > 0 {
		w.push(w.refs[hash], o)
		delete(w.refs, hash)
	}
	return nil
}

func (w *worker) push(first *entry, base object.Object) {
	if first != nil {
		w.stack = append(w.stack, ready{first, base})
	}
}

// release goes on with the deltas that wait for the object of a hash.
func (w *worker) release(hash object.Hash, base object.Object) error {
	w.mu.Lock()
	w.push(w.refs[hash], base)
	delete(w.refs, hash)
	w.mu.Unlock()
	return w.unwind()
}
