package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// DirOptions say how a folder is read; the zero value works.
type DirOptions struct {
	Limits Limits
}

// Dir returns a folder of this machine as a Source. Its revisions have no name; their digest is of the paths, executable
// bits and contents. Whatever is called .git is left out, and so are empty folders. Symbolic links are kept as links;
// none is followed, except one that path itself is. A socket, a pipe or a device is an error that names it.
//
// A Fetch reads every file, also to find out that nothing has changed. A snapshot is a copy in memory, within the limits.
// A folder that is missing, or has no files, perhaps because what belongs there is not mounted, is [ErrNotFound].
// Where the folder changes meanwhile, it is read again, and after a few times given up with [ErrChanging].
func Dir(path string, opts DirOptions) Source {
	return &folder{path: path, limits: opts.Limits}
}

// ErrChanging means that a folder did not stay as it was for long enough to be read.
var ErrChanging = errors.New("keeps changing while it is read")

// How often a folder is read that changes meanwhile.
const dirAttempts = 4

type folder struct {
	path   string
	limits Limits
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
		snapshot, err := readFolder(ctx, root, f.limits)
		if !errors.Is(err, ErrChanging) {
			return snapshot, err
		}
	}
	return nil, ErrChanging
}

// readFolder reads what a listing names, and trusts it if a second listing is the same.
func readFolder(ctx context.Context, root *os.Root, limits Limits) (*Snapshot, error) {
	before, err := list(ctx, root, limits)
	if err != nil {
		return nil, err
	}
	if len(before) == 0 {
		return nil, fmt.Errorf("the folder has no files: %w", ErrNotFound)
	}
	tree := NewTree(limits)
	sum := sha256.New()
	for _, e := range before {
		line, err := e.addTo(ctx, tree, root)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(sum, line)
	}
	after, err := list(ctx, root, limits)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(before, after) {
		return nil, ErrChanging
	}
	return tree.Snapshot(Revision{Digest: digest.NewDigest(digest.SHA256, sum)}), nil
}

// list returns all files and links by path.
func list(ctx context.Context, root *os.Root, limits Limits) ([]entry, error) {
	most := limits.WithDefaults().MaxFiles
	var all []entry
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return vanished(path, err)
		case d.Name() == ".git" && d.IsDir():
			return fs.SkipDir
		case d.Name() == ".git" || d.IsDir():
			return nil
		case len(all) >= most:
			return &LimitError{Option: "Limits.MaxFiles", Max: int64(most)}
		}
		info, err := d.Info()
		if err != nil {
			return vanished(path, err)
		}
		all = append(all, entry{path: path, mode: info.Mode(), size: info.Size(), modified: info.ModTime().Truncate(0).UTC()})
		return nil
	})
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return all, err
}

// vanished tells a file that has gone since it was listed from a folder that was never there.
func vanished(path string, err error) error {
	if path != "." && errors.Is(err, fs.ErrNotExist) {
		return ErrChanging
	}
	return err
}

// An entry is a file or a link as it was listed.
type entry struct {
	path     string
	mode     fs.FileMode
	size     int64
	modified time.Time
}
