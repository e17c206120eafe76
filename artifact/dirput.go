package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/gitopskit/gitopskit/internal/flock"
)

// Put is as in [Putter]. It reads r to its end in any case, and puts a damaged
// artifact right.
func (s *DirStore) Put(ctx context.Context, r io.Reader, want Descriptor) error {
	if err := s.admit(want); err != nil {
		return in("put", string(want.Digest), err)
	}
	_, err := s.create(ctx, string(want.Digest), func(w io.Writer) (Descriptor, error) {
		m := newMeter(ctx, r, want.Size, mismatchf("more than %d bytes", want.Size))
		_, err := io.Copy(w, m)
		return want, stored("put", string(want.Digest), err)
	})
	return err
}

// Create is as in [Creator].
func (s *DirStore) Create(ctx context.Context, write func(w io.Writer) (Descriptor, error)) (Descriptor, error) {
	return s.create(ctx, "", write)
}

type writeFunc = func(w io.Writer) (Descriptor, error)

// create knows the digest, if Put told it, for errors before there is anything.
func (s *DirStore) create(ctx context.Context, known string, write writeFunc) (_ Descriptor, err error) {
	t, err := s.newTemp(ctx)
	if err != nil {
		return Descriptor{}, stored("put", known, err)
	}
	defer func() {
		if left := t.discard(); left != nil {
			err = stored("put", known, errors.Join(err, left))
		}
	}()
	d, err := write(t.written)
	if err != nil {
		return Descriptor{}, stored("put", known, err)
	}
	if err := t.commit(d); err != nil {
		return Descriptor{}, stored("put", string(d.Digest), err)
	}
	return d, nil
}

func (s *DirStore) admit(d Descriptor) error {
	if err := d.check(); err != nil {
		return err
	}
	if d.Size > s.opts.MaxBytes {
		return s.tooLarge()
	}
	return nil
}

func (s *DirStore) tooLarge() error {
	return &LimitError{Option: "DirOptions.MaxBytes", Max: s.opts.MaxBytes}
}

// A temp is an artifact on its way into the store, in a folder of its own. Its
// blob is in use from the moment that the lock is free, and so is not taken for a
// leftover, nor collected once it is in its place, until Put returns.
type temp struct {
	store   *DirStore
	dir     string
	file    *os.File
	written *gauge // to file
}

func (s *DirStore) newTemp(ctx context.Context) (*temp, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	dir, err := s.tempPath(putKind)
	if err != nil {
		return nil, err
	}
	if err := s.root.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := s.root.OpenFile(dir+"/"+blobName, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(err, s.root.RemoveAll(dir))
	}
	t := &temp{store: s, dir: dir, file: f, written: newGauge(ctx, f, s.opts.MaxBytes, s.tooLarge())}
	if err := await(ctx, f, flock.TryShared); err != nil {
		return nil, errors.Join(err, t.discard())
	}
	return t, nil
}

// commit verifies what was written against d, makes it durable, and moves it to
// its place.
func (t *temp) commit(d Descriptor) error {
	if t.written.err != nil {
		return t.written.err
	}
	if err := t.store.admit(d); err != nil {
		return err
	}
	if t.written.n != d.Size {
		return mismatchf("%d bytes, not %d", t.written.n, d.Size)
	}
	if got := t.written.digest(); got != d.Digest {
		return mismatchf("digest is %s", got)
	}
	if err := t.file.Sync(); err != nil {
		return err
	}
	if err := t.describe(d); err != nil {
		return err
	}
	if err := syncDir(t.store.root, t.dir); err != nil {
		return err
	}
	return t.place(storeDir + "/" + d.Digest.Encoded())
}

func (t *temp) describe(d Descriptor) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return writeFile(t.store.root, t.dir+"/"+descName, append(data, '\n'))
}

// place moves the folder to dir. If the artifact is there already, its files are
// replaced one by one instead: they are the same, or better if those are damaged.
// Where something else stands there, it has to go first.
func (t *temp) place(dir string) error {
	unlock, err := t.store.lock(t.written.ctx)
	if err != nil {
		return err
	}
	defer unlock()
	root := t.store.root
	err = root.Rename(t.dir, dir)
	if err == nil {
		return syncDir(root, storeDir)
	}
	info, statErr := root.Lstat(dir)
	if statErr != nil {
		return err
	}
	if !info.IsDir() { // not even a link to a folder: it may be another artifact's
		return errors.Join(t.store.replace(t.dir, dir), syncDir(root, storeDir))
	}
	for _, name := range []string{blobName, descName} {
		if err := t.store.replace(t.dir+"/"+name, dir+"/"+name); err != nil {
			return err
		}
	}
	return syncDir(root, dir)
}

// discard removes what is not in its place.
func (t *temp) discard() error {
	// A second Close, or one after an error, has nothing to tell.
	_ = t.file.Close()
	return t.store.root.RemoveAll(t.dir)
}

// writeFile makes a file durable, but not its name.
func writeFile(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
