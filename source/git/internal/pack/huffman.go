package pack

import (
	"encoding/binary"
	"math/bits"
)

// The sizes that deflate (RFC 1951) sets.
const (
	maxLiterals  = 288
	maxDistances = 32
	maxCodeBits  = 15
	endOfBlock   = 256
)

// How many bits of a code are looked up at once; longer ones take a second step.
const (
	literalBits  = 10
	distanceBits = 8
)

// An entry says what the bits that led to it stand for:
//
//	bits 0-5    how many bits to use up, code and extra bits together
//	bits 8-11   how many of them are the code
//	bits 16-30  a literal, the least length or distance, or where in the table to look on
//
// and flags, of which literals have their own, so that they are told with one test. Of an inner table, bits 0-5 are how
// many bits its index has.
const (
	isEnd     = 1 << 12
	isTable   = 1 << 13
	isOther   = 1 << 14 // the end, a table, or an unused code
	isLiteral = 1 << 31
	unused    = isOther
)

// A code finds symbols by their bits. A complete code of 288 symbols, 10 bits and then up to 5 takes at most 1,334 entries,
// and one of 32 symbols, 8 bits and up to 7 takes 402; incomplete ones are refused unless they have one symbol.
type code struct {
	table   [2048]uint32
	primary uint
}

// inner looks up the rest of a long code.
func (c *code) inner(e uint32, acc uint64) uint32 {
	rest := acc >> c.primary & (1<<(e&63) - 1)
	return c.table[(uint64(e>>16&0x7ff)+rest)&2047]
}

// build makes the code whose symbols have these lengths, of which primary bits are looked up at once. It reports whether
// there is one. The entry of a symbol is that of entries, with the bits of its code.
func (c *code) build(lengths []uint8, primary uint, entries []uint32) bool {
	var count, next [maxCodeBits + 1]int
	var used, sorted [maxLiterals]uint16
	n := 0
	for i := 0; i < len(lengths); i++ {
		// Text uses few of the 256 bytes, and those lie together.
		if i&7 == 0 && i+8 <= len(lengths) && binary.LittleEndian.Uint64(lengths[i:]) == 0 {
			i += 7
			continue
		}
		if used[n] = uint16(i); lengths[i] != 0 {
			n++
		}
		count[lengths[i]&15]++
	}
	c.primary = primary
	if n == 0 || n == 1 && count[1] == 1 {
		c.buildSingle(lengths, entries)
		return true
	}
	space, sum := 1, 0
	for l := 1; l <= maxCodeBits; l++ {
		space = space<<1 - count[l]
		next[l] = sum
		sum += count[l]
		if space < 0 {
			return false
		}
	}
	if space != 0 {
		return false
	}
	for _, symbol := range used[:n] {
		l := lengths[symbol] & 15
		sorted[next[l]] = symbol
		next[l]++
	}
	return c.fill(sorted[:n], &count, entries)
}

// buildSingle makes a code of no symbol, or of one that has one bit.
func (c *code) buildSingle(lengths []uint8, entries []uint32) {
	for i := range c.table[:1<<c.primary] {
		c.table[i] = unused
	}
	for symbol, l := range lengths {
		if l == 1 {
			for i := 0; i < 1<<c.primary; i += 2 {
				c.table[i] = entries[symbol] + 1<<8 + 1
			}
		}
	}
}

// fill goes through the codes from the shortest to the longest. Codes come with their first bit lowest, so that the next one
// is found by adding one at the other end.
func (c *code) fill(sorted []uint16, count *[maxCodeBits + 1]int, entries []uint32) bool {
	codeword, size := uint(0), 1
	for l := uint(1); l <= c.primary; l++ {
		// The table so far is for codes that are one bit shorter: the next bit changes nothing for them.
		copy(c.table[size:2*size], c.table[:size])
		size *= 2
		for range count[l] {
			c.table[codeword] = entries[sorted[0]] + uint32(l<<8+l)
			sorted = sorted[1:]
			codeword = advance(codeword, l)
		}
	}
	start, prefix, inner := 0, ^uint(0), uint(0)
	end := size
	for l := c.primary + 1; l <= maxCodeBits; l++ {
		for left := count[l]; left > 0; left-- {
			if p := codeword & (1<<c.primary - 1); p != prefix {
				prefix, start, inner = p, end, l-c.primary
				for used := left; used < 1<<inner && c.primary+inner < maxCodeBits; {
					inner++
					used = used<<1 + count[c.primary+inner]
				}
				if end += 1 << inner; end > len(c.table) {
					return false
				}
				c.table[prefix] = isOther | isTable | uint32(start)<<16 | uint32(inner)
			}
			e := entries[sorted[0]] + uint32(l<<8+l)
			sorted = sorted[1:]
			for i := codeword >> c.primary; i < 1<<inner; i += 1 << (l - c.primary) {
				c.table[uint(start)+i] = e
			}
			codeword = advance(codeword, l)
		}
	}
	return true
}

// advance returns the code of l bits after this one, or after the last one nothing of use.
func advance(codeword, l uint) uint {
	free := codeword ^ (1<<l - 1)
	if free == 0 {
		return 0
	}
	bit := uint(1) << (bits.Len(free) - 1)
	return codeword&(bit-1) | bit
}

func literalEntry(symbol int) uint32 {
	switch {
	case symbol < endOfBlock:
		return isLiteral | uint32(symbol)<<16
	case symbol == endOfBlock:
		return isOther | isEnd
	case symbol < 257+len(lengthBase):
		return uint32(lengthBase[symbol-257])<<16 | uint32(lengthExtra[symbol-257])
	}
	return unused
}

func distanceEntry(symbol int) uint32 {
	if symbol >= 30 {
		return unused
	}
	base, extra := uint32(symbol+1), uint32(0)
	if symbol >= 4 {
		extra = uint32(symbol)/2 - 1
		base = (2+uint32(symbol)&1)<<extra + 1
	}
	return base<<16 | extra
}

// bitsEntry is for the code that the lengths of the other codes are written in.
func bitsEntry(symbol int) uint32 { return uint32(symbol) << 16 }

// entriesOf keeps what entry returns for each symbol.
func entriesOf(n int, entry func(symbol int) uint32) []uint32 {
	entries := make([]uint32, n)
	for symbol := range entries {
		entries[symbol] = entry(symbol)
	}
	return entries
}

// These are never changed.
var (
	literalEntries  = entriesOf(maxLiterals, literalEntry)
	distanceEntries = entriesOf(maxDistances, distanceEntry)
	bitsEntries     = entriesOf(len(bitsOrder), bitsEntry)

	lengthBase = [...]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
		195, 227, maxMatch}
	lengthExtra = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	// bitsOrder is the order in which a block has the lengths of the codes for lengths.
	bitsOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// fixedLength is how many bits a literal has in blocks that bring no codes of their own.
func fixedLength(symbol int) uint8 {
	switch {
	case symbol < 144:
		return 8
	case symbol < 256:
		return 9
	case symbol < 280:
		return 7
	}
	return 8
}

// readCodes reads the codes of a block.
func (d *inflater) readCodes() error {
	if err := d.refill(); err != nil {
		return err
	}
	literals, distances, n := int(d.take(5))+257, int(d.take(5))+1, int(d.take(4))+4
	if literals > 286 || distances > 30 {
		return d.malformed("a block with too many codes")
	}
	clear(d.lengths[:len(bitsOrder)])
	for i := range n {
		if i == 10 { // 14 bits and 10 times 3 are gone
			if err := d.refill(); err != nil {
				return err
			}
		}
		d.lengths[bitsOrder[i]] = uint8(d.take(3))
	}
	if !d.own.distances.build(d.lengths[:len(bitsOrder)], distanceBits, bitsEntries) {
		return d.malformed("a block whose codes are none")
	}
	if err := d.readLengths(d.lengths[:literals+distances]); err != nil {
		return err
	}
	if d.lengths[endOfBlock] == 0 || !d.own.literals.build(d.lengths[:literals], literalBits, literalEntries) ||
		!d.own.distances.build(d.lengths[literals:literals+distances], distanceBits, distanceEntries) {
		return d.malformed("a block whose codes are none")
	}
	return nil
}

// readLengths reads the lengths of a block's codes, for which the place of that of its distances was lent.
func (d *inflater) readLengths(lengths []uint8) error {
	for i := 0; i < len(lengths); {
		if d.left < 16 { // 7 bits of code, and 7 that say how often
			if err := d.refill(); err != nil {
				return err
			}
		}
		e := d.own.distances.table[d.bits&(1<<distanceBits-1)]
		if e&isOther != 0 {
			return d.malformed("a code that stands for nothing")
		}
		d.take(uint(e & 63))
		symbol, times, value := uint8(e>>16), 1, uint8(0)
		switch {
		case symbol < 16:
			value = symbol
		case symbol == 16 && i > 0:
			times, value = 3+int(d.take(2)), lengths[i-1]
		case symbol == 17:
			times = 3 + int(d.take(3))
		case symbol == 18:
			times = 11 + int(d.take(7))
		default:
			return d.malformed("a length that repeats none")
		}
		if times > len(lengths)-i {
			return d.malformed("a block with too many codes")
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	return nil
}
