package artifact

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
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

func newBatch() *batch {
	return &batch{entries: make([]candidate, 0, batchEntries), done: make(chan struct{})}
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
	tar   *tar.Writer
	batch *batch // what tar writes to
	block []byte
}

func newReader(crew *crew, fsys fs.FS) *reader {
	r := &reader{crew: crew, fsys: fsys, block: make([]byte, aheadBytes)}
	r.links, _ = fsys.(fs.ReadLinkFS)
	r.tar = tar.NewWriter(r)
	return r
}

func (r *reader) Write(p []byte) (int, error) {
	r.batch.data = append(r.batch.data, p...)
	return len(p), nil
}

// read stops at the first error: nothing after it is of interest.
func (r *reader) read(b *batch) {
	r.batch = b
	for i := range b.entries {
		e := &b.entries[i]
		if e.err == nil {
			e.err = r.crew.err()
		}
		if e.err == nil {
			e.err = r.entry(e)
		}
		if e.err != nil {
			return
		}
		e.end = len(b.data)
	}
}

func (r *reader) entry(e *candidate) error {
	switch {
	case e.kind == fs.ModeSymlink:
		return r.link(e)
	case e.kind == 0 && len(r.batch.data) < batchBytes:
		return r.file(e)
	}
	return nil
}

func (r *reader) link(e *candidate) error {
	if r.links == nil {
		return fmt.Errorf("symbolic link, and %T is no fs.ReadLinkFS: %w", r.fsys, errors.ErrUnsupported)
	}
	target, err := r.links.ReadLink(e.path)
	if err != nil {
		return err
	}
	e.target, e.known, e.ahead = target, true, true
	return r.tar.WriteHeader(linkHeader(e.path, target))
}

func (r *reader) file(e *candidate) error {
	f, info, err := openRegular(r.fsys, e.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() > aheadBytes {
		return nil
	}
	e.size, e.known, e.ahead = info.Size(), true, true
	if err := r.tar.WriteHeader(fileHeader(e.path, info)); err != nil {
		return err
	}
	content := r.block[:e.size]
	if n, err := io.ReadFull(f, content); err != nil {
		return shrank(err, e.size, int64(n))
	}
	if _, err := r.tar.Write(content); err != nil {
		return err
	}
	if err := atEnd(f, e.size); err != nil {
		return err
	}
	return r.tar.Flush()
}

// openRegular opens what was listed as a regular file.
func openRegular(fsys fs.FS, name string) (fs.File, fs.FileInfo, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: listed as a file, opened as %v", ErrChanged, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// shrank tells what it means that reading ended with err after n bytes of size.
func shrank(err error, size, n int64) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: shrank from %d to %d bytes", ErrChanged, size, n)
	}
	return err
}

// atEnd makes sure that there is no more than the size that was read.
func atEnd(f fs.File, size int64) error {
	switch _, err := io.ReadFull(f, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("%w: grew from %d bytes", ErrChanged, size)
	default:
		return err
	}
}

// fileHeader and linkHeader leave all that is not set here to zero, and the format
// to the tar writer: USTAR, and PAX where a name or size needs it.
func fileHeader(name string, info fs.FileInfo) *tar.Header {
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: mode, ModTime: time.Unix(0, 0)}
}

func linkHeader(name, target string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: time.Unix(0, 0)}
}
