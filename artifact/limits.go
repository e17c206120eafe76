package artifact

import (
	"cmp"
	"math"
)

// What Limits means where a field is zero.
const (
	DefaultMaxFiles           = 100_000
	DefaultMaxBytes     int64 = 1 << 30
	DefaultMaxFileBytes int64 = 256 << 20
	DefaultMaxPathBytes       = 4096 // PATH_MAX of Linux
	DefaultMaxDepth           = 128
	DefaultMaxRatio           = 200
)

// RatioFloor is how large an uncompressed archive may be, in bytes, whatever
// Limits.MaxRatio says: what is small is no bomb, and may compress very well.
const RatioFloor int64 = 64 << 20

// Limits bound a tree, whichever way it goes. A field that is zero or less means
// its default. Crossing a limit is a *LimitError.
type Limits struct {
	// MaxFiles is how many files and symbolic links a tree may have, and apart
	// from them how many folders. Default: DefaultMaxFiles.
	MaxFiles int
	// MaxBytes is how large the uncompressed archive may be: the files, each
	// padded to 512 bytes and with a header of 512 bytes or more. It bounds the
	// memory that Open takes for content. Default: DefaultMaxBytes.
	MaxBytes int64
	// MaxFileBytes is how large one file may be. Default: DefaultMaxFileBytes.
	MaxFileBytes int64
	// MaxPathBytes is how long a path, or the target of a symbolic link, may be
	// in bytes of UTF-8. Default: DefaultMaxPathBytes.
	MaxPathBytes int
	// MaxDepth is how many elements a path may have: 3 in "a/b/c".
	// Default: DefaultMaxDepth.
	MaxDepth int
	// MaxRatio is how many times as large as the compressed archive the
	// uncompressed one may be, once it is larger than RatioFloor. Manifests
	// compress to a tenth, and to a fiftieth where they repeat each other.
	// Default: DefaultMaxRatio.
	MaxRatio int
}

func (l Limits) withDefaults() Limits {
	return Limits{
		MaxFiles:     cmp.Or(max(l.MaxFiles, 0), DefaultMaxFiles),
		MaxBytes:     cmp.Or(max(l.MaxBytes, 0), DefaultMaxBytes),
		MaxFileBytes: cmp.Or(max(l.MaxFileBytes, 0), DefaultMaxFileBytes),
		MaxPathBytes: cmp.Or(max(l.MaxPathBytes, 0), DefaultMaxPathBytes),
		MaxDepth:     cmp.Or(max(l.MaxDepth, 0), DefaultMaxDepth),
		MaxRatio:     cmp.Or(max(l.MaxRatio, 0), DefaultMaxRatio),
	}
}

// packedMax is how large an archive of MaxBytes may be once it is compressed:
// what does not compress grows, by far less than one part in 256.
func (l Limits) packedMax() int64 {
	slack := l.MaxBytes/256 + 4096
	if l.MaxBytes > math.MaxInt64-slack {
		return math.MaxInt64
	}
	return l.MaxBytes + slack
}

// contentMax is how large the uncompressed archive of one that has packedSize
// bytes may be, and the error that comes after.
func (l Limits) contentMax(packedSize int64) (int64, error) {
	ratio := int64(l.MaxRatio)
	if packedSize >= l.MaxBytes/ratio {
		return l.MaxBytes, l.tooManyBytes()
	}
	if bound := max(packedSize*ratio, RatioFloor); bound < l.MaxBytes {
		return bound, &LimitError{Option: "Limits.MaxRatio", Max: ratio}
	}
	return l.MaxBytes, l.tooManyBytes()
}

func (l Limits) tooManyFiles() error {
	return &LimitError{Option: "Limits.MaxFiles", Max: int64(l.MaxFiles)}
}

func (l Limits) tooManyBytes() error {
	return &LimitError{Option: "Limits.MaxBytes", Max: l.MaxBytes}
}

func (l Limits) fileTooLarge() error {
	return &LimitError{Option: "Limits.MaxFileBytes", Max: l.MaxFileBytes}
}

func (l Limits) pathTooLong() error {
	return &LimitError{Option: "Limits.MaxPathBytes", Max: int64(l.MaxPathBytes)}
}

func (l Limits) tooDeep() error {
	return &LimitError{Option: "Limits.MaxDepth", Max: int64(l.MaxDepth)}
}
