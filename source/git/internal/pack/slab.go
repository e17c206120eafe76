package pack

import (
	"bytes"
	"sync/atomic"
)

const (
	slabSize = 64 << 10
	// maxInSlab is how much of one entry goes into a slab at most.
	maxInSlab = slabSize / 4
)

// A slab is memory for what entries bring, most of which are settled soon after they came: it is used again when all of them
// have been.
type slab struct {
	buf  []byte
	used int          // of the reading goroutine
	live atomic.Int64 // entries, and the reading goroutine while it puts more there
}

// put copies what an entry brings to where it stays until the entry is settled.
func (d *scanner) put(e *entry, body []byte) []byte {
	if len(body) > maxInSlab {
		return bytes.Clone(body)
	}
	if d.slab == nil || len(body) > len(d.slab.buf)-d.slab.used {
		d.pack.drop(d.slab)
		d.slab, _ = d.pack.slabs.Get().(*slab)
		if d.slab == nil {
			d.slab = &slab{buf: make([]byte, slabSize)}
		}
		d.slab.used = 0
		d.slab.live.Store(1)
	}
	s := d.slab
	start := s.used
	s.used += copy(s.buf[start:], body)
	s.live.Add(1)
	e.slab = s
	return s.buf[start:s.used]
}

// drop says that one of those who use a slab, which may be nil, is done with it.
func (p *pack) drop(s *slab) {
	if s != nil && s.live.Add(-1) == 0 {
		p.slabs.Put(s)
	}
}
