package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
)

// DirOptions say how a folder is read; the zero value works.
type DirOptions struct {
	Limits Limits
	// Ignore says what is left out, beside what the folder's ignore files say and before these, see [IgnoreRules].
	Ignore string
	// NoIgnoreFiles makes ignore files say nothing.
	NoIgnoreFiles bool
}

// Dir returns a folder of this machine as a Source. Its revisions have no name; their digest is of the paths, executable
// bits and contents. Whatever is called .git is left out, and so are empty folders. Symbolic links are kept as links;
// none is followed, except one that path itself is. A socket, a pipe or a device is an error that names it. What is ignored
// is as if it were not there: it changes no revision, counts against no limit, and an ignored folder is not read.
//
// A Fetch reads every file, also to find out that nothing has changed. A snapshot is a copy in memory, within the limits.
// A folder that is missing, or has no files, perhaps because what belongs there is not mounted, is [ErrNotFound]; so is one
// of which all is ignored. Where the folder changes meanwhile, it is read again, and after a few times given up with
// [ErrChanging].
func Dir(path string, opts DirOptions) Source {
	return &folder{path: path, opts: opts}
}

// ErrChanging means that a folder did not stay as it was for long enough to be read.
var ErrChanging = errors.New("keeps changing while it is read")

// How often a folder is read that changes meanwhile.
const dirAttempts = 4

type folder struct {
	path string
	opts DirOptions
}

// Fetch implements [Source].
func (f *folder) Fetch(ctx context.Context, known Revision) (*Snapshot, error) {
	snapshot, err := f.fetch(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, &Error{Op: "fetching", Origin: f.path, Err: err}
	}
	if known.Current(snapshot.Revision) {
		return nil, ErrNotModified
	}
	return snapshot, nil
}

func (f *folder) fetch(ctx context.Context) (*Snapshot, error) {
	root, err := os.OpenRoot(f.path)
	if err != nil {
		return nil, err
	}
	defer root.Close() // nothing was written that could be lost
	for range dirAttempts {
		snapshot, err := f.read(ctx, root)
		if !errors.Is(err, ErrChanging) {
			return snapshot, err
		}
	}
	return nil, ErrChanging
}

// read reads what a listing names, and trusts it if a second listing is the same.
func (f *folder) read(ctx context.Context, root *os.Root) (*Snapshot, error) {
	before, err := f.list(ctx, root)
	if err != nil {
		return nil, err
	}
	if len(before) == 0 {
		return nil, fmt.Errorf("the folder has no files, or none that is not ignored: %w", ErrNotFound)
	}
	tree := NewTree(f.opts.Limits)
	sum := sha256.New()
	for _, e := range before {
		line, err := e.addTo(ctx, tree, root)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(sum, line)
	}
	after, err := f.list(ctx, root)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(before, after) {
		return nil, ErrChanging
	}
	return tree.Snapshot(Revision{Digest: digest.NewDigest(digest.SHA256, sum)}), nil
}
