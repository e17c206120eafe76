package artifact

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/internal/flock"
)

// sweep removes what killed processes left under tmp. It needs the store's lock.
func (s *DirStore) sweep() error {
	temps, err := fs.ReadDir(s.root.FS(), tempDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, temp := range temps {
		if s.abandoned(temp.Name()) {
			errs = append(errs, s.root.RemoveAll(tempDir+"/"+temp.Name()))
		}
	}
	return errors.Join(errs...)
}

// abandoned reports whether nobody will miss what has this name under tmp. Tags
// are written under the lock, and so by nobody now. What is put is locked as long
// as its process lives. What was deleted may be removed by two.
func (s *DirStore) abandoned(name string) bool {
	switch {
	case !flock.Works:
	case strings.HasPrefix(name, trashKind), strings.HasPrefix(name, tagKind):
		return true
	case strings.HasPrefix(name, putKind):
		release, err := s.claim(tempDir + "/" + name + "/" + blobName)
		if release != nil {
			release()
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return err != nil || release != nil
		}
	}
	return s.lastWritten(tempDir + "/" + name).Before(time.Now().Add(-s.opts.TempAge))
}

// lastWritten returns when name, or what is in it if it is a folder, was last
// written. A long Put writes to its blob all the while, but to its folder only
// at first. What is gone, or cannot be looked at now, is as young as can be.
func (s *DirStore) lastWritten(name string) time.Time {
	info, err := s.root.Lstat(name)
	if err != nil {
		return time.Now()
	}
	newest := info.ModTime()
	if !info.IsDir() {
		return newest
	}
	inside, err := fs.ReadDir(s.root.FS(), name)
	if err != nil {
		return time.Now()
	}
	for _, entry := range inside {
		info, err := s.root.Lstat(name + "/" + entry.Name())
		if err != nil {
			return time.Now()
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest
}
