package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrMalformed means that what came is not Git's protocol.
var ErrMalformed = errors.New("malformed answer")

// A RemoteError is what the server says went wrong.
type RemoteError struct{ Text string }

// Error quotes the server.
func (e *RemoteError) Error() string { return "the server says " + strconv.Quote(e.Text) }

func remoteError(text []byte) error {
	return &RemoteError{Text: strings.TrimSpace(string(text))}
}

// What a pkt-line is.
type mark uint8

const (
	data  mark = iota
	flush      // 0000 ends a message
	delim      // 0001 divides its sections, in version 2
	end        // 0002 ends an answer over a connection without state, in version 2
)

// A lineReader reads pkt-lines: four hexadecimal digits that say how long the line is with them, and the line.
type lineReader struct{ *bufio.Reader }

// maxLine is how long a line may be, with its digits.
const maxLine = 65520

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{bufio.NewReaderSize(r, maxLine)} // so that there is room for any line
}

// head reads a line's length, without the digits.
func (r *lineReader) head() (int, mark, error) {
	var digits [4]byte
	if _, err := io.ReadFull(r, digits[:]); err != nil {
		return 0, 0, err
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	switch {
	case err != nil || n == 3 || n > maxLine:
		return 0, 0, fmt.Errorf("%w: %q is not the length of a line", ErrMalformed, digits)
	case n < 3:
		return 0, mark(n + 1), nil
	}
	return int(n) - len(digits), data, nil
}

// next returns the next line, which is good until the one after it.
func (r *lineReader) next() ([]byte, mark, error) {
	n, what, err := r.head()
	if err != nil || what != data {
		return nil, what, err
	}
	line, err := r.take(n)
	if err != nil {
		return nil, data, err
	}
	if text, ok := strings.CutPrefix(string(line[:min(n, 4)]), "ERR "); ok && text == "" {
		return nil, data, remoteError(line[4:])
	}
	return line, data, nil
}

// take returns the next n bytes, of one line, which are good until the next ones are read.
func (r *lineReader) take(n int) ([]byte, error) {
	line, err := r.Peek(n)
	if err != nil {
		return nil, unexpected(err)
	}
	_, err = r.Discard(n)
	return line, err
}

// text is next for lines that are text and may end in a line feed.
func (r *lineReader) text() (string, mark, error) {
	line, what, err := r.next()
	return strings.TrimSuffix(string(line), "\n"), what, err
}

// unexpected is for an end where more has to come.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A message is pkt-lines to be sent.
type message []byte

func (m *message) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...) + "\n"
	*m = fmt.Appendf(*m, "%04x%s", len(text)+4, text)
}

func (m *message) flush() { *m = append(*m, "0000"...) }
func (m *message) delim() { *m = append(*m, "0001"...) }
