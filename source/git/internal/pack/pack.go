package pack

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// spareObjects is how many objects a pack may have besides one for each file and folder: the root, the commit, and a chain
// of annotated tags.
const spareObjects = 16

// These are what packs call deltas; the other kinds are those of objects.
const (
	offsetDelta object.Kind = 6
	hashDelta   object.Kind = 7
)

// Read reads a pack of version 2 or 3 and returns its objects by their hashes, which are computed of their bodies. Bases
// that deltas name by hash and that the pack lacks are asked of have, once each, by the calling goroutine, after all of the
// pack has come. Have may be nil, and its objects are not in the result.
//
// Read reads r to its end, where the pack has to end too. An error of r is wrapped. Read stops soon after ctx ends, with an
// error that wraps ctx's, unless r blocks: r has to end with ctx as well. It uses as many goroutines as there are
// processors, all of which have ended when it returns.
//
// The errors are: [ErrIncomplete]; a [*FormatError], which is an io.ErrUnexpectedEOF where the pack is cut short; a
// [*source.LimitError], where an object or a delta, as it is once decompressed, is over MaxFileBytes, where all that is
// decompressed or all objects together are over MaxBytes, or where there are more objects than MaxFiles and 16 more; one of
// no type for an object that was made to have another one's SHA-1. Along with ErrIncomplete come the objects that were complete,
// and with other errors none.
func Read(
	ctx context.Context, r io.Reader, have func(object.Hash) (object.Object, bool), limits source.Limits,
) (object.Set, error) {
	p := &pack{limits: limits.WithDefaults(), refs: make(map[object.Hash]*entry)}
	p.fail(p.read(ctx, newStream(r)))
	if p.err == nil && p.left > 0 {
		p.fail(p.complete(ctx, have))
	}
	switch {
	case p.err == nil:
		return p.objects, nil
	case ctx.Err() != nil: // why r failed, too
		p.err = ctx.Err()
	}
	if errors.Is(p.err, ErrIncomplete) {
		return p.objects, p.err
	}
	return nil, p.err
}

// A pack is being read.
type pack struct {
	limits  source.Limits
	entries entries     // of the reading goroutine
	stopped atomic.Bool // err is set
	slabs   sync.Pool   // of *slab

	mu      sync.Mutex // guards what follows, and what entries say
	objects object.Set
	refs    map[object.Hash]*entry // deltas that wait for the object of a hash, linked by next
	left    int                    // entries that are no objects yet
	held    int64                  // bytes of all objects
	err     error                  // the first
}

// read starts the workers and gives them what comes.
func (p *pack) read(ctx context.Context, s *stream) error {
	workers := runtime.GOMAXPROCS(0)
	batches := make(chan []entry, 4*workers)
	var running sync.WaitGroup
	defer running.Wait()
	defer close(batches)
	for range workers {
		running.Go(func() { p.work(newWorker(ctx, p), batches) })
	}
	return p.scan(ctx, s, batches)
}

// work settles what comes. After an error it only empties the channel, on which the reading goroutine may wait.
func (p *pack) work(w *worker, batches <-chan []entry) {
	for batch := range batches {
		for i := range batch {
			if p.stopped.Load() {
				break
			}
			if err := w.settle(&batch[i]); err != nil {
				p.fail(err)
			}
		}
	}
}

// fail keeps the first error.
func (p *pack) fail(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.stopped.Store(true)
}

// scan reads all entries. It sends them in batches, so that workers need not be woken for each.
func (p *pack) scan(ctx context.Context, s *stream, batches chan<- []entry) error {
	count, err := p.header(s)
	if err != nil {
		return err
	}
	const batchBytes, batchObjects = 64 << 10, 64
	d := &scanner{inflater: newInflater(s), pack: p}
	bytes := 0
	for range count {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.stopped.Load() {
			return nil
		}
		if p.entries.full() { // a batch is of one chunk
			p.entries.send(batches)
			bytes = 0
		}
		e := p.entries.add()
		if err := d.entry(e); err != nil {
			return err
		}
		if bytes += e.object.Size(); bytes >= batchBytes || p.entries.unsent() >= batchObjects {
			p.entries.send(batches)
			bytes = 0
		}
	}
	p.entries.send(batches)
	return s.finish()
}

func (p *pack) header(s *stream) (count uint32, err error) {
	head, err := s.next(12)
	if err != nil {
		return 0, err
	}
	if version := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || version != 2 && version != 3 {
		return 0, &FormatError{Problem: "no pack of version 2 or 3"}
	}
	count = binary.BigEndian.Uint32(head[8:])
	if int64(count)-spareObjects > int64(p.limits.MaxFiles) {
		return 0, &source.LimitError{Option: "Limits.MaxFiles", Max: int64(p.limits.MaxFiles)}
	}
	// A map that grows costs twice as much. So many places (3 MB) are taken on the pack's word.
	const trustedObjects = 1 << 15
	p.objects, p.left = make(object.Set, min(count, trustedObjects)), int(count)
	return count, nil
}

// admit adds to a sum of bytes, within the limits.
func (p *pack) admit(sum *int64, size uint64) error {
	switch {
	case size > uint64(p.limits.MaxFileBytes):
		return &source.LimitError{Option: "Limits.MaxFileBytes", Max: p.limits.MaxFileBytes}
	case size > math.MaxInt-slack || size > uint64(p.limits.MaxBytes-*sum):
		return &source.LimitError{Option: "Limits.MaxBytes", Max: p.limits.MaxBytes}
	}
	*sum += int64(size)
	return nil
}

// complete goes on with the deltas that wait for objects that the pack lacks.
func (p *pack) complete(ctx context.Context, have func(object.Hash) (object.Object, bool)) error {
	if have == nil {
		return ErrIncomplete
	}
	w := newWorker(ctx, p)
	for _, hash := range slices.Collect(maps.Keys(p.refs)) {
		if p.refs[hash] == nil { // it came out of another delta by now
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if base, ok := have(hash); ok {
			if err := w.release(hash, base); err != nil {
				return err
			}
		}
	}
	if p.left > 0 {
		return ErrIncomplete
	}
	return nil
}
