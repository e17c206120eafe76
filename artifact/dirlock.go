package artifact

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gitopskit/gitopskit/internal/flock"
)

// lockName is a file that is there for its lock alone, and for good: were it
// replaced, two could have the lock.
const lockName = "lock"

// lock waits for the store's lock, over all processes. Under it, everything in
// the store gets its name, changes it and loses it, and leftovers are told from
// what is being put. It is never held while an artifact is read or written.
func (s *DirStore) lock(ctx context.Context) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := s.openLock()
	if err == nil {
		err = await(ctx, f, flock.Try)
	}
	if err != nil {
		s.unlock(f)
		return nil, err
	}
	return func() { s.unlock(f) }, nil
}

// tryLock is lock for who can go without: unlock is nil if somebody has it.
func (s *DirStore) tryLock() (unlock func(), err error) {
	s.turn <- struct{}{}
	f, err := s.openLock()
	var locked bool
	if err == nil {
		locked, err = flock.Try(f)
	}
	if err != nil || !locked {
		s.unlock(f)
		return nil, err
	}
	return func() { s.unlock(f) }, nil
}

func (s *DirStore) openLock() (*os.File, error) {
	return s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
}

// unlock takes nil for a file that did not open.
func (s *DirStore) unlock(f *os.File) {
	_ = f.Close() // nothing was written
	<-s.turn
}

// await tries until this open file has the lock. The system could wait itself,
// but not end with ctx.
func await(ctx context.Context, f *os.File, try func(*os.File) (bool, error)) error {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 2*time.Millisecond) {
		locked, err := try(f)
		if err != nil {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if locked {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// claim takes the blob at path from all who would open it, until release, by when
// it should be gone: they then find that it is. It returns nil if somebody has it
// open, to read it or to put it. It is for who has the store's lock.
func (s *DirStore) claim(path string) (release func(), err error) {
	f, err := s.root.OpenFile(path, os.O_RDWR, 0) // network file systems lock alone only what may be written
	if err != nil {
		return nil, err
	}
	free, err := flock.Try(f)
	if err != nil {
		err = fmt.Errorf("lock %s: %w", path, err)
	}
	if err != nil || !free {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// hold opens the blob at path so that it is in use until the file is closed. It
// begins anew where the blob was collected or replaced before it had the lock.
// What is no file is an ErrDigest.
func (s *DirStore) hold(ctx context.Context, path string) (*os.File, os.FileInfo, error) {
	for {
		f, err := s.openFile(path)
		if err != nil {
			return nil, nil, asDamage(path, err)
		}
		// Without locks there is no collecting, and so no harm.
		_ = await(ctx, f, flock.TryShared)
		if err := ctx.Err(); err != nil {
			f.Close()
			return nil, nil, err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		if now, err := s.root.Stat(path); err == nil && os.SameFile(now, info) {
			return f, info, nil
		}
		f.Close()
	}
}
