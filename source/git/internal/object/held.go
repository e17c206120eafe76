package object

import (
	"bytes"

	"github.com/klauspost/compress/s2"
)

// An Object is a commit, a tree, a blob or a tag. It does not change, and any number of goroutines may use it at once.
// Manifests are a third as large where they are packed, and decoded at gigabytes a second.
type Object struct {
	Kind   Kind
	packed bool
	held   []byte // the body, or, of a packed one, a block of S2, which begins with the body's size
}

// New returns an object that holds on to body, which must not change any more.
func New(kind Kind, body []byte) Object { return Object{Kind: kind, held: body} }

// Body returns the object's bytes, which must not be changed: others may have the same ones.
func (o Object) Body() []byte { return o.BodyIn(nil) }

// BodyIn returns the object's bytes as Body does. If they have to be decoded, they are in the memory of buf if it has the
// capacity.
func (o Object) BodyIn(buf []byte) []byte {
	if !o.packed {
		return o.held
	}
	body, _ := s2.Decode(buf, o.held) // a Packer made it
	return body
}

// Size returns how many bytes the body has.
func (o Object) Size() int {
	if !o.packed {
		return len(o.held)
	}
	size, _ := s2.DecodedLen(o.held) // a Packer made it
	return size
}

// Held returns how many bytes are in memory.
func (o Object) Held() int { return len(o.held) }

// MaxPacked is the largest body that is packed. It bounds what it costs that others are made of it: every delta against a
// packed object decodes that first.
const MaxPacked = 64 << 10

// A Packer makes objects that take little memory; it is for one goroutine. The zero Packer works.
type Packer struct{ buf []byte }

// Pack returns an object with the body. Blobs are packed if that saves an eighth; trees, whose hashes cannot be, and what is
// read for each fetch, are not. A body that is lent may change once Pack has returned; the object may hold on to others.
func (p *Packer) Pack(kind Kind, body []byte, lent bool) Object {
	if kind == Blob && len(body) <= MaxPacked {
		if p.buf == nil {
			p.buf = make([]byte, s2.MaxEncodedLen(MaxPacked))
		}
		if block := s2.Encode(p.buf, body); len(block) < len(body)-len(body)/8 {
			return Object{Kind: kind, packed: true, held: bytes.Clone(block)}
		}
	}
	if lent {
		body = bytes.Clone(body)
	}
	return New(kind, body)
}
