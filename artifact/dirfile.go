package artifact

import (
	"errors"
	"os"
	"path"
)

// errMisplaced is of what stands where a file of the store belongs and is none:
// a folder, a pipe, a link to nowhere. A backup that was restored badly, or
// somebody's own hands, may have put it there.
var errMisplaced = errors.New("what stands there is no file")

// openFile opens a file of the store to read it. It looks first, as opening a pipe
// waits for somebody who writes into it.
func (s *DirStore) openFile(name string) (*os.File, error) {
	if s.misplaced(name) {
		return nil, errMisplaced
	}
	return s.root.Open(name)
}

// asDamage returns err as an ErrDigest if it is of what is misplaced.
func asDamage(name string, err error) error {
	if errors.Is(err, errMisplaced) {
		return mismatchf("%s: %w", path.Base(name), err)
	}
	return err
}

// replace renames, over what is misplaced too.
func (s *DirStore) replace(from, to string) error {
	if s.misplaced(to) {
		if err := s.root.RemoveAll(to); err != nil {
			return err
		}
	}
	return s.root.Rename(from, to)
}

// misplaced reports whether something stands at name, or at its folder, that is
// none. A file that is not there, or cannot be looked at, is not misplaced.
func (s *DirStore) misplaced(name string) bool {
	info, err := s.root.Lstat(name)
	if err == nil {
		return !info.Mode().IsRegular()
	}
	info, err = s.root.Lstat(path.Dir(name))
	return err == nil && !info.IsDir()
}
