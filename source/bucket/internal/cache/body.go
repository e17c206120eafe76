// Package cache keeps the content of objects of buckets.
package cache

import (
	"errors"
	"io"
)

// A Key names content: what has the same one is the same, wherever it was read.
type Key [32]byte

// A Body is content that is there. Nobody changes it, and many goroutines may read it.
type Body struct{ bytes []byte }

// ErrLong says that a reader had more than was expected.
var ErrLong = errors.New("there is more than was expected")

// Read returns the content of a reader as a Body in memory. A reader that has less than size bytes is an
// [io.ErrUnexpectedEOF], and one that has more is [ErrLong].
func Read(r io.Reader, size int64) (*Body, error) {
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return nil, ErrLong
	case err != io.EOF:
		return nil, err
	}
	return &Body{body}, nil
}

// Bytes returns all of it, which nobody may change.
func (b *Body) Bytes() ([]byte, error) { return b.bytes, nil }

// Size returns how many bytes there are.
func (b *Body) Size() int64 { return int64(len(b.bytes)) }
