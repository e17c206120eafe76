package artifact

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// Put is as in [Putter]. It reads r to its end in any case, and puts a damaged
// artifact right.
func (s *DirStore) Put(ctx context.Context, r io.Reader, want Descriptor) error {
	if err := s.admit(want); err != nil {
		return in("put", string(want.Digest), err)
	}
	_, err := s.Create(ctx, func(w io.Writer) (Descriptor, error) {
		m := newMeter(ctx, r, want.Size, mismatchf("more than %d bytes", want.Size))
		_, err := io.Copy(w, m)
		return want, in("put", string(want.Digest), err)
	})
	return err
}

// Create is as in [Creator].
func (s *DirStore) Create(ctx context.Context, write func(w io.Writer) (Descriptor, error)) (_ Descriptor, err error) {
	t, err := s.newTemp(ctx)
	if err != nil {
		return Descriptor{}, in("put", "", err)
	}
	defer func() {
		if left := t.discard(); left != nil {
			err = in("put", "", errors.Join(err, left))
		}
	}()
	d, err := write(t.written)
	if err != nil {
		return Descriptor{}, in("put", "", err)
	}
	if err := t.commit(d); err != nil {
		return Descriptor{}, in("put", string(d.Digest), err)
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

// A temp is an artifact on its way into the store, in a folder of its own.
type temp struct {
	store   *DirStore
	dir     string
	file    *os.File
	written *gauge // to file
}

// tempPath returns a path under tmp that is free.
func (s *DirStore) tempPath() (string, error) {
	return tempDir + "/" + rand.Text(), s.root.MkdirAll(tempDir, 0o700)
}

func (s *DirStore) newTemp(ctx context.Context) (*temp, error) {
	dir, err := s.tempPath()
	if err != nil {
		return nil, err
	}
	if err := s.root.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := s.root.OpenFile(dir+"/"+blobName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Join(err, s.removeTemp(dir))
	}
	return &temp{store: s, dir: dir, file: f, written: newGauge(ctx, f, s.opts.MaxBytes, s.tooLarge())}, nil
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
	if err := t.written.ctx.Err(); err != nil {
		return err
	}
	return t.place(storeDir + "/" + d.Digest.Encoded())
}

func (t *temp) describe(d Descriptor) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	f, err := t.store.root.OpenFile(t.dir+"/"+descName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// placeAttempts bounds how often place begins anew because somebody else put or
// deleted the artifact between two of its steps.
const placeAttempts = 100

// place moves the folder to dir. If the artifact is there already, its files are
// replaced one by one instead: they are the same, or better if those are damaged.
func (t *temp) place(dir string) error {
	root := t.store.root
	var err error
	for range placeAttempts {
		if err = root.Rename(t.dir, dir); err == nil {
			return syncDir(root, storeDir)
		}
		if _, statErr := root.Lstat(dir); statErr != nil {
			if errors.Is(statErr, fs.ErrNotExist) && errors.Is(err, fs.ErrExist) {
				continue // deleted since
			}
			return err
		}
		err = root.Rename(t.dir+"/"+blobName, dir+"/"+blobName)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since
		}
		if err != nil {
			return err
		}
		return t.finish(dir)
	}
	return err
}

// finish replaces the Descriptor after the blob. If there is no dir any more,
// somebody deleted the artifact after it was put.
func (t *temp) finish(dir string) error {
	err := t.store.root.Rename(t.dir+"/"+descName, dir+"/"+descName)
	if err == nil {
		err = syncDir(t.store.root, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// discard removes what is not in its place.
func (t *temp) discard() error {
	// A second Close, or one after an error, has nothing to tell.
	_ = t.file.Close()
	return t.store.removeTemp(t.dir)
}

// removeTemp tries anew if somebody's place put a file into the folder while it
// was being emptied: delete may have taken it away under their hands.
func (s *DirStore) removeTemp(dir string) error {
	var err error
	for range placeAttempts {
		if err = s.root.RemoveAll(dir); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return err
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
