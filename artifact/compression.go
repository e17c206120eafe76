package artifact

import (
	"fmt"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// Compression is how an artifact is compressed.
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

// Level is how much time is spent on making an artifact small. Two machines that
// are to pack a tree into the same bytes must use the same one: Digest depends on
// it, ContentDigest does not.
type Level int

// The levels. There are three, and no numbers, because numbers mean something
// else in every compressor.
const (
	LevelDefault Level = iota
	LevelFastest
	LevelBest
)

// String returns the name: "default", "fastest" or "best".
func (l Level) String() string {
	switch l {
	case LevelDefault:
		return "default"
	case LevelFastest:
		return "fastest"
	case LevelBest:
		return "best"
	}
	return fmt.Sprintf("Level(%d)", int(l))
}

// What the levels mean to each compressor, by BenchmarkGzipLevel and
// BenchmarkZstdLevel.
var (
	// 7 is the first that packs manifests as small as other programs' default, 6,
	// does. It still is twice as quick as the standard library's.
	gzipLevels = [...]int{LevelDefault: 7, LevelFastest: 1, LevelBest: 9}

	// Zstd's second level, which it calls the default, takes a third longer for one
	// percent, and its first is as small as other programs' default already. So
	// there is nothing quicker to offer. Its last takes 32 MiB a core.
	zstdLevels = [...]zstd.EncoderLevel{
		LevelDefault: zstd.SpeedFastest, LevelFastest: zstd.SpeedFastest, LevelBest: zstd.SpeedBetterCompression,
	}
	zstdCores = [...]int{LevelDefault: 6, LevelFastest: 6, LevelBest: 3}
)

const (
	// gzipBlock is what one core compresses at a time. Half of it costs some
	// hundredths of a percent, twice as much keeps cores idle at the end.
	gzipBlock = 256 << 10
	// gzipWindow is how far back deflate can point, RFC 1951.
	gzipWindow = 32 << 10
	gzipCores  = 8

	// zstdBlock is the size of a frame. It also is the frame's window, so what
	// Pack writes takes less memory to read than zstdWindow.
	zstdBlock = 1 << 20
	// zstdWindow is what RFC 8878 asks of every decoder, and no more. It is the
	// memory that a hostile frame can make a reader take.
	zstdWindow = 8 << 20
)

// A format is how an archive is cut into blocks that are compressed one apart from
// the other, and what stands around them. Bytes are those of the format alone: it
// does not matter who compresses which block, or when.
type format struct {
	block   int // how large a block is; the last may be smaller
	cores   int // how many encoders there are at most, for the memory that they take
	window  int // how much of what is before a block its encoder is shown
	encoder func() (encoder, error)
	header  []byte
	trailer func(content *tally) []byte
}

// An encoder appends to dst what it makes of a block. It is used by one goroutine
// at a time, and remembers nothing of the blocks that it has seen.
type encoder interface {
	encode(dst, before, block []byte, last bool) ([]byte, error)
}

// format returns the format, of which None's has no encoder.
func (c Compression) format(l Level) (*format, error) {
	if l < 0 || int(l) >= len(gzipLevels) {
		return nil, fmt.Errorf("unknown level %v", l)
	}
	switch c {
	case Gzip:
		return &format{
			block: gzipBlock, window: gzipWindow, cores: gzipCores, trailer: gzipTrailer,
			encoder: func() (encoder, error) { return newGzipEncoder(gzipLevels[l]) },
			// No flags, no time, nothing said of the level, and system "unknown".
			header: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255},
		}, nil
	case Zstd:
		return &format{
			block: zstdBlock, cores: zstdCores[l], trailer: func(*tally) []byte { return nil },
			encoder: func() (encoder, error) { return newZstdEncoder(zstdLevels[l]) },
		}, nil
	case None:
		return &format{block: gzipBlock, cores: 1, trailer: func(*tally) []byte { return nil }}, nil
	}
	return nil, fmt.Errorf("unknown compression %v", c)
}

// gzipTrailer is the checksum, and the size modulo 2^32, RFC 1952.
func gzipTrailer(content *tally) []byte {
	b := make([]byte, 0, 8)
	for _, v := range []uint32{content.crc, uint32(content.n)} {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return b
}

// A gzipEncoder makes a part of one deflate stream of each block. A part ends on
// a whole byte, with an empty stored block, so that the next can be put after it.
// It may point into the 32 KiB before the block, which its reader will have.
type gzipEncoder struct {
	deflate *flate.Writer
	out     []byte
}

func newGzipEncoder(level int) (encoder, error) {
	e := &gzipEncoder{}
	var err error
	e.deflate, err = flate.NewWriter(e, level)
	return e, err
}

func (e *gzipEncoder) Write(p []byte) (int, error) {
	e.out = append(e.out, p...)
	return len(p), nil
}

func (e *gzipEncoder) encode(dst, before, block []byte, last bool) ([]byte, error) {
	e.out = dst
	e.deflate.ResetDict(e, before)
	if _, err := e.deflate.Write(block); err != nil {
		return nil, err
	}
	end := e.deflate.Flush
	if last {
		end = e.deflate.Close
	}
	err := end()
	return e.out, err
}

// A zstdEncoder makes a frame of each block. That is a whole zstd file, and so
// are frames one after the other.
type zstdEncoder struct{ *zstd.Encoder }

func newZstdEncoder(level zstd.EncoderLevel) (encoder, error) {
	z, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(level),
		zstd.WithWindowSize(zstdBlock),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(true))
	return zstdEncoder{z}, err
}

func (e zstdEncoder) encode(dst, _, block []byte, _ bool) ([]byte, error) {
	return e.EncodeAll(block, dst), nil
}
