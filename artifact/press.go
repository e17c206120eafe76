package artifact

import (
	"fmt"
	"hash"
	"hash/crc32"
	"sync"

	"github.com/opencontainers/go-digest"
)

// A press takes an archive and writes the artifact. It cuts the archive into
// blocks, which encoders compress at the same time, while one goroutine hashes
// the blocks and another writes what became of them, each in their order.
type press struct {
	crew   *crew
	format *format
	out    *gauge
	tally  tally

	block    *block
	blocks   int         // how many were made
	free     chan *block // is large enough for all
	encoding chan *block // and so are these
	hashing  chan *block
	writing  chan *block
}

// A block is a piece of the archive on its way.
type block struct {
	before []byte // what stands before it in the archive, as far as it is shown
	data   []byte
	last   bool
	packed []byte
	err    error
	ready  sync.WaitGroup // it is compressed, and it is hashed
}

// A tally is what is known of the content that went by.
type tally struct {
	hash hash.Hash
	crc  uint32
	n    int64
}

func (t *tally) add(data []byte) {
	t.hash.Write(data)
	t.crc = crc32.Update(t.crc, crc32.IEEETable, data)
	t.n += int64(len(data))
}

func newPress(crew *crew, format *format, out *gauge) *press {
	encoders := min(crew.size(), format.cores)
	// One is filled, and two have been encoded before those that come before them.
	n := encoders + 3
	p := &press{
		crew: crew, format: format, out: out, tally: tally{hash: newHash()},
		free: make(chan *block, n), encoding: make(chan *block, n),
		hashing: make(chan *block, n), writing: make(chan *block, n),
	}
	if format.encoder != nil {
		for range encoders {
			crew.start(p.encode)
		}
		crew.start(p.hash)
	}
	crew.start(p.write)
	return p
}

// room returns where the next bytes of the archive are to be put: some, at least
// one. How many were put there, filled is told.
func (p *press) room() ([]byte, error) {
	if p.block == nil || len(p.block.data) == p.format.block {
		next, err := p.next()
		if err != nil {
			return nil, err
		}
		if p.block != nil {
			p.send(next)
		}
		p.block = next
	}
	b := p.block
	return b.data[len(b.data):p.format.block], nil
}

func (p *press) filled(n int) { p.block.data = p.block.data[:len(p.block.data)+n] }

// Write is for what is in memory already.
func (p *press) Write(data []byte) (int, error) {
	for left := data; len(left) > 0; {
		room, err := p.room()
		if err != nil {
			return 0, err
		}
		n := copy(room, left)
		p.filled(n)
		left = left[n:]
	}
	return len(data), nil
}

// next returns an empty block, once there is one.
func (p *press) next() (*block, error) {
	if len(p.free) == 0 && p.blocks < cap(p.free) {
		p.blocks++
		return &block{data: make([]byte, 0, p.format.block)}, nil
	}
	select {
	case b := <-p.free:
		b.data, b.packed, b.before = b.data[:0], b.packed[:0], b.before[:0]
		return b, nil
	case <-p.crew.ctx.Done():
		return nil, p.crew.err()
	}
}

// send passes the block on to whoever works on it. The block after it takes a
// copy of what its encoder is shown, as the two are not done with in order.
func (p *press) send(after *block) {
	b := p.block
	if after != nil {
		after.before = append(after.before, b.data[max(0, len(b.data)-p.format.window):]...)
	}
	if p.format.encoder != nil {
		b.ready.Add(2)
		p.encoding <- b
		p.hashing <- b
	}
	p.writing <- b
}

// close ends the archive, if it is whole, and the work on it in any case.
func (p *press) close(whole bool) {
	if whole && p.block != nil {
		p.block.last = true
		p.send(nil)
	}
	close(p.encoding)
	close(p.hashing)
	close(p.writing)
}

func (p *press) encode() {
	var enc encoder
	for b := range p.encoding {
		p.crew.work(func() {
			defer b.ready.Done()
			if enc == nil {
				enc, b.err = p.format.encoder()
			}
			if b.err == nil && p.crew.ctx.Err() == nil {
				b.packed, b.err = enc.encode(b.packed, b.before, b.data, b.last)
			}
		})
	}
}

func (p *press) hash() {
	for b := range p.hashing {
		p.crew.work(func() {
			defer b.ready.Done()
			p.tally.add(b.data)
		})
	}
}

func (p *press) write() {
	if p.put(p.format.header) != nil {
		return
	}
	for b := range p.writing {
		b.ready.Wait()
		packed := b.packed
		if p.format.encoder == nil {
			packed = b.data
		}
		if b.err != nil {
			p.crew.stop(in("pack", "", b.err))
			return
		}
		if p.put(packed) != nil {
			return
		}
		if b.last {
			p.put(p.format.trailer(&p.tally))
		}
		p.free <- b
	}
}

func (p *press) put(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	_, err := p.out.Write(data)
	if err != nil {
		// The entry at hand has no part in what went wrong here.
		p.crew.stop(&Error{Op: "pack", Err: fmt.Errorf("write: %w", err)})
	}
	return err
}

// contentDigest is good once the crew is done.
func (p *press) contentDigest() digest.Digest {
	if p.format.encoder == nil {
		return p.out.digest()
	}
	return digestOf(p.tally.hash)
}
