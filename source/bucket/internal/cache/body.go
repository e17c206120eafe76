package cache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
)

// A Body is content that is there, in memory or in a file. Nobody changes it, and many goroutines may read it.
type Body struct {
	size  int64
	bytes []byte
	file  *heldFile // nil: it is in memory
	lost  atomic.Bool
}

// A heldFile is a file of a folder with content that a Body needs.
type heldFile struct {
	sum  [sha256.Size]byte
	open func() (r io.ReaderAt, done func(), err error)
}

var (
	// ErrLong says that a reader had more than was expected.
	ErrLong = errors.New("there is more than was expected")
	// ErrLost says that a Body's file is not any more what it was.
	ErrLost = errors.New("the cache's file was changed or removed by others, and a fetch without a known revision brings it again")
)

// Read returns the content of a reader as a Body in memory. A reader that has less than size bytes is an
// [io.ErrUnexpectedEOF], and one that has more is [ErrLong].
func Read(r io.Reader, size int64) (*Body, error) {
	bytes := make([]byte, size)
	if _, err := io.ReadFull(r, bytes); err != nil {
		return nil, short(err)
	}
	if err := end(r); err != nil {
		return nil, err
	}
	return &Body{size: size, bytes: bytes}, nil
}

func short(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// end returns what is wrong with a reader that should have nothing more.
func end(r io.Reader) error {
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return ErrLong
	case err != io.EOF:
		return err
	}
	return nil
}

// Bytes returns all of it, which nobody may change. A file's content is read each time, and held against its sum: an error
// wraps [ErrLost].
func (b *Body) Bytes() ([]byte, error) {
	if b.file == nil {
		return b.bytes, nil
	}
	defer runtime.KeepAlive(b) // the file is closed when nobody has the Body
	bytes, err := b.file.read(b.size)
	if err != nil {
		b.lost.Store(true)
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	return bytes, nil
}

var errDamaged = errors.New("the content is not what its sum says")

func (f *heldFile) read(size int64) ([]byte, error) {
	r, done, err := f.open()
	if err != nil {
		return nil, err
	}
	defer done()
	bytes := make([]byte, size)
	if _, err := r.ReadAt(bytes, headerBytes); err != nil {
		return nil, short(err)
	}
	if sha256.Sum256(bytes) != f.sum {
		return nil, errDamaged
	}
	return bytes, nil
}

// Size returns how many bytes there are.
func (b *Body) Size() int64 { return b.size }

// Lost reports whether reading it has failed.
func (b *Body) Lost() bool { return b.lost.Load() }
