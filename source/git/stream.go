package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/gitopskit/gitopskit/source"
)

// A boundedReader is an answer's body that may only be so long. It remembers why it ended, since decoders turn that into
// text.
type boundedReader struct {
	body   io.ReadCloser
	left   int64
	max    int64
	option string
	err    error
}

func bounded(body io.ReadCloser, limit int64, option string) *boundedReader {
	return &boundedReader{body: body, left: limit, max: limit, option: option}
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(p)
	r.left -= int64(n)
	if r.left < 0 {
		n, err = 0, &source.LimitError{Option: r.option, Max: r.max}
	}
	r.err = err
	return n, err
}

// blame returns the reader's error where it has one that explains err.
func (r *boundedReader) blame(err error) error {
	if err != nil && r.err != nil && r.err != io.EOF {
		return r.err
	}
	return err
}

// A packReader is the pack in an answer whose lines also bring progress and errors.
type packReader struct {
	*remote
	body  *boundedReader
	lines *pktline.Scanner
	rest  []byte // of the line that was read last
	err   error
}

// blame returns why the pack ended early, where it did: that says more than where it did.
func (r *packReader) blame(err error) error {
	if err != nil && r.err != nil && r.err != io.EOF {
		return r.err
	}
	return err
}

func (r *packReader) Close() error { return r.body.body.Close() }

func (r *packReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil {
		r.rest, r.err = r.next()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *packReader) next() ([]byte, error) {
	if !r.lines.Scan() {
		err := r.lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF // a flush line ends a pack
		}
		return nil, r.protocolError("reading the pack", r.body.blame(err))
	}
	line := r.lines.Bytes()
	if len(line) == 0 {
		return nil, io.EOF
	}
	switch line[0] {
	case 1:
		return line[1:], nil
	case 2: // progress
		return nil, nil
	case 3:
		return nil, r.remoteError(string(line[1:]))
	}
	return nil, fmt.Errorf("reading the pack: unknown channel %d", line[0])
}

// A remoteError is what the server says went wrong.
type remoteError struct{ text string }

func (e *remoteError) Error() string { return "the server says " + strconv.Quote(e.text) }

func (s *Source) remoteError(text string) error {
	return &remoteError{text: s.redact(text[:min(len(text), 500)])}
}

// protocolError keeps errors that are of this side, and makes those that quote the server safe to print.
func (s *Source) protocolError(doing string, err error) error {
	if said := new(pktline.ErrorLine); errors.As(err, &said) {
		return fmt.Errorf("%s: %w", doing, s.remoteError(said.Text))
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, source.ErrTooLarge, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	text := s.redact(err.Error())
	return fmt.Errorf("%s: %s", doing, strconv.QuoteToGraphic(text[:min(len(text), 500)]))
}
