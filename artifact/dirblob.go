package artifact

import (
	"context"
	"hash"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// A blob verifies itself while it is read from its start to its end.
type blob struct {
	ctx   context.Context
	file  *os.File
	want  digest.Digest
	size  int64 // when it was opened
	hash  hash.Hash
	n     int64 // how many bytes are in hash
	apart bool  // the file's offset is not n since Seek
	err   error // for good, until Seek to the start
}

// Read withholds the last bytes of a blob that is not the artifact, for readers
// that count and do not wait for io.EOF.
func (b *blob) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, in("open", string(b.want), err)
	}
	if b.apart {
		n, err := b.file.Read(p)
		return n, b.in(err)
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.file.Read(p)
	b.hash.Write(p[:n])
	b.n += int64(n)
	if err == io.EOF || b.n >= b.size {
		if got := digestOf(b.hash); got != b.want {
			n, err = 0, mismatchf("digest is %s", got)
		}
	}
	b.err = b.in(err)
	return n, b.err
}

// Seek to the start begins to verify anew, and back to where reading in one go
// ended goes on with it.
func (b *blob) Seek(offset int64, whence int) (int64, error) {
	at, err := b.file.Seek(offset, whence)
	if err != nil {
		return at, b.in(err)
	}
	if at == 0 {
		b.hash.Reset()
		b.n, b.err = 0, nil
	}
	b.apart = at != b.n
	return at, nil
}

func (b *blob) ReadAt(p []byte, offset int64) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, b.in(err)
	}
	n, err := b.file.ReadAt(p, offset)
	return n, b.in(err)
}

func (b *blob) Close() error { return b.file.Close() }

func (b *blob) in(err error) error {
	if err == io.EOF {
		return err
	}
	return in("open", string(b.want), err)
}
