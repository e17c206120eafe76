package pack

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
)

const (
	window = 64 << 10 // bytes of the pack that are in memory at once
	// tail is how many bytes every pack has after an object: the object's Adler-32 sum and the pack's SHA-1. So that many can
	// be waited for at any place before, and the decoder need not look for the end of its input at every bit.
	tail = 4 + sha1.Size
)

// A stream is the bytes of a pack as they come, and the sum of those that have been used.
type stream struct {
	r        io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] came and is not used yet, buf[:pos] is used and not summed yet
	before   int64 // bytes of the pack that are no longer in buf
	sum      hash.Hash
	err      error // of r, once what came with it is used
}

func newStream(r io.Reader) *stream {
	return &stream{r: r, buf: make([]byte, window), sum: sha1.New()}
}

func (s *stream) offset() int64 { return s.before + int64(s.pos) }

// fill waits until n bytes can be used, at most tail.
func (s *stream) fill(n int) error {
	if s.end-s.pos >= n {
		return nil
	}
	s.forget()
	for idle := 0; s.end < n; {
		if s.err != nil {
			return s.ended()
		}
		var m int
		m, s.err = s.r.Read(s.buf[s.end:])
		if m < 0 || m > len(s.buf)-s.end {
			return errors.New("the reader says that it read more than it was asked to")
		}
		s.end += m
		if idle++; m > 0 {
			idle = 0
		} else if s.err == nil && idle == 100 {
			s.err = io.ErrNoProgress
		}
	}
	return nil
}

// forget makes room for what comes.
func (s *stream) forget() {
	s.sum.Write(s.buf[:s.pos]) // never an error, as hash.Hash says
	s.before += int64(s.pos)
	s.end = copy(s.buf, s.buf[s.pos:s.end])
	s.pos = 0
}

func (s *stream) ended() error {
	if s.err == io.EOF {
		return &FormatError{Offset: s.before + int64(s.end), Problem: "it ends there", Err: io.ErrUnexpectedEOF}
	}
	return fmt.Errorf("at byte %d: %w", s.before+int64(s.end), s.err)
}

func (s *stream) malformed(problem string) error {
	return &FormatError{Offset: s.offset(), Problem: problem}
}

// next returns n bytes, at most tail. They are good until the next call.
func (s *stream) next(n int) ([]byte, error) {
	if err := s.fill(n); err != nil {
		return nil, err
	}
	s.pos += n
	return s.buf[s.pos-n : s.pos], nil
}

func (s *stream) byte() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(1); err != nil {
			return 0, err
		}
	}
	s.pos++
	return s.buf[s.pos-1], nil
}

// finish checks the sum of all that was used, which comes next, and that nothing comes after it.
func (s *stream) finish() error {
	if err := s.fill(sha1.Size); err != nil {
		return err
	}
	s.forget()
	if want := s.buf[:sha1.Size]; string(want) != string(s.sum.Sum(nil)) {
		return s.malformed("its SHA-1 is not the one that it ends with")
	}
	s.pos = sha1.Size
	if err := s.fill(1); err == nil {
		return s.malformed("something follows its end")
	}
	if s.err != io.EOF {
		return s.ended()
	}
	return nil
}
