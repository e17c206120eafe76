package pack

import (
	"encoding/binary"
	"math"
)

// A patch starts with the sizes of the object that it is applied to and of the one that comes out, and goes on with what
// the latter is made of: a byte with its top bit set copies from the former, with an offset and a length of which it says
// which bytes follow; one from 1 to 127 is followed by so many bytes that are new.

// sizes returns what a patch starts with, and the rest of it.
func sizes(patch []byte) (from, to uint64, rest []byte, ok bool) {
	from, n := binary.Uvarint(patch)
	to, m := binary.Uvarint(patch[max(n, 0):])
	if n <= 0 || m <= 0 || from > math.MaxInt64 || to > math.MaxInt64 {
		return 0, 0, nil, false
	}
	return from, to, patch[n+m:], true
}

// made returns how many bytes instructions make, or more than any object has.
func made(instructions []byte) (sum uint64) {
	for len(instructions) > 0 {
		op := instructions[0]
		instructions = instructions[1:]
		length := uint64(op)
		if op&0x80 != 0 {
			_, length, instructions, _ = copyOf(op, instructions)
		} else {
			instructions = instructions[min(int(op), len(instructions)):]
		}
		sum += length // at most 2^24 a byte
	}
	return sum
}

// patched appends to out, which is empty, what instructions make of base. It reports whether they fill its capacity exactly.
// It never grows out.
func patched(out, base, instructions []byte) ([]byte, bool) {
	for len(instructions) > 0 {
		op := instructions[0]
		instructions = instructions[1:]
		var source []byte
		switch {
		case op&0x80 != 0:
			var offset, length uint64
			var ok bool
			if offset, length, instructions, ok = copyOf(op, instructions); !ok {
				return nil, false
			}
			if offset > uint64(len(base)) || length > uint64(len(base))-offset {
				return nil, false
			}
			source = base[offset : offset+length]
		case op != 0 && int(op) <= len(instructions):
			source, instructions = instructions[:op], instructions[op:]
		default: // 0 is reserved
			return nil, false
		}
		if len(source) > cap(out)-len(out) {
			return nil, false
		}
		out = append(out, source...)
	}
	return out, len(out) == cap(out)
}

// copyOf reads the offset and the length of a copy: for each of the four and three lower bits of op that is set, the next
// byte of the little-endian number; the others are zero.
func copyOf(op byte, instructions []byte) (offset, length uint64, rest []byte, ok bool) {
	var number uint64
	for bit := range 7 {
		if op>>bit&1 == 0 {
			continue
		}
		if len(instructions) == 0 {
			return 0, 0, nil, false
		}
		number |= uint64(instructions[0]) << (8 * bit)
		instructions = instructions[1:]
	}
	offset, length = number&math.MaxUint32, number>>32
	if length == 0 {
		length = 0x10000
	}
	return offset, length, instructions, true
}
