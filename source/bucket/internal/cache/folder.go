package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Folder returns the cache in a folder, which any number of processes may share, and which is made where it is not there
// yet. Its files together never take more than maxBytes, those included that are being written: each counts in whole blocks
// of 4 KiB. Zero or less keeps nothing. Where the system has no flock, several processes may go beyond that for a while.
//
// Content of up to a megabyte is in memory when it has been read or put. Of larger content a Body holds the open file, which
// is there until nobody has the Body, even if its name is removed. That is for 256 files. Each further one has a second
// name, a hard link, which goes with the Body or, some time after the end of its process, with a later Put. If somebody
// removes that name the Body is lost, which it says when it is read. What is held in one of these ways and is not in the
// cache any more does not count.
//
// The folder has files of five kinds: content, by its key in hexadecimal digits; temp-, content on its way; owner-, which
// says that a process lives, and pin-, which is a second name; and the lock, with the sum of all bytes. Whatever else is
// there stays as it is.
func Folder(dir string, maxBytes int64) (Cache, error) {
	absolute, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(absolute, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the cache folder %q, which has to be a folder or a path for one: %w", dir, err)
	}
	f := &folder{dir: absolute, maxBytes: min(maxBytes, 1<<50), patience: 10 * time.Second, turn: make(chan struct{}, 1)}
	f.held.max = 256
	return f, nil
}

type folder struct {
	dir      string
	maxBytes int64
	held     held

	patience time.Duration // with another process that has the lock
	turn     chan struct{} // holds one value while somebody in this process has the lock
	// What follows is of whoever has the lock.
	surveyed   bool
	added      int64     // bytes since the last survey
	stuckUntil time.Time // until then the lock is not asked for
}

// smallBytes is the size up to which content is in memory.
const smallBytes = 1 << 20

func (k Key) name() string { return hex.EncodeToString(k[:]) }

// open returns the folder. Nothing but content stays open between calls, so that the folder may be removed at any time.
func (f *folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(f.dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	return os.OpenRoot(f.dir)
}

// Get implements [Cache].
func (f *folder) Get(key Key) (*Body, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, nil // Put says why
	}
	defer root.Close()
	file, err := openRegular(root, key.name(), os.O_RDONLY)
	if err != nil {
		return nil, nil
	}
	body, err := f.read(root, file, key)
	if err != nil {
		_ = root.Remove(key.name())
		if errors.Is(err, errUnwritten) {
			return nil, nil
		}
		return nil, f.problem(fmt.Errorf("file %q is not used, and fetched again: %w", key.name(), err))
	}
	now := time.Now()
	_ = root.Chtimes(key.name(), now, now) // else it is only removed sooner
	return body, nil
}

// read returns the content of a file, which it closes or holds.
func (f *folder) read(root *os.Root, file *os.File, key Key) (*Body, error) {
	h, err := readHeader(file, key)
	if err == nil && h.size > smallBytes {
		if err = h.verify(file); err == nil {
			return f.hold(root, file, h)
		}
	}
	defer file.Close()
	if err != nil {
		return nil, err
	}
	return h.load(file)
}

// Put implements [Cache].
func (f *folder) Put(ctx context.Context, key Key, size int64, r io.Reader) (*Body, error) {
	var body *Body
	var err error
	if size <= smallBytes {
		if body, err = Read(r, size); err != nil {
			return nil, err
		}
	}
	d, err := f.begin(ctx, key, size)
	if err == nil {
		defer d.end()
		if body == nil {
			return d.stream(key, size, r)
		}
		err = d.keep(key, body)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if body == nil { // nothing has been read yet
		var e error
		if body, e = Read(r, size); e != nil {
			return nil, e
		}
	}
	return body, f.problem(err)
}

func (f *folder) problem(err error) error {
	if err == nil {
		return nil
	}
	return &KeepError{f.dir, err}
}

// A draft is a file that is being written.
type draft struct {
	*folder
	root *os.Root
	file *os.File // nil: somebody else has it now
	name string   // empty: the file is complete
}

// begin returns a draft of a file for size bytes of content.
func (f *folder) begin(ctx context.Context, key Key, size int64) (*draft, error) {
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	d := &draft{folder: f, root: root}
	if d.file, d.name, err = f.reserve(ctx, root, key, headerBytes+size); err != nil {
		_ = root.Close()
		return nil, err
	}
	return d, nil
}

// end removes what is not complete.
func (d *draft) end() {
	if d.file != nil {
		_ = d.file.Close() // what was not written is found when it is read
	}
	if d.name != "" {
		_ = d.root.Remove(d.name)
	}
	_ = d.root.Close()
}

// keep writes content that is in memory.
func (d *draft) keep(key Key, body *Body) error {
	h := header{key, body.size, sha256.Sum256(body.bytes)}
	return d.publish(h, append(h.encode(), body.bytes...))
}

// publish writes a file's beginning, and gives it its name. Nothing waits for the disk, for what a power cut leaves does not
// match its sum.
func (d *draft) publish(h header, beginning []byte) error {
	if _, err := d.file.WriteAt(beginning, 0); err != nil {
		return err
	}
	if name := h.key.name(); name != d.name {
		if err := d.root.Rename(d.name, name); err != nil {
			return err
		}
	}
	d.name = ""
	return nil
}

// stream writes content as it comes.
func (d *draft) stream(key Key, size int64, r io.Reader) (*Body, error) {
	sum := sha256.New()
	to := &faultyWriter{w: io.NewOffsetWriter(d.file, headerBytes)}
	n, err := io.CopyBuffer(io.MultiWriter(to, sum), struct{ io.Reader }{io.LimitReader(r, size)}, make([]byte, 128<<10))
	switch {
	case to.err != nil:
		return nil, d.problem(to.err)
	case err != nil:
		return nil, err
	case n < size:
		return nil, io.ErrUnexpectedEOF
	}
	if err := end(r); err != nil {
		return nil, err
	}
	h := header{key, size, [sha256.Size]byte(sum.Sum(nil))}
	if err := d.publish(h, h.encode()); err != nil {
		return nil, d.problem(err)
	}
	file := d.file
	d.file = nil
	body, err := d.hold(d.root, file, h)
	if err != nil {
		return nil, d.problem(err)
	}
	return body, nil
}

// A faultyWriter remembers that writing failed, and not reading.
type faultyWriter struct {
	w   io.Writer
	err error
}

// Write implements [io.Writer].
func (w *faultyWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.err = err
	return n, err
}
