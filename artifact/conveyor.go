package artifact

import (
	"context"
	"hash"
	"io"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
)

// A conveyor brings an archive, slab by slab, from the goroutine that
// decompresses it to the one that reads its entries, and to a third that hashes
// it: on several cores the slowest of them is what counts. Memory is that of its
// slabs, which go round.
type conveyor struct {
	ctx    context.Context
	max    int64
	over   error // what comes after the byte at max
	slabs  chan *slab
	hashed chan *slab
	free   chan *slab
	made   int
	size   int
	stop   chan struct{}
	crew   *crew
	hash   hash.Hash

	at   *slab // what rest is of
	rest []byte
	err  error // what comes after rest
	n    int64 // bytes given out
}

// A slab is full, but for the last one, which also says why it is the last:
// io.EOF or another error.
type slab struct {
	data  []byte
	err   error
	users atomic.Int32
}

const (
	conveyed       = 10        // slabs on a conveyor
	conveyedBlock  = 256 << 10 // a multiple of record, so that no header lies in two
	conveyedLeast  = 4 << 10
	conveyedGrowth = 8 // how much more there is in small artifacts than their size
)

// newConveyor starts to bring what open returns, up to max bytes. What goes wrong
// passes through blame on its way. packedSize is of the artifact, to take little
// for little.
func newConveyor(ctx context.Context, packedSize, max int64, over error) *conveyor {
	size := conveyedLeast
	for size < conveyedBlock && int64(size) < packedSize*conveyedGrowth {
		size *= 2
	}
	return &conveyor{
		ctx: ctx, max: max, over: over, size: size,
		slabs: make(chan *slab, conveyed), hashed: make(chan *slab, conveyed), free: make(chan *slab, conveyed),
		stop: make(chan struct{}), crew: newCrew(ctx, 1), hash: newHash(),
	}
}

func (c *conveyor) start(open func() (io.ReadCloser, error), blame func(error) error) {
	c.crew.start(func() {
		defer close(c.slabs)
		defer close(c.hashed)
		c.fill(open, blame)
	})
	c.crew.start(func() {
		for b := range c.hashed {
			c.hash.Write(b.data)
			c.release(b)
		}
	})
}

// end stops what is under way and waits for it. If the caller's reader panicked, so
// does end.
func (c *conveyor) end() {
	close(c.stop)
	_ = c.crew.wait()
}

// digest is that of all that came, once end returned.
func (c *conveyor) digest() digest.Digest { return digestOf(c.hash) }

func (c *conveyor) fill(open func() (io.ReadCloser, error), blame func(error) error) {
	r, err := open()
	if err != nil {
		c.send(&slab{err: blame(err)})
		return
	}
	defer r.Close()
	for left := c.max; ; {
		b := c.empty()
		if b == nil {
			return
		}
		room := min(left, int64(c.size)-1) + 1
		n, err := c.read(r, b.data[:room])
		if left -= int64(n); left < 0 {
			n, err = n-1, c.over
		}
		b.data = b.data[:n]
		if err != nil && err != io.EOF {
			err = blame(err)
		}
		b.err = err
		c.send(b)
		if err != nil {
			return
		}
	}
}

// read fills p, and tells apart an end from one that comes too early, which
// io.ReadFull would not.
func (c *conveyor) read(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if err := c.ctx.Err(); err != nil {
			return n, err
		}
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}

// empty returns a slab to fill, or nil if nobody wants it any more.
func (c *conveyor) empty() *slab {
	select {
	case b := <-c.free:
		b.data = b.data[:c.size]
		return b
	case <-c.stop:
		return nil
	default:
	}
	if c.made < conveyed {
		c.made++
		return &slab{data: make([]byte, c.size)}
	}
	select {
	case b := <-c.free:
		b.data = b.data[:c.size]
		return b
	case <-c.stop:
		return nil
	}
}

// send never waits: the channels have room for all slabs.
func (c *conveyor) send(b *slab) {
	b.users.Store(2)
	c.hashed <- b
	c.slabs <- b
}

func (c *conveyor) release(b *slab) {
	if b.users.Add(-1) == 0 {
		c.free <- b
	}
}

// take returns the next bytes, one or more and at most max, which are good until
// the next call.
func (c *conveyor) take(max int64) ([]byte, error) {
	for len(c.rest) == 0 {
		if c.err != nil {
			return nil, c.err
		}
		if c.at != nil {
			c.release(c.at)
		}
		next, ok := <-c.slabs
		if !ok { // there was a panic, which end passes on
			c.at, c.err = nil, errAbandoned
			return nil, c.err
		}
		c.at, c.rest, c.err = next, next.data, next.err
	}
	n := min(max, int64(len(c.rest)))
	p := c.rest[:n]
	c.rest, c.n = c.rest[n:], c.n+n
	return p, nil
}
