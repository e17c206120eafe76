package artifact

import (
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how an artifact is compressed. It has no level: two machines
// that pack the same tree must not differ by a setting.
type Compression int

// The compressions. Gzip is what every registry, mirror and tool can read; Zstd
// packs smaller and quicker, and takes 8 MiB more to read; None suits a store that
// compresses by itself.
const (
	Gzip Compression = iota
	Zstd
	None
)

// String returns the name: "gzip", "zstd" or "none".
func (c Compression) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	case None:
		return "none"
	}
	return fmt.Sprintf("Compression(%d)", int(c))
}

func (c Compression) mediaType() string {
	switch c {
	case Zstd:
		return MediaTypeTarZstd
	case None:
		return MediaTypeTar
	}
	return MediaTypeTarGzip
}

const (
	// gzipLevel is the last before packing takes twice as long or more for a few
	// percent: see BenchmarkGzipLevel.
	gzipLevel = 6

	// zstdWindow is what RFC 8878 asks of every decoder, and no more. It is the
	// memory that a hostile frame can make a reader take.
	zstdWindow = 8 << 20
)

// compressor returns what compresses into w. What it writes depends on the
// bytes alone: not on how they are cut into writes, nor on the number of CPUs,
// as both encoders work on blocks of their own on the caller's goroutine.
func (c Compression) compressor(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Gzip:
		z, err := gzip.NewWriterLevel(w, gzipLevel)
		if err != nil {
			return nil, err
		}
		// The header's name and extra field stay empty, and its operating system
		// "unknown" (255). A zero time would not be written as 0.
		z.ModTime = time.Unix(0, 0)
		return z, nil
	case Zstd:
		return zstd.NewWriter(w,
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderLevel(zstd.SpeedDefault),
			zstd.WithWindowSize(zstdWindow),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(true))
	case None:
		return plainWriter{w}, nil
	}
	return nil, fmt.Errorf("unknown compression %v", c)
}

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

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }
