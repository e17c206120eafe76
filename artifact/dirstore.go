package artifact

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// DirOptions say how a DirStore behaves. The zero value works.
type DirOptions struct {
	// MaxBytes is how large an artifact may be, compressed, in bytes.
	// Default: DefaultMaxStoredBytes.
	MaxBytes int64
	// TempAge is how long nothing must have been written to an unfinished
	// artifact before Dir takes it for a leftover of a killed process and removes
	// it. Its clock is the file system's against this machine's. Default:
	// DefaultTempAge.
	TempAge time.Duration
}

// What DirOptions means where a field is zero.
const (
	DefaultMaxStoredBytes int64 = 2 << 30
	DefaultTempAge              = time.Hour
)

// A DirStore is a Store in a folder. Several processes may use the folder at
// once. It is
//
//	sha256/<64 hex digits>/blob             the artifact
//	sha256/<64 hex digits>/descriptor.json  its Descriptor
//	tmp/<random>/                           what is being put or deleted
//
// An artifact is written and synced under tmp and comes to its place by one
// rename, and goes by one. So at no point of a crash is there a blob without its
// Descriptor, or one that is not what its path says. What a kill leaves under
// tmp is removed by a later Dir, see DirOptions.TempAge.
//
// Folders are made with mode 0700 and files with 0600: artifacts may hold
// secrets. All access goes through an [os.Root].
type DirStore struct {
	root *os.Root
	opts DirOptions
}

var (
	_ Store   = (*DirStore)(nil)
	_ Creator = (*DirStore)(nil)
)

const (
	storeDir = "sha256"
	tempDir  = "tmp"
	blobName = "blob"
	descName = "descriptor.json"
)

// Dir returns the store in the folder at path, which it makes if need be, and
// removes leftovers from it. Close it after use.
func Dir(path string, opts DirOptions) (*DirStore, error) {
	opts.MaxBytes = cmp.Or(max(opts.MaxBytes, 0), DefaultMaxStoredBytes)
	opts.TempAge = cmp.Or(max(opts.TempAge, 0), DefaultTempAge)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, in("open store", path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, in("open store", path, err)
	}
	s := &DirStore{root: root, opts: opts}
	if err := s.prepare(); err != nil {
		return nil, in("open store", path, errors.Join(err, root.Close()))
	}
	return s, nil
}

func (s *DirStore) prepare() error {
	for _, dir := range []string{storeDir, tempDir} {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := syncDir(s.root, "."); err != nil {
		return err
	}
	return s.sweep(time.Now().Add(-s.opts.TempAge))
}

// Close releases the folder. What was opened may still be read.
func (s *DirStore) Close() error { return s.root.Close() }

// Delete is as in [Deleter].
func (s *DirStore) Delete(ctx context.Context, d digest.Digest) error {
	if err := ctx.Err(); err != nil {
		return in("delete", string(d), err)
	}
	dir, err := artifactDir(d)
	if err != nil {
		return in("delete", string(d), err)
	}
	return in("delete", string(d), s.delete(dir))
}

// delete first renames, so that no reader ever sees half an artifact.
func (s *DirStore) delete(dir string) error {
	temp, err := s.tempPath()
	if err != nil {
		return err
	}
	switch err := s.root.Rename(dir, temp); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return errors.Join(syncDir(s.root, storeDir), s.removeTemp(temp))
}

// artifactDir returns the folder, below the store's, of the artifact d.
func artifactDir(d digest.Digest) (string, error) {
	if err := checkDigest(d); err != nil {
		return "", err
	}
	return storeDir + "/" + d.Encoded(), nil
}

// sweep removes what was last written under tmp before the given time.
func (s *DirStore) sweep(before time.Time) error {
	temps, err := fs.ReadDir(s.root.FS(), tempDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, temp := range temps {
		name := tempDir + "/" + temp.Name()
		if s.lastWritten(name).Before(before) {
			errs = append(errs, s.removeTemp(name))
		}
	}
	return errors.Join(errs...)
}

// lastWritten returns when name, or what is in it if it is a folder, was last
// written. A long Put writes to its blob all the while, but to its folder only
// at first.
func (s *DirStore) lastWritten(name string) time.Time {
	names := []string{name}
	inside, _ := fs.ReadDir(s.root.FS(), name) // none if it is no folder, or gone
	for _, entry := range inside {
		names = append(names, name+"/"+entry.Name())
	}
	var times []time.Time
	for _, name := range names {
		if info, err := s.root.Lstat(name); err == nil {
			times = append(times, info.ModTime())
		}
	}
	if len(times) == 0 {
		return time.Now() // gone
	}
	return slices.MaxFunc(times, time.Time.Compare)
}
