package source

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A Revision says which state of an origin this is: "main@sha1:855f77…", "sha256:9f86d0…". Two are the same if they are
// equal by ==.
type Revision struct {
	Name   string        // what was asked for: a branch, a tag, refs/pull/7/head; empty for a bucket or a folder
	Digest digest.Digest // what it was: the commit, or the digest of the bucket's or the folder's listing
}

// ParseRevision is the inverse of [Revision.String]. The empty string is the zero Revision.
func ParseRevision(s string) (Revision, error) {
	if s == "" {
		return Revision{}, nil
	}
	// A branch may have an @ in its name; a digest has none.
	at := strings.LastIndexByte(s, '@')
	r := Revision{Name: s[:max(at, 0)], Digest: digest.Digest(s[at+1:])}
	if !validDigest(r.Digest) || at == 0 {
		return Revision{}, fmt.Errorf("parsing revision %q: want [name@]algorithm:hex", s)
	}
	return r, nil
}

// digestSizes are the algorithms that origins have. go-digest knows no sha1, which Git still lives on.
var digestSizes = map[string]int{"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}

func validDigest(d digest.Digest) bool {
	algorithm, encoded, _ := strings.Cut(d.String(), ":")
	sum, err := hex.DecodeString(encoded)
	return err == nil && len(sum) > 0 && len(sum) == digestSizes[algorithm] && encoded == strings.ToLower(encoded)
}

// IsZero reports whether r is of no state at all.
func (r Revision) IsZero() bool { return r == Revision{} }

// String returns "name@algorithm:hex", without "name@" where there is no name, and the empty string for the zero Revision.
func (r Revision) String() string {
	if r.Name == "" {
		return r.Digest.String()
	}
	return r.Name + "@" + r.Digest.String()
}

// Current reports whether a caller who knows r is up to date with now. A Revision without a digest never is.
func (r Revision) Current(now Revision) bool { return r.Digest != "" && r == now }

// MarshalText implements [encoding.TextMarshaler] by [Revision.String].
func (r Revision) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseRevision].
func (r *Revision) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRevision(string(text))
	return err
}
