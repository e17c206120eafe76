package source

import "cmp"

// What Limits means where a field is zero or less.
const (
	DefaultMaxFiles             = 100_000
	DefaultMaxBytes       int64 = 512 << 20
	DefaultMaxFileBytes   int64 = 128 << 20
	DefaultMaxPathBytes         = 4096 // PATH_MAX of Linux
	DefaultMaxDepth             = 128
	DefaultMaxIgnoreBytes int64 = 128 << 10
)

// Limits bound what an origin may make this process hold. A field that is zero or less means its default. Crossing one is a
// [*LimitError].
type Limits struct {
	// MaxFiles is how many files, symbolic links and folders together a snapshot may have. Default: DefaultMaxFiles.
	MaxFiles int
	// MaxBytes is how large all files together may be, and how much of a Git pack is read. Default: DefaultMaxBytes.
	MaxBytes int64
	// MaxFileBytes is how large one file may be. Default: DefaultMaxFileBytes.
	MaxFileBytes int64
	// MaxPathBytes is how long a path, or the target of a symbolic link, may be. Default: DefaultMaxPathBytes.
	MaxPathBytes int
	// MaxDepth is how many elements a path may have: 3 in "a/b/c". Default: DefaultMaxDepth.
	MaxDepth int
	// MaxIgnoreBytes is how large all that says what is ignored in one folder may be: the options' rules, and the ignore
	// files from the root down to that folder. Default: DefaultMaxIgnoreBytes.
	MaxIgnoreBytes int64
}

// WithDefaults returns the limits that l means.
func (l Limits) WithDefaults() Limits {
	return Limits{
		MaxFiles:       cmp.Or(max(l.MaxFiles, 0), DefaultMaxFiles),
		MaxBytes:       cmp.Or(max(l.MaxBytes, 0), DefaultMaxBytes),
		MaxFileBytes:   cmp.Or(max(l.MaxFileBytes, 0), DefaultMaxFileBytes),
		MaxPathBytes:   cmp.Or(max(l.MaxPathBytes, 0), DefaultMaxPathBytes),
		MaxDepth:       cmp.Or(max(l.MaxDepth, 0), DefaultMaxDepth),
		MaxIgnoreBytes: cmp.Or(max(l.MaxIgnoreBytes, 0), DefaultMaxIgnoreBytes),
	}
}
