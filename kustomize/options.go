package kustomize

import (
	"context"
	"io/fs"
)

// The limits that hold where [Options] says nothing. They are far above what people keep in one kustomization, and low
// enough that a build of hostile input ends in bounded time and memory.
const (
	DefaultMaxFiles     = 10_000
	DefaultMaxBytes     = 64 << 20
	DefaultMaxFileBytes = 16 << 20
	DefaultMaxObjects   = 5_000
	DefaultMaxDepth     = 32
	DefaultMaxWork      = 20_000_000
	DefaultMaxEntries   = 500_000
)

// Options says what is done to a tree on its way, and how much a build may take in. The zero value is ready to use: a limit
// that is zero or less stands for its default. Crossing a limit is an error that matches [ErrTooLarge] and names the option.
type Options struct {
	// Overlay is built on top of the folder.
	Overlay Overlay

	// Variables are substituted in the built objects. The zero value substitutes nothing. All that they expand to together
	// is bounded by MaxBytes too.
	Variables Variables

	// Decrypt is asked for what an encrypted file holds, before anything else looks into it. Encrypted are files that
	// SOPS has written, in any of its formats, by the metadata that it leaves in them; name is the file's path, or
	// for what Remote returned "https://github.com/org/repo?ref=v1: path", content is all of it, and what it returns stays
	// in memory. It may be called by several builds at once. An error of it, or an empty result, ends the build.
	//
	// Nil: an encrypted file is an error that matches [ErrEncrypted]. Kustomize would build it as it is, and so does a
	// function that returns the content.
	Decrypt func(ctx context.Context, name string, content []byte) ([]byte, error)

	// Remote is asked for what a kustomization names outside the file system: a Git repository or the URL of a file. It
	// returns the content of the repository, whole or as much of it as is referred to, or a file system that has the file,
	// under the name that the reference's Path says. That has to stay good until Build returns; Build does not close it.
	//
	// A build asks once for each repository and ref, and for each file, one after the other. Builds side by side ask side
	// by side. What the function returns as an error can be matched in that of the build.
	//
	// Nil: such references are an error that matches [ErrRemote].
	Remote func(ctx context.Context, ref Reference) (fs.FS, error)

	// MaxFiles is how many files a build may read. A file that is reached by two paths, as the base of two overlays is,
	// counts twice: that is what kustomize does with it, and what makes a tree of bases that refer to each other twice
	// grow as 2ⁿ.
	MaxFiles int

	// MaxBytes is how much a build may read in all, counted like MaxFiles. What JSON patches and replacements copy within
	// objects may come to four times that, reckoned as if each copied all of the largest file.
	MaxBytes int64

	// MaxFileBytes is how large one file may be. A YAML document counts with its aliases expanded.
	MaxFileBytes int64

	// MaxObjects is how many objects a build may take in or give out. Trees that need nothing but what the package
	// documentation names are built in linear time, 1,000 objects in a fifth of a second. For others kustomize compares each
	// object with each other, so that the time grows as the square of their number: 1,000 take a second or two, 5,000
	// take half a minute.
	MaxObjects int

	// MaxWork is how much kustomize may have to do to parse what it is given: the number of YAML nodes, each times the
	// number of maps that it is in, and for each map the square of the number of its keys by 64. That is about how often
	// it copies something, aliases or not, and a million takes about a second. A few kilobytes of maps inside of maps
	// would keep it busy for hours. The keys of a generated object count as those of a map do. Trees that only list resources
	// need none of it.
	MaxWork int64

	// MaxEntries is how many entries a build may see in folders that it lists because they have no kustomization, of whatever
	// name. An entry counts once for each folder that it is in, up to the one that is built.
	MaxEntries int

	// MaxDepth is how long a chain of kustomizations may be, each naming the next as a resource or a component.
	MaxDepth int
}

// withDefaults returns the options with each unset limit filled in.
func (o Options) withDefaults() Options {
	o.MaxFiles = orDefault(o.MaxFiles, DefaultMaxFiles)
	o.MaxBytes = orDefault(o.MaxBytes, DefaultMaxBytes)
	o.MaxFileBytes = orDefault(o.MaxFileBytes, DefaultMaxFileBytes)
	o.MaxObjects = orDefault(o.MaxObjects, DefaultMaxObjects)
	o.MaxWork = orDefault(o.MaxWork, DefaultMaxWork)
	o.MaxDepth = orDefault(o.MaxDepth, DefaultMaxDepth)
	o.MaxEntries = orDefault(o.MaxEntries, DefaultMaxEntries)
	return o
}

func orDefault[N int | int64](n, def N) N {
	if n <= 0 {
		return def
	}
	return n
}
