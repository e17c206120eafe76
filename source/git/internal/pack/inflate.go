package pack

import "encoding/binary"

// A pack's objects are zlib streams (RFC 1950 and 1951), most of a few hundred or thousand bytes, whose size is told before.
// The decoder here is made for that: it has all of an object before it, so that it needs no window, looks up a symbol in one
// step, and uses exactly the bytes that are an object's.

const (
	maxMatch = 258
	// slack is how far beyond an object's end the decoder may write: three literals, a match, and what a copy by words adds.
	slack = 3 + maxMatch + 8
	// scratchSize is the largest object that is decoded into the decoder's own memory and copied: smaller memory for it is
	// taken when all of it has come.
	scratchSize = 64 << 10
	trusted     = 1 << 20 // of larger objects, memory beyond this comes with the bytes
)

// An inflater decodes one object after the other from a stream.
type inflater struct {
	*stream
	bits uint64 // the next bits of the stream, the first lowest; those from count on may be there or not
	left uint   // how many of bits there surely are

	out     []byte // what is being decoded, and slack behind
	n       int    // bytes of it that are done
	size    int    // bytes of it that there shall be
	scratch []byte

	fixed, own codes
	lengths    [maxLiterals + maxDistances]uint8
}

// codes are the two codes of a block.
type codes struct {
	literals, distances code
}

func newInflater(s *stream) *inflater {
	d := &inflater{stream: s, scratch: make([]byte, scratchSize+slack)}
	for i := range d.lengths[:288] {
		d.lengths[i] = fixedLength(i)
	}
	d.fixed.literals.build(d.lengths[:288], literalBits, literalEntries)
	for i := range d.lengths[:32] {
		d.lengths[i] = 5
	}
	d.fixed.distances.build(d.lengths[:32], distanceBits, distanceEntries)
	return d
}

// inflate decodes the next zlib stream, which has to have size bytes. Where that is not much, they are in memory that the
// next call uses again, and borrowed is true.
func (d *inflater) inflate(size int) (body []byte, borrowed bool, err error) {
	d.size, d.n, d.bits, d.left = size, 0, 0, 0
	d.out = d.scratch
	if size > scratchSize {
		d.out = make([]byte, min(size, trusted)+slack)
	}
	head, err := d.next(2)
	if err != nil {
		return nil, false, err
	}
	// 8 is deflate, and a preset dictionary (0x20) is nothing that Git has.
	if head[0]&15 != 8 || head[0]>>4 > 7 || head[1]&0x20 != 0 || binary.BigEndian.Uint16(head)%31 != 0 {
		return nil, false, d.malformed("no zlib stream")
	}
	for last := false; !last && err == nil; {
		last, err = d.block()
	}
	if err != nil {
		return nil, false, err
	}
	d.align()
	// The stream's Adler-32 is not computed: the pack's SHA-1 is of its bytes, and the object's of what they decode to.
	if _, err := d.next(4); err != nil {
		return nil, false, err
	}
	if d.n != size {
		return nil, false, d.malformed("an object is shorter than it says")
	}
	return d.out[:size:size], size <= scratchSize, nil
}

// refill makes count at least 56.
func (d *inflater) refill() error {
	if d.end-d.pos < 8 {
		d.unread()
		if err := d.fill(8); err != nil {
			return err
		}
	}
	d.bits |= binary.LittleEndian.Uint64(d.buf[d.pos:]) << (d.left & 63)
	d.pos += int((63 - d.left) >> 3)
	d.left |= 56
	return nil
}

// unread gives whole bytes back to the stream.
func (d *inflater) unread() {
	d.pos -= int(d.left >> 3)
	d.left &= 7
	d.bits &= 1<<d.left - 1
}

// align also drops the rest of a byte.
func (d *inflater) align() {
	d.unread()
	d.bits, d.left = 0, 0
}

// take returns the next n bits, of those that refill has made sure of.
func (d *inflater) take(n uint) uint {
	v := d.bits & (1<<n - 1)
	d.bits >>= n
	d.left -= n
	return uint(v)
}

// room makes sure that slack bytes can be written behind what is done.
func (d *inflater) room() error {
	if d.n > d.size {
		return d.malformed("an object is longer than it says")
	}
	if d.n > len(d.out)-slack {
		grown := make([]byte, min(d.size, 2*len(d.out))+slack)
		copy(grown, d.out[:d.n])
		d.out = grown
	}
	return nil
}

func (d *inflater) block() (last bool, err error) {
	if err := d.refill(); err != nil {
		return false, err
	}
	last = d.take(1) == 1
	switch d.take(2) {
	case 0:
		return last, d.stored()
	case 1:
		return last, d.symbols(&d.fixed)
	case 2:
		if err := d.readCodes(); err != nil {
			return false, err
		}
		return last, d.symbols(&d.own)
	}
	return false, d.malformed("an unknown kind of block")
}

// stored copies a block that is not compressed.
func (d *inflater) stored() error {
	d.align()
	head, err := d.next(4)
	if err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint16(head))
	if n != int(^binary.LittleEndian.Uint16(head[2:])) {
		return d.malformed("a stored block whose length is not its length's complement")
	}
	if n > d.size-d.n {
		return d.malformed("an object is longer than it says")
	}
	for n > 0 {
		if err := d.fill(1); err != nil {
			return err
		}
		if err := d.room(); err != nil {
			return err
		}
		m := copy(d.out[d.n:len(d.out)-slack+1], d.buf[d.pos:min(d.end, d.pos+n)])
		d.pos, d.n, n = d.pos+m, d.n+m, n-m
	}
	return nil
}

// symbols decodes a block's literals and matches. What it changes all the time is in variables of its own.
func (d *inflater) symbols(c *codes) error {
	const mask = 1<<literalBits - 1
	table := &c.literals.table
	acc, left, n, pos := d.bits, d.left, d.n, d.pos
	out, in, limit := d.out, d.buf[:d.end], min(d.size, len(d.out)-slack)
	for {
		if n > limit || len(in)-pos < 16 {
			d.bits, d.left, d.n, d.pos = acc, left, n, pos
			if err := d.more(); err != nil {
				return err
			}
			acc, left, pos = d.bits, d.left, d.pos
			out, in, limit = d.out, d.buf[:d.end], min(d.size, len(d.out)-slack)
		}
		acc |= binary.LittleEndian.Uint64(in[pos:]) << (left & 63)
		pos += int((63 - left) >> 3)
		left |= 56
		e := table[acc&mask]
		if e&isLiteral != 0 { // up to three of them
			acc, left = acc>>(e&63), left-uint(e&63)
			out[n] = byte(e >> 16)
			n++
			if e = table[acc&mask]; e&isLiteral != 0 {
				acc, left = acc>>(e&63), left-uint(e&63)
				out[n] = byte(e >> 16)
				n++
				if e = table[acc&mask]; e&isLiteral != 0 {
					acc, left = acc>>(e&63), left-uint(e&63)
					out[n] = byte(e >> 16)
					n++
					continue
				}
			}
			acc |= binary.LittleEndian.Uint64(in[pos:]) << (left & 63)
			pos += int((63 - left) >> 3)
			left |= 56
		}
		if e&isTable != 0 {
			if e = c.literals.inner(e, acc); e&isLiteral != 0 {
				acc, left = acc>>(e&63), left-uint(e&63)
				out[n] = byte(e >> 16)
				n++
				continue
			}
		}
		if e&isOther != 0 {
			d.bits, d.left, d.n, d.pos = acc>>(e&63), left-uint(e&63), n, pos
			return d.ends(e)
		}
		// At most 15 bits of code and 5 of length, then 15 and 13 of distance: less than 56.
		length := int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&15))
		acc, left = acc>>(e&63), left-uint(e&63)
		if e = c.distances.table[acc&(1<<distanceBits-1)]; e&isTable != 0 {
			e = c.distances.inner(e, acc)
		}
		distance := int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&15))
		acc, left = acc>>(e&63), left-uint(e&63)
		if e&isOther != 0 || distance > n {
			d.pos = pos
			return d.malformed("a match that starts before its object")
		}
		repeat(out, n, distance, length)
		n += length
	}
}

// more makes sure of slack bytes of room, and of two refills.
func (d *inflater) more() error {
	if err := d.room(); err != nil {
		return err
	}
	d.unread()
	return d.fill(16)
}

// ends is for an entry that is no literal and no length.
func (d *inflater) ends(e uint32) error {
	if e&isEnd == 0 {
		return d.malformed("a code that stands for nothing")
	}
	return nil
}

// repeat copies length bytes from distance before n to n. They may overlap.
func repeat(out []byte, n, distance, length int) {
	if distance >= 8 {
		// By words, of which the last may write beyond.
		from, to := out[n-distance:n+maxMatch], out[n:n+maxMatch+8]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
		}
		return
	}
	to := out[n : n+length]
	from := out[n-distance:]
	for i := range to {
		to[i] = from[i]
	}
}
