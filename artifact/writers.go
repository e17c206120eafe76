package artifact

import (
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
)

// Writers write small files, on goroutines of their own once there is more than one
// parcel of them.
type writers struct {
	root    *os.Root // set before the first parcel is written
	parcels chan *parcel
	free    chan *parcel
	made    int
	group   sync.WaitGroup
	started bool

	mu     sync.Mutex
	err    error
	parcel int // which one err is of, so that it is the first in the archive's order
	next   int
}

const (
	parcelBytes = 256 << 10
	parcelFiles = 128
	maxParcels  = 8
	maxWriters  = 4 // what makes files in one folder takes turns
)

// A parcel is some files, small and near each other, with their content.
type parcel struct {
	number int
	data   []byte
	files  []smallFile
}

type smallFile struct {
	name string
	perm fs.FileMode
	data []byte
}

func newWriters() *writers {
	return &writers{parcels: make(chan *parcel, maxParcels), free: make(chan *parcel, maxParcels)}
}

// empty returns a parcel to fill. It waits until there is one.
func (c *writers) empty() *parcel {
	c.next++
	if len(c.free) == 0 && c.made < maxParcels {
		c.made++
		return &parcel{number: c.next}
	}
	b := <-c.free
	b.number, b.data, b.files = c.next, b.data[:0], b.files[:0]
	return b
}

func (b *parcel) fits(size int64) bool {
	return len(b.files) < parcelFiles && int64(len(b.data))+size <= parcelBytes
}

func (b *parcel) add(name string, perm fs.FileMode, size int64, r io.Reader) error {
	if b.data == nil {
		// What is in the archive may be little: it grows, once.
		b.data = make([]byte, 0, max(size, 8<<10))
	}
	at := len(b.data)
	if at+int(size) > cap(b.data) {
		// The files that are in it keep what they have.
		b.data, at = make([]byte, 0, parcelBytes), 0
	}
	b.data = b.data[:at+int(size)]
	data := b.data[at:]
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	b.files = append(b.files, smallFile{name, perm, data})
	return nil
}

// write takes b over.
func (c *writers) write(b *parcel) {
	if !c.started {
		c.started = true
		for range min(runtime.GOMAXPROCS(0), maxWriters) {
			c.group.Go(c.work)
		}
	}
	c.parcels <- b
}

func (c *writers) work() {
	f := folders{root: c.root}
	defer f.close()
	for b := range c.parcels {
		if c.failed() == nil {
			c.note(b.number, f.write(b))
		}
		c.free <- b
	}
}

// end waits for what is under way, and skips what is not if they are told to
// abandon it.
func (c *writers) end(abandon bool) error {
	if abandon {
		c.note(c.next+1, errAbandoned)
	}
	close(c.parcels)
	c.group.Wait()
	return c.err
}

func (c *writers) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *writers) note(number int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && (c.err == nil || number < c.parcel) {
		c.err, c.parcel = err, number
	}
}
