package artifact

import (
	"bufio"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decompressor returns what decompresses r. It starts no goroutine.
func decompressor(mediaType string, r *bufio.Reader) (io.ReadCloser, error) {
	switch mediaType {
	case MediaTypeTarGzip:
		return newMembers(r)
	case MediaTypeTarZstd:
		dec, err := zstd.NewReader(r,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow),
			zstd.WithDecoderMaxMemory(zstdWindow))
		if err != nil {
			return nil, err
		}
		return dec.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// members reads the members of a gzip stream, and the zeros after it with which
// bsdtar fills up a block of what it writes to a pipe.
type members struct {
	*gzip.Reader
	from *bufio.Reader
}

func newMembers(r *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &members{z, r}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.Reader.Read(p)
		if n > 0 && err == io.EOF {
			return n, nil // and once more
		}
		if n > 0 || err != io.EOF {
			return n, err
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// next goes to the next member, or returns io.EOF.
func (m *members) next() error {
	for padding := false; ; padding = true {
		c, err := m.from.ReadByte()
		if err != nil {
			return err
		}
		if c == 0 {
			continue
		}
		if padding {
			return gzip.ErrHeader
		}
		if err := m.from.UnreadByte(); err != nil {
			return err
		}
		if err := m.Reader.Reset(m.from); err != nil {
			return err
		}
		m.Reader.Multistream(false)
		return nil
	}
}
