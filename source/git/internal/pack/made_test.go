package pack

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A part is an object as it lies in a made pack.
type part struct {
	kind   object.Kind
	body   string
	base   object.Hash // of a hashDelta
	back   int         // of an offsetDelta: how many parts before this one its base is
	size   uint64      // what the header says, if not the truth
	stored bool        // not compressed
	raw    []byte      // stands for the zlib stream
}

// makePack also returns where the parts start.
func makePack(parts ...part) ([]byte, []int) {
	out := bytes.NewBufferString("PACK\x00\x00\x00\x02")
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(parts))))
	var offsets []int
	compressing := zlib.NewWriter(out)
	for i, p := range parts {
		offsets = append(offsets, out.Len())
		size := uint64(len(p.body))
		if p.size != 0 {
			size = p.size
		}
		first := byte(p.kind)<<4 | byte(size&15)
		if size >>= 4; size > 0 {
			out.WriteByte(first | 0x80)
			out.Write(binary.AppendUvarint(nil, size))
		} else {
			out.WriteByte(first)
		}
		switch p.kind {
		case hashDelta:
			out.Write(p.base[:])
		case offsetDelta:
			out.Write(distance(offsets[i] - offsets[i-p.back]))
		}
		switch {
		case p.raw != nil:
			out.Write(p.raw)
		case p.stored:
			out.Write(deflated(p.body, zlib.NoCompression))
		default:
			compressing.Reset(out)
			compressing.Write([]byte(p.body))
			compressing.Close()
		}
	}
	return signed(out.Bytes()), offsets
}

// signed appends the sum that packs end with.
func signed(pack []byte) []byte {
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...)
}

func deflated(body string, level int) []byte {
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, level)
	if err != nil {
		panic(err)
	}
	z.Write([]byte(body))
	z.Close()
	return out.Bytes()
}

func packOf(parts ...part) []byte {
	pack, _ := makePack(parts...)
	return pack
}

// distance is how packs write how far back a base is.
func distance(n int) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		n--
		out = append([]byte{0x80 | byte(n&0x7f)}, out...)
	}
	return out
}

// patchOf makes result out of a base of the given size, by inserting all of it.
func patchOf(base int, result string) string {
	out := patchHead(base, len(result))
	for rest := result; rest != ""; {
		n := min(len(rest), 127)
		out = append(append(out, byte(n)), rest[:n]...)
		rest = rest[n:]
	}
	return string(out)
}

func patchHead(from, to int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(from)), uint64(to))
}

func blobHash(body string) object.Hash {
	hash, err := object.NewHasher().Sum(object.Blob, []byte(body))
	if err != nil {
		panic(err)
	}
	return hash
}

func blobPart(body string) part { return part{kind: object.Blob, body: body} }

// deltaPart is a delta against the part before it.
func deltaPart(patch string) part { return part{kind: offsetDelta, body: patch, back: 1} }

func hashPart(base, patch string) part {
	return part{kind: hashDelta, body: patch, base: blobHash(base)}
}

func setOf(bodies ...string) object.Set {
	set := make(object.Set)
	for _, body := range bodies {
		set[blobHash(body)] = object.New(object.Blob, []byte(body))
	}
	return set
}

func haveOf(bodies ...string) func(object.Hash) (object.Object, bool) {
	set := setOf(bodies...)
	return func(hash object.Hash) (object.Object, bool) {
		o, ok := set[hash]
		return o, ok
	}
}
