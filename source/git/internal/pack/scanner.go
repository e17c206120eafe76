package pack

import (
	"bytes"
	"math"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A scanner reads entries one after the other.
type scanner struct {
	*inflater
	pack *pack
	read int64 // bytes that were decompressed
	slab *slab // where is put what comes now
}

// entry reads the next one into e, which is the last of the pack's.
func (d *scanner) entry(e *entry) error {
	e.offset = d.offset()
	kind, size, err := d.head()
	if err != nil {
		return err
	}
	switch kind {
	case object.Commit, object.Tree, object.Blob, object.Tag:
		e.object.Kind = kind
	case offsetDelta:
		err = d.offsetBase(e)
	case hashDelta:
		err = d.hashBase(e)
	default:
		err = d.malformed("an object of a kind that Git does not have")
	}
	if err != nil {
		return err
	}
	if err := d.pack.admit(&d.read, size); err != nil {
		return err
	}
	body, borrowed, err := d.inflate(int(size))
	if err != nil {
		return err
	}
	if borrowed {
		body = d.put(e, body)
	}
	e.object = object.New(e.object.Kind, body)
	return nil
}

// head reads a kind and a size: three and four bits, then seven more of the size in each byte, the lowest first.
func (d *scanner) head() (object.Kind, uint64, error) {
	b, err := d.byte()
	if err != nil {
		return 0, 0, err
	}
	kind, size := object.Kind(b>>4&7), uint64(b&15)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = d.byte(); err != nil {
			return 0, 0, err
		}
		if shift > 60 || uint64(b&0x7f) > math.MaxInt64>>shift {
			return 0, 0, d.malformed("an object whose size is no number")
		}
		size |= uint64(b&0x7f) << shift
	}
	return kind, size, nil
}

// offsetBase reads how far back the base is: seven bits in each byte, the highest first, and one added for each byte that
// follows, so that there is one way to write a number.
func (d *scanner) offsetBase(e *entry) error {
	b, err := d.byte()
	if err != nil {
		return err
	}
	back := int64(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = d.byte(); err != nil {
			return err
		}
		if back >= math.MaxInt64>>8 {
			return d.malformed("a delta whose base is before the pack")
		}
		back = (back+1)<<7 | int64(b&0x7f)
	}
	if back > 0 {
		e.base = d.pack.entries.at(e.offset - back)
	}
	if e.base == nil {
		return d.malformed("a delta whose base is no object of the pack")
	}
	return nil
}

func (d *scanner) hashBase(e *entry) error {
	raw, err := d.next(len(e.hash))
	if err != nil {
		return err
	}
	e.hash = (*object.Hash)(bytes.Clone(raw))
	return nil
}
