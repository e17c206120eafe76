package artifact

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// A stage is a folder in root, in which a tree is written before it is moved to
// where it belongs. Where root is the only file system that may be written to,
// there is no other place from which a rename would do.
type stage struct {
	root  *os.Root
	name  string
	files *os.Root // the folder, once there is one
	moved []string // to root, in order, in the system's notation
}

const stagePrefix = ".unpack-"

// open makes the folder.
func (s *stage) open() error {
	name := stagePrefix + rand.Text()
	if err := s.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	files, err := s.root.OpenRoot(name)
	if err != nil {
		return errors.Join(err, s.root.Remove(name))
	}
	s.name, s.files = name, files
	return nil
}

// publish moves the tree into root, and removes the stage. What would be in the
// way is looked for before anything is moved.
func (s *stage) publish(ctx context.Context) error {
	moves, err := s.plan(ctx, ".", nil)
	if err != nil {
		return in("unpack", "", err)
	}
	for _, local := range moves {
		if err := ctx.Err(); err != nil {
			return in("unpack", "", err)
		}
		if err := s.root.Rename(filepath.Join(s.name, local), local); err != nil {
			return in("unpack", filepath.ToSlash(local), err)
		}
		s.moved = append(s.moved, local)
	}
	// Of folders that joined others there is an empty one left.
	if err := errors.Join(s.files.Close(), s.root.RemoveAll(s.name)); err != nil {
		return in("unpack", s.name, err)
	}
	return nil
}

// plan appends to moves what can be moved as a whole of what is in dir.
func (s *stage) plan(ctx context.Context, dir string, moves []string) ([]string, error) {
	entries, err := s.list(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		local := filepath.Join(dir, e.Name())
		info, err := s.root.Lstat(local)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			moves = append(moves, local)
		case err != nil:
			return nil, err
		case e.IsDir() && info.IsDir():
			if moves, err = s.plan(ctx, local, moves); err != nil {
				return nil, err
			}
		default:
			return nil, in("unpack", filepath.ToSlash(local), inTheWay(e, info))
		}
	}
	return moves, nil
}

// list reads a folder in the order of names, so that the first that cannot be
// moved always is the same one.
func (s *stage) list(dir string) ([]fs.DirEntry, error) {
	return fs.ReadDir(s.files.FS(), path.Clean(filepath.ToSlash(dir)))
}

func inTheWay(e fs.DirEntry, there fs.FileInfo) error {
	if e.IsDir() {
		return unsafef("is there already and no folder: %v", there.Mode())
	}
	return fmt.Errorf("is there already: %w", fs.ErrExist)
}

// undo leaves root as it was. It has no context: it must happen because one ended.
func (s *stage) undo() error {
	if s.files == nil {
		return nil
	}
	_ = s.files.Close()
	var errs []error
	for _, local := range slices.Backward(append([]string{s.name}, s.moved...)) {
		if err := s.root.RemoveAll(local); err != nil {
			errs = append(errs, in("unpack", filepath.ToSlash(local), fmt.Errorf("remove again: %w", err)))
		}
	}
	return errors.Join(errs...)
}
