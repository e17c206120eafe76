package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gitopskit/gitopskit/internal/flock"
)

const (
	ownerKind = "owner-"
	pinKind   = "pin-"
)

// held is what Bodies need of a folder.
type held struct {
	max  int64 // open files
	open atomic.Int64

	mu    sync.Mutex
	owner *os.File // is locked; nil: there are no pins
	token string   // in its name
}

// hold returns a Body of a file whose content is right, and which it keeps or closes.
func (f *folder) hold(root *os.Root, file *os.File, h header) (*Body, error) {
	b := &Body{size: h.size, file: &heldFile{sum: h.sum}}
	if f.held.open.Add(1) <= f.held.max {
		b.file.open = func() (io.ReaderAt, func(), error) { return file, func() {}, nil }
		runtime.AddCleanup(b, f.release, file)
		return b, nil
	}
	f.held.open.Add(-1)
	defer file.Close()
	pin, err := f.pin(root, h.key)
	if err != nil {
		return h.load(file) // memory is better than content that may go
	}
	b.file.open = func() (io.ReaderAt, func(), error) { return f.reopen(pin) }
	runtime.AddCleanup(b, f.unpin, pin)
	return b, nil
}

func (f *folder) release(file *os.File) {
	_ = file.Close()
	f.held.open.Add(-1)
}

// pin gives content a second name that is only this process's.
func (f *folder) pin(root *os.Root, key Key) (string, error) {
	token, err := f.own(root)
	if err != nil {
		return "", err
	}
	pin := pinKind + token + "-" + unique()
	return pin, root.Link(key.name(), pin)
}

func (f *folder) unpin(pin string) {
	if root, err := os.OpenRoot(f.dir); err == nil {
		_ = root.Remove(pin)
		_ = root.Close()
	}
}

func (f *folder) reopen(pin string) (io.ReaderAt, func(), error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	file, err := openRegular(root, pin, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { _ = file.Close() }, nil
}

// own returns the token of the file that says that this process lives, by being locked.
func (f *folder) own(root *os.Root) (string, error) {
	f.held.mu.Lock()
	defer f.held.mu.Unlock()
	for range 3 {
		if f.held.owner != nil {
			if sameFile(root, ownerKind+f.held.token, f.held.owner) {
				return f.held.token, nil
			}
			_ = f.held.owner.Close()
			f.held.owner = nil
		}
		token := unique()
		file, err := root.OpenFile(ownerKind+token, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return "", err
		}
		if locked, err := flock.Try(file); !locked || err != nil {
			_ = file.Close()
			continue // another process just takes it for one that is left over
		}
		f.held.owner, f.held.token = file, token
	}
	return "", errors.New("the owner's file does not stay")
}

// sameFile reports whether an open file has this name.
func sameFile(root *os.Root, name string, file *os.File) bool {
	now, err := root.Lstat(name)
	if err != nil {
		return false
	}
	then, err := file.Stat()
	return err == nil && os.SameFile(now, then)
}

// abandoned removes a file whose process has ended, and reports whether it is gone. Without flock that is told by its age.
func abandoned(root *os.Root, name string) bool {
	file, err := openRegular(root, name, os.O_RDONLY)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	if locked, err := flock.Try(file); !locked || err != nil {
		return false
	}
	info, err := file.Stat()
	if !flock.Works && (err != nil || time.Since(info.ModTime()) < 24*time.Hour) {
		return false
	}
	return root.Remove(name) == nil
}

// removeStalePin removes a second name whose owner has ended.
func removeStalePin(root *os.Root, pin string, ended map[string]bool) {
	token, _, _ := strings.Cut(strings.TrimPrefix(pin, pinKind), "-")
	gone, known := ended[token]
	if !known {
		gone = abandoned(root, ownerKind+token)
		ended[token] = gone
	}
	if gone {
		_ = root.Remove(pin)
	}
}
