package artifact

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/opencontainers/go-digest"
)

// DirOptions say how a DirStore behaves. The zero value works.
type DirOptions struct {
	// MaxBytes is how large an artifact may be, compressed, in bytes.
	// Default: DefaultMaxStoredBytes.
	MaxBytes int64
	// MaxHistory is how many entries the history of a tag has at most, the
	// current one among them. Default: DefaultMaxHistory; at most 1024.
	MaxHistory int
	// TempAge is how long nothing must have been written to an unfinished
	// artifact before it is taken for a leftover and removed, where that cannot
	// be told from its lock: on systems without flock. Its clock is the file
	// system's against this machine's. Default: DefaultTempAge.
	TempAge time.Duration
}

// What DirOptions means where a field is zero.
const (
	DefaultMaxStoredBytes int64 = 2 << 30
	DefaultMaxHistory           = 32
	DefaultTempAge              = time.Hour
)

// A DirStore is a Store with Tags in a folder. Several processes may use the
// folder at once. It is
//
//	sha256/<64 hex digits>/blob             the artifact
//	sha256/<64 hex digits>/descriptor.json  its Descriptor
//	tags/<name, encoded>.json               a tag with its history
//	tmp/<random>                            what is being put or removed
//	lock                                    an empty file, to lock
//
// An artifact is written and synced under tmp and comes to its place by one
// rename, and goes by one; so does a tag. So at no point of a crash is there a
// blob without its Descriptor, one that is not what its path says, or a tag whose
// artifact is not there. What a kill leaves under tmp is removed by the next Dir
// or GC.
//
// Processes agree by flock: names change under the lock of the file lock, and a
// blob is locked while it is put or read. Where there is no flock, as on Windows,
// two processes must not put, tag, delete and collect at once; and where the file
// system refuses it, all of these fail.
//
// Folders are made with mode 0700 and files with 0600: artifacts may hold
// secrets. All access goes through an [os.Root].
type DirStore struct {
	root *os.Root
	opts DirOptions
	turn chan struct{} // held with the lock
}

var (
	_ Store   = (*DirStore)(nil)
	_ Tags    = (*DirStore)(nil)
	_ Creator = (*DirStore)(nil)
)

const (
	storeDir = "sha256"
	tagsDir  = "tags"
	tempDir  = "tmp"
	blobName = "blob"
	descName = "descriptor.json"
)

// Dir returns the store in the folder at path, which it makes if need be, and
// removes leftovers from it. A store on a read-only disk can be read. Close it
// after use.
func Dir(path string, opts DirOptions) (*DirStore, error) {
	opts.MaxBytes = cmp.Or(max(opts.MaxBytes, 0), DefaultMaxStoredBytes)
	opts.MaxHistory = min(cmp.Or(max(opts.MaxHistory, 0), DefaultMaxHistory), 1024)
	opts.TempAge = cmp.Or(max(opts.TempAge, 0), DefaultTempAge)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, stored("open store", path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, stored("open store", path, err)
	}
	s := &DirStore{root: root, opts: opts, turn: make(chan struct{}, 1)}
	if err := s.prepare(); err != nil {
		return nil, stored("open store", path, errors.Join(err, root.Close()))
	}
	return s, nil
}

func (s *DirStore) prepare() error {
	err := s.makeFolders()
	if err == nil {
		err = s.sweepIfFree()
	}
	if _, found := s.root.Lstat(storeDir); found == nil && isReadOnly(err) {
		return nil
	}
	return err
}

func (s *DirStore) makeFolders() error {
	for _, dir := range []string{storeDir, tagsDir, tempDir} {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return syncDir(s.root, ".")
}

// sweepIfFree leaves it to somebody else where the lock is taken.
func (s *DirStore) sweepIfFree() error {
	unlock, err := s.tryLock()
	if unlock == nil {
		return err
	}
	defer unlock()
	_ = s.sweep() // what cannot be removed is in nobody's way, and GC tells of it
	return nil
}

// Close releases the folder. What was opened may still be read.
func (s *DirStore) Close() error { return s.root.Close() }

// Delete is as in [Deleter]. What is being read may be deleted; on Unix it can be
// read on.
func (s *DirStore) Delete(ctx context.Context, d digest.Digest) error {
	dir, err := artifactDir(d)
	if err != nil {
		return in("delete", string(d), err)
	}
	trash, err := s.delete(ctx, dir, d)
	if trash != "" {
		err = errors.Join(err, s.root.RemoveAll(trash))
	}
	return stored("delete", string(d), err)
}

// delete renames, so that no reader ever sees half an artifact, and returns what
// is to be removed.
func (s *DirStore) delete(ctx context.Context, dir string, d digest.Digest) (trash string, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := s.root.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	tagged, err := s.tagged(ctx, 1)
	if err != nil {
		return "", err
	}
	if name, ok := tagged[d]; ok {
		return "", fmt.Errorf("%w with %q: untag it, or give the name to another artifact, before it is deleted", ErrTagged, name)
	}
	if trash, err = s.discard(dir); err != nil {
		return "", err
	}
	return trash, syncDir(s.root, storeDir)
}

// discard renames dir to where it is no artifact any more, under the lock.
func (s *DirStore) discard(dir string) (trash string, err error) {
	trash, err = s.tempPath(trashKind)
	if err != nil {
		return "", err
	}
	return trash, s.root.Rename(dir, trash)
}

// artifactDir returns the folder, below the store's, of the artifact d.
func artifactDir(d digest.Digest) (string, error) {
	if err := checkDigest(d); err != nil {
		return "", err
	}
	return storeDir + "/" + d.Encoded(), nil
}

// The kinds of what is under tmp, with which its names begin.
const (
	putKind   = "put-"
	trashKind = "gone-"
	tagKind   = "tag-"
)

// tempPath returns a path under tmp that is free.
func (s *DirStore) tempPath(kind string) (string, error) {
	return tempDir + "/" + kind + rand.Text(), s.root.MkdirAll(tempDir, 0o700)
}

// syncDir makes the names in a folder durable. Windows has no such call.
func syncDir(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// stored is in for what a disk may have refused.
func stored(op, path string, err error) error {
	var fault error
	switch {
	case isFull(err):
		fault = ErrNoSpace
	case isReadOnly(err):
		fault = ErrReadOnly
	}
	if fault == nil || errors.Is(err, fault) {
		return in(op, path, err)
	}
	return &Error{Op: op, Path: path, Err: fmt.Errorf("%w: %w", fault, err)}
}
