package wire

import (
	"fmt"
	"io"
	"strings"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// An Answer is a pack, as an [io.Reader] that ends with it, and what came before it.
type Answer struct {
	// Shallow are the commits whose parents the pack does not bring, where a depth was asked for.
	Shallow []object.Hash

	lines *lineReader
	left  int // of the line that is being read
	err   error
}

// ReadAnswer reads the answer to a Request up to its pack. Deepened says that the request had a depth.
func ReadAnswer(r io.Reader, version int, deepened bool) (*Answer, error) {
	a := &Answer{lines: newLineReader(r)}
	var err error
	switch {
	case version == 2:
		err = a.sections()
	case deepened:
		if err = a.boundary(); err == nil {
			err = a.acknowledgements()
		}
	default:
		err = a.acknowledgements()
	}
	if err != nil {
		return nil, unexpected(err)
	}
	return a, nil
}

// boundary reads lines "shallow hash" and "unshallow hash".
func (a *Answer) boundary() error {
	for {
		line, what, err := a.lines.text()
		if err != nil || what != data {
			return err
		}
		if err := a.shallow(line); err != nil {
			return err
		}
	}
}

// maxShallow bounds what they make this process hold.
const maxShallow = 1 << 20

func (a *Answer) shallow(line string) error {
	word, encoded, _ := strings.Cut(line, " ")
	hash, err := object.ParseHash(encoded)
	switch {
	case err != nil || word != "shallow" && word != "unshallow":
		return fmt.Errorf("%w: %q instead of a shallow commit", ErrMalformed, line)
	case word == "shallow" && len(a.Shallow) == maxShallow:
		return fmt.Errorf("%w: more than %d shallow commits", ErrMalformed, maxShallow)
	case word == "shallow":
		a.Shallow = append(a.Shallow, hash)
	}
	return nil
}

// acknowledgements skips lines until the first one that is part of the pack: these start with the number of a channel.
func (a *Answer) acknowledgements() error {
	for {
		head, err := a.lines.Peek(5)
		if err != nil {
			return err
		}
		if head[4] <= 3 {
			return nil
		}
		line, what, err := a.lines.text()
		if err != nil {
			return err
		}
		if what != data || line != "NAK" && !strings.HasPrefix(line, "ACK ") {
			return fmt.Errorf("%w: %q instead of a pack", ErrMalformed, line)
		}
	}
}

// sections reads those of version 2 up to the pack.
func (a *Answer) sections() error {
	for {
		name, what, err := a.lines.text()
		if err != nil {
			return err
		}
		switch {
		case what != data:
			return fmt.Errorf("%w: it ends without a pack", ErrMalformed)
		case name == "packfile":
			return nil
		case name == "shallow-info":
			err = a.boundary()
		default:
			err = a.skip()
		}
		if err != nil {
			return err
		}
	}
}

func (a *Answer) skip() error {
	for {
		if _, what, err := a.lines.next(); err != nil || what != data {
			return err
		}
	}
}

// Read implements [io.Reader]. What the server says went wrong is a [*RemoteError].
func (a *Answer) Read(p []byte) (int, error) {
	for a.left == 0 && a.err == nil {
		a.err = a.next()
	}
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.lines.Read(p[:min(len(p), a.left)])
	a.left -= n
	if err != nil {
		a.err = unexpected(err)
		err = a.err
	}
	return n, err
}

// next comes to the next line of the pack's channel.
func (a *Answer) next() error {
	n, what, err := a.lines.head()
	switch {
	case err != nil:
		return unexpected(err)
	case what != data:
		return io.EOF
	case n == 0:
		return nil
	}
	channel, err := a.lines.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	switch channel {
	case 1:
		a.left = n - 1
		return nil
	case 2: // progress
		_, err = a.lines.Discard(n - 1)
		return unexpected(err)
	case 3:
		text, err := a.lines.take(n - 1)
		if err != nil {
			return err
		}
		return remoteError(text)
	}
	return fmt.Errorf("%w: unknown channel %d in the pack", ErrMalformed, channel)
}
