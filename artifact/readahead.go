package artifact

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

const (
	// batchEntries is how many entries one goroutine reads ahead at a time: enough
	// for what is done to hand them over to be small beside it.
	batchEntries = 32
	// batchBytes is after how many bytes of a batch no more of it is read ahead.
	batchBytes = 256 << 10
	// aheadBytes is how large a file may be to be read ahead. A larger one is read
	// into the archive at its place, so that it is never held.
	aheadBytes = 128 << 10
)

// A batch is some entries that follow one on the other in the archive, and data,
// which is their part of it as far as it was read ahead.
type batch struct {
	entries []candidate
	data    []byte
	done    chan struct{} // closed once all was read ahead
}

// A batchPool holds the batches that nobody needs any more.
type batchPool chan *batch

func (p batchPool) get() *batch {
	b := &batch{entries: make([]candidate, 0, batchEntries)}
	select {
	case b = <-p:
		clear(b.entries)
		b.entries, b.data = b.entries[:0], b.data[:0]
	default:
	}
	b.done = make(chan struct{})
	return b
}

func (p batchPool) put(b *batch) {
	select {
	case p <- b:
	default:
	}
}

// A candidate is an item that is to be packed, and what was read of it.
type candidate struct {
	item
	size   int64  // of a file
	target string // of a link
	known  bool   // size and target are
	ahead  bool   // its bytes in the archive are those of data up to end
	end    int
	err    error // what went wrong, after known was set or before
}

// A reader reads batches, one at a time.
type reader struct {
	crew  *crew
	fsys  fs.FS
	links fs.ReadLinkFS // fsys, or nil
}

func newReader(crew *crew, fsys fs.FS) *reader {
	r := &reader{crew: crew, fsys: fsys}
	r.links, _ = fsys.(fs.ReadLinkFS)
	return r
}

// read stops at the first error: nothing after it is of interest.
func (r *reader) read(b *batch) {
	for i := range b.entries {
		e := &b.entries[i]
		if e.err == nil {
			e.err = r.crew.err()
		}
		if e.err == nil {
			e.err = r.entry(b, e)
		}
		if e.err != nil {
			return
		}
		e.end = len(b.data)
	}
}

func (r *reader) entry(b *batch, e *candidate) error {
	switch {
	case e.kind == fs.ModeSymlink:
		return r.link(b, e)
	case e.kind == 0 && len(b.data) < batchBytes:
		return r.file(b, e)
	}
	return nil
}

func (r *reader) link(b *batch, e *candidate) (err error) {
	if r.links == nil {
		return fmt.Errorf("symbolic link, and %T is no fs.ReadLinkFS: %w", r.fsys, errors.ErrUnsupported)
	}
	if e.target, err = r.links.ReadLink(e.path); err != nil {
		return err
	}
	e.known, e.ahead = true, true
	b.data, err = appendHeader(b.data, e.path, e.target, 0, 0o777)
	return err
}

func (r *reader) file(b *batch, e *candidate) error {
	f, size, mode, err := openRegular(r.fsys, e.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if size > aheadBytes {
		return nil
	}
	e.size, e.known, e.ahead = size, true, true
	if b.data, err = appendHeader(b.data, e.path, "", size, mode); err != nil {
		return err
	}
	at, end := len(b.data), len(b.data)+int(size)
	b.data = slices.Grow(b.data, int(size)+tarBlock)
	if err := readWhole(f, b.data[at:end+1]); err != nil {
		return err
	}
	b.data = append(b.data[:end], padding(size)...)
	return nil
}

// readWhole fills all of content but its last byte, for which there must be none.
func readWhole(f fs.File, content []byte) error {
	size := len(content) - 1
	n, err := f.Read(content)
	if _, ok := f.(*os.File); ok && n == size && err == nil && size > 0 {
		return nil // the system reads less than it is asked for only at the end
	}
	if err == nil {
		var more int
		more, err = readFull(f, content[n:])
		n += more
	}
	switch {
	case n > size:
		return grew(int64(size))
	case err == io.EOF && n == size:
		return nil
	}
	return shrank(err, int64(size), int64(n))
}

// maxIdle is how often in a row a reader may return nothing, and no error: as often
// as with package bufio.
const maxIdle = 100

// readFull reads until p is full, and returns io.EOF if there was less. Unlike
// io.ReadFull it does not wait for ever where there is neither content nor an end.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for idle := 0; n < len(p); {
		more, err := r.Read(p[n:])
		n += more
		if idle++; more > 0 {
			idle = 0
		}
		if err == nil && idle == maxIdle {
			err = io.ErrNoProgress
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// openRegular opens what was listed as a regular file. Its mode is what it has in
// the archive.
func openRegular(fsys fs.FS, name string) (f fs.File, size, mode int64, err error) {
	if f, err = fsys.Open(name); err != nil {
		return nil, 0, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: listed as a file, opened as %v", ErrChanged, info.Mode())
	}
	if err == nil && info.Size() < 0 {
		err = fmt.Errorf("file of %d bytes: %w", info.Size(), fs.ErrInvalid)
	}
	if err != nil {
		f.Close()
		return nil, 0, 0, err
	}
	mode = 0o644
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return f, info.Size(), mode, nil
}

// shrank tells what it means that reading ended with err after n bytes of size.
func shrank(err error, size, n int64) error {
	if err == io.EOF {
		return fmt.Errorf("%w: shrank from %d to %d bytes", ErrChanged, size, n)
	}
	return err
}

func grew(size int64) error { return fmt.Errorf("%w: grew from %d bytes", ErrChanged, size) }
