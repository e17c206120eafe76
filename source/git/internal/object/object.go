// Package object has what Git repositories are made of, as bytes: commits, trees, blobs and tags by their hashes.
package object

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/pjbgf/sha1cd"
)

// A Hash is the SHA-1 of an object. The zero Hash is of none.
type Hash [20]byte

// String returns 40 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is of no object.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads 40 hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != hex.EncodedLen(len(h)) {
		return Hash{}, fmt.Errorf("%q is not a hash of 40 hexadecimal digits", s)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("%q is not a hash of 40 hexadecimal digits", s)
	}
	return h, nil
}

// A Kind is what an object is. The numbers are those of packs.
type Kind uint8

// The kinds of object.
const (
	Commit Kind = 1
	Tree   Kind = 2
	Blob   Kind = 3
	Tag    Kind = 4
)

var kinds = [...]string{Commit: "commit", Tree: "tree", Blob: "blob", Tag: "tag"}

// String returns Git's word for the kind.
func (k Kind) String() string {
	if int(k) < len(kinds) && kinds[k] != "" {
		return kinds[k]
	}
	return "object of the unknown kind " + strconv.Itoa(int(k))
}

// A Set is objects by their hashes.
type Set map[Hash]Object

// A Hasher computes hashes one after the other; it is for one goroutine. It fails on content that was made for a collision,
// as Git does.
type Hasher struct {
	sum    sha1cd.CollisionResistantHash
	header []byte
	hash   []byte
}

// NewHasher returns a Hasher.
func NewHasher() *Hasher {
	sum, _ := sha1cd.New().(sha1cd.CollisionResistantHash) // it says that it is one
	return &Hasher{sum: sum}
}

// Sum returns the object's hash.
func (h *Hasher) Sum(kind Kind, body []byte) (Hash, error) {
	h.sum.Reset()
	h.header = append(append(h.header[:0], kind.String()...), ' ')
	h.header = append(strconv.AppendInt(h.header, int64(len(body)), 10), 0)
	h.sum.Write(h.header) // never an error, as hash.Hash says
	h.sum.Write(body)
	var collides bool
	if h.hash, collides = h.sum.CollisionResistantSum(h.hash[:0]); collides {
		return Hash{}, fmt.Errorf("a %s of %d bytes was made to have the SHA-1 of another", kind, len(body))
	}
	return Hash(h.hash), nil
}
