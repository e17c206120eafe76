package artifact

import (
	"crypto/sha256"
	"hash"

	"github.com/opencontainers/go-digest"
)

// A Descriptor names an artifact's bytes and what is in them. It is comparable,
// and as JSON it is a descriptor as OCI defines it, with fields added.
type Descriptor struct {
	// MediaType says how the archive is compressed: one of the constants.
	MediaType string `json:"mediaType"`
	// Digest is the sha256 of the artifact, compressed as it is.
	Digest digest.Digest `json:"digest"`
	// Size is the artifact's size in bytes, compressed as it is.
	Size int64 `json:"size"`
	// ContentDigest is the sha256 of the uncompressed archive: the same for the
	// same tree, whatever compressed it. OCI calls it the diff ID. In a
	// Descriptor that is asked for it may be empty: then it is not verified.
	ContentDigest digest.Digest `json:"contentDigest,omitempty"`
	// ContentSize is the uncompressed archive's size in bytes. In a Descriptor
	// that is asked for, 0 means that it is not verified.
	ContentSize int64 `json:"contentSize,omitempty"`
	// Files is how many files and symbolic links the tree has. In a Descriptor
	// that is asked for, 0 means that it is not verified.
	Files int `json:"files,omitempty"`
}

// The media types of artifacts: those of OCI image layers.
const (
	MediaTypeTar     = "application/vnd.oci.image.layer.v1.tar"
	MediaTypeTarGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
	MediaTypeTarZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
)

// check refuses a Descriptor that no artifact can have.
func (d Descriptor) check() error {
	switch d.MediaType {
	case MediaTypeTar, MediaTypeTarGzip, MediaTypeTarZstd:
	default:
		return malformedf("media type %q is not an artifact's", d.MediaType)
	}
	if err := checkDigest(d.Digest); err != nil {
		return err
	}
	if d.ContentDigest != "" {
		if err := checkDigest(d.ContentDigest); err != nil {
			return err
		}
	}
	if d.Size <= 0 || d.ContentSize < 0 || d.Files < 0 {
		return malformedf("descriptor with size %d, content size %d, %d files", d.Size, d.ContentSize, d.Files)
	}
	return nil
}

// within refuses a Descriptor that crosses limits by its own account, so that
// none of its bytes need be read.
func (d Descriptor) within(limits Limits) error {
	switch {
	case d.Size > limits.packedMax():
		return limits.tooManyBytes()
	case d.Files > limits.MaxFiles:
		return limits.tooManyFiles()
	}
	if max, over := limits.contentMax(d.Size); d.ContentSize > max {
		return over
	}
	return nil
}

// checkDigest accepts sha256 only: it is what Pack makes, and a store's paths
// are built from it.
func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil || d.Algorithm() != digest.SHA256 {
		return malformedf("%q is not a sha256 digest", string(d))
	}
	return nil
}

func newHash() hash.Hash { return sha256.New() }

func digestOf(h hash.Hash) digest.Digest { return digest.NewDigest(digest.SHA256, h) }
