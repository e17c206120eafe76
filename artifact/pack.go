package artifact

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"runtime"
)

// PackOptions say how Pack packs. The zero value is gzip, on all cores, and the
// default limits.
type PackOptions struct {
	// Compression is how the archive is compressed. Default: Gzip.
	Compression Compression
	// Level is how much time is spent on compressing. Default: LevelDefault.
	Level Level
	// Concurrency is how many cores are used at most. Pack writes the same bytes
	// whatever it is. The tree's fs.FS is used by that many goroutines at the same
	// time: 1 is for one that does not allow it. Default: GOMAXPROCS.
	Concurrency int
	// Limits bound the tree.
	Limits Limits
}

// Pack writes the tree of fsys to w as an artifact and returns its Descriptor.
// The same tree gives the same bytes: see the package comment for what counts
// as the same.
//
// Symbolic links need an fsys that is an [fs.ReadLinkFS]; without, one is an
// error that wraps [errors.ErrUnsupported]. Other errors are ErrUnsafe for an
// entry that an artifact may not hold, ErrChanged for a file that grew or
// shrank, ErrTooLarge for a limit, ctx.Err(), and what fsys and w return. After
// an error, what w was given is no artifact.
//
// Memory is taken for the tree's names, not for its content: beside them it is
// under 48 MiB on any number of cores, and some 10 MiB on two.
func Pack(ctx context.Context, w io.Writer, fsys fs.FS, opts PackOptions) (Descriptor, error) {
	format, err := opts.Compression.format(opts.Level)
	if err != nil {
		return Descriptor{}, in("pack", "", err)
	}
	cores := opts.Concurrency
	if cores <= 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	limits := opts.Limits.withDefaults()
	crew := newCrew(ctx, cores)
	packed := newGauge(crew.ctx, w, limits.packedMax(), limits.tooManyBytes())
	p := &packer{crew: crew, fsys: fsys, limits: limits, layout: newLayout(limits), pool: make(batchPool, maxReaders)}
	p.press = newPress(crew, format, packed)
	if err := p.pack(); err != nil {
		return Descriptor{}, in("pack", "", err)
	}
	if max, over := limits.contentMax(packed.n); p.size > max {
		return Descriptor{}, in("pack", "", over) // Open and Unpack would say so
	}
	return Descriptor{
		MediaType:     opts.Compression.mediaType(),
		Digest:        packed.digest(),
		Size:          packed.n,
		ContentDigest: p.press.contentDigest(),
		ContentSize:   p.size,
		Files:         p.layout.files,
	}, nil
}

// A packer is one call of Pack. A walk lists entries, readers read what they can
// of them ahead, the packer puts them one after the other, and a press makes the
// artifact of that.
type packer struct {
	crew   *crew
	fsys   fs.FS
	limits Limits
	layout *layout
	press  *press
	pool   batchPool
	size   int64 // of the archive so far
}

const (
	blockSize  = 64 << 10
	maxReaders = 4
)

// pack returns once nobody works on anything any more.
func (p *packer) pack() error {
	batches := p.readAhead()
	err := errAbandoned
	p.crew.start(func() {
		defer func() { p.press.close(err == nil) }()
		if err = p.archive(batches); err != nil {
			p.crew.stop(err)
		}
	})
	if stopped := p.crew.wait(); err == nil {
		err = stopped
	}
	return err
}

// readAhead returns the batches in the archive's order. Those that wait there are
// read meanwhile.
func (p *packer) readAhead() <-chan *batch {
	readers := min(p.crew.size(), maxReaders)
	ordered, reading := make(chan *batch, readers), make(chan *batch, readers+1)
	walk := &walk{crew: p.crew, fsys: p.fsys, pool: p.pool, send: func(b *batch) bool {
		select {
		case ordered <- b:
			reading <- b
			return true
		case <-p.crew.ctx.Done():
			return false
		}
	}}
	walk.links, _ = p.fsys.(fs.ReadLinkFS)
	p.crew.start(func() {
		defer close(ordered)
		defer close(reading)
		walk.all()
	})
	for range readers {
		p.crew.start(func() {
			r := newReader(p.crew, p.fsys)
			for b := range reading {
				p.crew.work(func() {
					defer close(b.done)
					r.read(b)
				})
			}
		})
	}
	return ordered
}

// archive puts all that is in the batches into the archive, and its end.
func (p *packer) archive(batches <-chan *batch) error {
	for b := range batches {
		select {
		case <-b.done:
		case <-p.crew.ctx.Done(): // and perhaps no reader is left
			return p.crew.err()
		}
		start := 0
		for i := range b.entries {
			e := &b.entries[i]
			if err := p.crew.err(); err != nil {
				return in("pack", e.path, err)
			}
			if err := p.entry(e, b.data[start:max(start, e.end)]); err != nil {
				return in("pack", e.path, err)
			}
			start = e.end
		}
		p.pool.put(b)
	}
	if err := p.crew.err(); err != nil {
		return err
	}
	if err := p.layout.settle(p.crew.caller, "pack"); err != nil {
		return err
	}
	return p.put(make([]byte, 2*tarBlock))
}

// entry asks whether an entry may join the tree before it says what else is wrong
// with it, so that what is said does not depend on what was read ahead.
func (p *packer) entry(e *candidate, data []byte) error {
	if e.err != nil && !e.known {
		return e.err
	}
	var err error
	switch e.kind {
	case 0:
		if !e.ahead {
			return p.file(e.path)
		}
		err = p.mayHold(e.path, e.size)
	case fs.ModeSymlink:
		err = p.layout.link(e.path, e.target)
	case fs.ModeDir:
		return p.layout.folder(e.path)
	default:
		return unsafef("neither file, folder nor symbolic link: %v", e.kind)
	}
	if err != nil {
		return err
	}
	if e.err != nil {
		return e.err
	}
	return p.put(data)
}

func (p *packer) mayHold(name string, size int64) error {
	if err := p.layout.file(name, size); err != nil {
		return err
	}
	if size > p.limits.MaxBytes-p.size {
		return p.limits.tooManyBytes()
	}
	return nil
}

// file packs a file that was not read ahead.
func (p *packer) file(name string) (err error) {
	var f fs.File
	var size, mode int64
	p.crew.work(func() { f, size, mode, err = openRegular(p.fsys, name) })
	if err != nil {
		return err
	}
	defer p.crew.work(func() { f.Close() })
	if err := p.mayHold(name, size); err != nil {
		return err
	}
	header, err := appendHeader(nil, name, "", size, mode)
	if err != nil {
		return err
	}
	if err := p.put(header); err != nil {
		return err
	}
	return p.copy(f, size)
}

// copy copies size bytes, and makes sure that there are no more.
func (p *packer) copy(f fs.File, size int64) error {
	for left := size; left > 0; {
		room, err := p.press.room()
		if err != nil {
			return err
		}
		n := 0
		p.crew.work(func() { n, err = readFull(f, room[:min(left, int64(len(room)))]) })
		if err != nil && (err != io.EOF || int64(n) < left) {
			return shrank(err, size, size-left+int64(n))
		}
		if err := p.grow(n); err != nil {
			return err
		}
		p.press.filled(n)
		left -= int64(n)
	}
	if err := p.put(padding(size)); err != nil {
		return err
	}
	var err error
	p.crew.work(func() { err = readWhole(f, make([]byte, 1)) })
	if errors.Is(err, ErrChanged) {
		return grew(size)
	}
	return err
}

func (p *packer) put(data []byte) error {
	if err := p.grow(len(data)); err != nil {
		return err
	}
	_, err := p.press.Write(data)
	return err
}

// grow makes sure that n more bytes are not too many.
func (p *packer) grow(n int) error {
	if int64(n) > p.limits.MaxBytes-p.size {
		return p.limits.tooManyBytes()
	}
	p.size += int64(n)
	return nil
}
