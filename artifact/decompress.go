package artifact

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decompressor returns what decompresses r, which must be an io.ByteReader for
// gzip to read no further than its end. It starts no goroutine.
func decompressor(mediaType string, r io.Reader) (io.ReadCloser, error) {
	switch mediaType {
	case MediaTypeTarGzip:
		return gzip.NewReader(r)
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
