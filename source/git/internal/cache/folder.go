package cache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gitopskit/gitopskit/internal/flock"
)

// Folder returns the cache in a folder, which any number of processes may share, and which is made where it is not there
// yet. Its files together have at most maxBytes, and for a moment one record more; what is compressed counts as it is
// stored. Zero or less keeps nothing. Where the system has flock, locks hold over all processes, else within this Cache
// only.
//
// Each repository has a folder, named by its key's SHA-256, with files of three kinds: a segment has objects and never
// changes; a record names a commit, its scope and the segments that it needs; the lock is empty. What is neither complete
// nor needed is removed by the next Add.
func Folder(dir string, maxBytes int64) (Cache, error) {
	absolute, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(absolute, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the cache folder %q, which has to be a folder or a path for one: %w", dir, err)
	}
	return &folder{dir: absolute, maxBytes: min(maxBytes, 1<<50)}, nil
}

type folder struct {
	dir      string
	maxBytes int64
	locks    locks
}

func (f *folder) Repository(key string) Repository {
	sum := sha256.Sum256([]byte(key))
	return newFolderRepository(f, hex.EncodeToString(sum[:]))
}

// open returns a repository's folder. Nothing stays open between calls, so that the folder may be removed at any time.
func (f *folder) open(name string) (*os.Root, error) {
	top, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	return top.OpenRoot(name)
}

// make is open for a folder that may have to be made.
func (f *folder) make(name string) (*os.Root, error) {
	root, err := f.open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	top, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	if err := top.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return top.OpenRoot(name)
}

const (
	lockName    = "lock"
	longestWait = 50 * time.Millisecond // between two looks at another process's lock
	mostGone    = 100                   // tries to make a folder that goes again
)

// lock takes a repository's lock in this process, and over processes if the folder can be written to: where it cannot, Add
// will say so, and nobody adds anything that a lock would be for.
func (f *folder) lock(ctx context.Context, name string) (unlock func(), err error) {
	if ctx.Err() != nil {
		return nil, f.waiting(ctx)
	}
	release, err := f.locks.lock(ctx, name)
	if err != nil {
		return nil, f.waiting(ctx)
	}
	gone := 0
	for wait := time.Millisecond; ; wait = min(2*wait, longestWait) {
		file, err := f.tryLock(name)
		if file != nil {
			return sync.OnceFunc(func() { _ = file.Close(); release() }), nil
		}
		if errors.Is(err, fs.ErrNotExist) && gone < mostGone {
			gone++ // evict removed the folder when this had opened it
			continue
		}
		if err != nil {
			return release, nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			release()
			return nil, f.waiting(ctx)
		}
	}
}

func (f *folder) waiting(ctx context.Context) error {
	return fmt.Errorf("the cache folder %q: %w", f.dir, waiting(ctx))
}

// tryLock returns the file that holds the lock until it is closed, or nil if another process has it.
func (f *folder) tryLock(name string) (*os.File, error) {
	root, err := f.make(name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if file, err = root.Open(lockName); err != nil { // others may write to what this process may only read
			return nil, err
		}
	}
	locked, err := flock.Try(file) // without such locks, two processes may fetch the same, and lose a record
	if locked && sameFile(root, file) {
		return file, nil
	}
	_ = file.Close()
	return nil, err
}

// sameFile reports whether the lock's file is still that of this name: evict removes it with the repository's folder.
func sameFile(root *os.Root, file *os.File) bool {
	now, err := root.Stat(lockName)
	if err != nil {
		return false
	}
	locked, err := file.Stat()
	return err == nil && os.SameFile(now, locked)
}

const temporary = "temp-"

// write makes a file of a kind's name that is there in full or not at all. An empty name means a new one.
func write(root *os.Root, kind, name string, content func(*os.File) error) (written string, size int64, err error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	unique := hex.EncodeToString(random[:])
	if name == "" {
		name = unique
	}
	file, err := root.OpenFile(temporary+unique, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, err
	}
	err = content(file)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		var info fs.FileInfo
		if info, err = file.Stat(); err == nil {
			size = info.Size()
		}
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = root.Rename(temporary+unique, kind+name)
	}
	if err != nil {
		_ = root.Remove(temporary + unique)
	}
	return kind + name, size, err
}
