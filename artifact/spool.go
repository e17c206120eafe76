package artifact

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// A spool is the sink of Open where the content is to be on disk: all files, one
// after the other, in one file that nobody else has a name for.
type spool struct {
	memory
	root   *os.Root
	name   string // what is still to be removed
	temp   *os.File
	buffer *bufio.Writer
	size   int64
	closed sync.Once
}

const spoolPrefix = ".open-"

func newSpool(root *os.Root) (*spool, error) {
	s := &spool{root: root, name: spoolPrefix + rand.Text(), memory: newMemory()}
	f, err := root.OpenFile(s.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s.temp, s.buffer = f, bufio.NewWriterSize(f, conveyedBlock)
	if err := root.Remove(s.name); err == nil {
		s.name = "" // Windows does not remove what is open
	}
	return s, nil
}

func (s *spool) file(name string, executable bool, size int64, r io.Reader) error {
	n, err := io.Copy(struct{ io.Writer }{s.buffer}, r)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	s.nodes[name] = &node{mode: fileMode(executable), spooled: io.NewSectionReader(s.temp, s.size, size)}
	s.size += size
	return nil
}

// Close gives the content up. What is open of it cannot be read any more.
func (s *spool) Close() (err error) {
	s.closed.Do(func() {
		err = s.temp.Close()
		if s.name == "" {
			return
		}
		if left := s.root.Remove(s.name); left != nil {
			err = errors.Join(err, fmt.Errorf("remove again: %w", left))
		}
	})
	return err
}

// A spooledTree is what Open returns where there is a spool.
type spooledTree struct {
	*tree
	spool io.Closer
}

// Close is as UnpackOptions.Spool says.
func (t *spooledTree) Close() error { return in("close", "", t.spool.Close()) }
