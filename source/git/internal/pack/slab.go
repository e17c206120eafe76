package pack

import (
	"bytes"
	"sync/atomic"
)

const (
	slabSize = 64 << 10
	// maxSlabPatch is the largest patch that goes into a slab.
	maxSlabPatch = slabSize / 4
)

// A slab is memory for patches, most of which are applied soon after they came: it is used again when all of them have been.
type slab struct {
	buf  []byte
	used int          // of the reading goroutine
	live atomic.Int64 // patches, and the reading goroutine while it puts more there
}

// putPatch copies a patch to where it stays until it is applied.
func (d *scanner) putPatch(e *entry, patch []byte) {
	if len(patch) > maxSlabPatch {
		e.body = bytes.Clone(patch)
		return
	}
	if d.slab == nil || len(patch) > len(d.slab.buf)-d.slab.used {
		d.pack.drop(d.slab)
		d.slab, _ = d.pack.slabs.Get().(*slab)
		if d.slab == nil {
			d.slab = &slab{buf: make([]byte, slabSize)}
		}
		d.slab.used = 0
		d.slab.live.Store(1)
	}
	s := d.slab
	e.slab, e.body = s, s.buf[s.used:s.used+len(patch)]
	s.used += copy(e.body, patch)
	s.live.Add(1)
}

// drop says that one of those who use a slab, which may be nil, is done with it.
func (p *pack) drop(s *slab) {
	if s != nil && s.live.Add(-1) == 0 {
		p.slabs.Put(s)
	}
}
