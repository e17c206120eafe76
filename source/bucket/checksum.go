package bucket

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// A sum is what the store says of content.
type sum struct {
	name string
	hash hash.Hash
	want []byte
}

// sums returns what the content can be held against: the object's strongest checksum, if it is of the whole, and the ETag
// where it is an MD5. It is none for uploads in parts, and where another's key or the client's encrypts.
func (d *s3) sums(o Object, info minio.ObjectInfo, header http.Header) []sum {
	var all []sum
	add := func(name, encoded string, h func() hash.Hash) {
		if encoded == "" || len(all) > 0 {
			return
		}
		want, err := base64.StdEncoding.DecodeString(encoded)
		if s := (sum{name, h(), want}); err == nil && len(want) == s.hash.Size() {
			all = append(all, s)
		}
	}
	if info.ChecksumMode != "COMPOSITE" { // which is of the parts' checksums
		add("SHA-256", info.ChecksumSHA256, sha256.New)
		add("SHA-1", info.ChecksumSHA1, sha1.New)
		// Not by hash/crc64, which makes a table of 16 KiB for each piece of 2 KiB and more.
		add("CRC-64/NVME", info.ChecksumCRC64NVME, minio.ChecksumCRC64NVME.Hasher)
		add("CRC-32C", info.ChecksumCRC32C, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) })
		add("CRC-32", info.ChecksumCRC32, func() hash.Hash { return crc32.NewIEEE() })
	}
	plain := d.encryption == nil && !strings.HasPrefix(header.Get("X-Amz-Server-Side-Encryption"), "aws:kms")
	if want, err := hex.DecodeString(o.ETag); err == nil && len(want) == md5.Size && plain && !d.anyETag {
		all = append(all, sum{"ETag, an MD5", md5.New(), want})
	}
	return all
}

// A checkedBody fails at its end if it is not what the sums say.
type checkedBody struct {
	body  io.ReadCloser
	ctx   context.Context
	ended func() error // is the error where ctx has ended
	sums  []sum
	all   io.Writer
	// secrets are what no error tells: how a connection ends may be in the server's words.
	secrets *secret.Words
}

func (b *checkedBody) expect(sums []sum) {
	b.sums = sums
	writers := make([]io.Writer, len(sums))
	for i, s := range sums {
		writers[i] = s.hash
	}
	b.all = io.MultiWriter(writers...)
}

// Read implements [io.Reader].
func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	_, _ = b.all.Write(p[:n]) // hashes return no error
	switch {
	case err == io.EOF:
		for _, s := range b.sums {
			if got := s.hash.Sum(nil); !bytes.Equal(got, s.want) {
				return n, &source.TemporaryError{Err: fmt.Errorf("%w (%s): got %x, want %x", ErrCorrupt, s.name, got, s.want)}
			}
		}
	case err != nil && b.ctx.Err() != nil:
		err = b.ended()
	case err != nil:
		err = &source.TemporaryError{Err: b.secrets.Clean(err)}
	}
	return n, err
}

// Close implements [io.Closer].
func (b *checkedBody) Close() error { return b.body.Close() }
