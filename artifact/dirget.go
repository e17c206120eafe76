package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"

	"github.com/opencontainers/go-digest"
)

// Open is as in [Opener]. No GC, by any process, removes the artifact before what
// is returned is closed, unless it is put again meanwhile: what was opened can then
// be read on all the same.
//
// What is returned is also an [io.Seeker] and an [io.ReaderAt], as who serves
// parts of an artifact needs. Only what is read from the start to the end, in one
// go, is verified, and then the last bytes of a damaged artifact are withheld.
// What ReadAt reads is not, nor what Read does after Seek to anywhere but the
// start, or back to where Read was.
func (s *DirStore) Open(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, in("open", string(d), err)
	}
	dir, err := artifactDir(d)
	if err != nil {
		return nil, in("open", string(d), err)
	}
	f, info, err := s.hold(ctx, dir+"/"+blobName)
	if err != nil {
		return nil, in("open", string(d), orNotFound(err))
	}
	return &blob{ctx: ctx, file: f, want: d, size: info.Size(), hash: newHash()}, nil
}

// Stat is as in [Statter]. It notices a damaged Descriptor, and a blob of another
// size, but does not read the blob.
func (s *DirStore) Stat(ctx context.Context, d digest.Digest) (Descriptor, error) {
	if err := ctx.Err(); err != nil {
		return Descriptor{}, in("stat", string(d), err)
	}
	dir, err := artifactDir(d)
	if err != nil {
		return Descriptor{}, in("stat", string(d), err)
	}
	got, err := s.load(dir, d)
	if err != nil {
		return Descriptor{}, in("stat", string(d), orNotFound(err))
	}
	return got, nil
}

// List is as in [Lister]. It does not read the blobs: Open verifies them.
func (s *DirStore) List(ctx context.Context) iter.Seq2[Descriptor, error] {
	return func(yield func(Descriptor, error) bool) {
		entries, err := fs.ReadDir(s.root.FS(), storeDir)
		if err != nil {
			yield(Descriptor{}, in("list", "", err))
			return
		}
		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				yield(Descriptor{}, in("list", "", err))
				return
			}
			d := digest.NewDigestFromEncoded(digest.SHA256, entry.Name())
			dir, err := artifactDir(d)
			if err != nil {
				continue // not ours
			}
			got, err := s.load(dir, d)
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted since
			}
			if err != nil {
				got, err = Descriptor{Digest: d}, in("list", string(d), err)
			}
			if !yield(got, err) {
				return
			}
		}
	}
}

// maxDescriptorBytes is many times what the largest Descriptor takes.
const maxDescriptorBytes = 64 << 10

// loadAttempts bounds how often load begins anew because somebody deleted the
// artifact and put it again between two of its steps.
const loadAttempts = 10

// load reads the Descriptor of d's artifact in dir. Only if there is no dir, that
// is an fs.ErrNotExist: as it came with all its files, without one it is damaged.
func (s *DirStore) load(dir string, d digest.Digest) (Descriptor, error) {
	for range loadAttempts {
		got, err := s.loadOnce(dir, d)
		if !errors.Is(err, fs.ErrNotExist) {
			return got, asDamage(descName, err)
		}
		if _, err := s.root.Lstat(dir); err != nil {
			return Descriptor{}, err
		}
	}
	return Descriptor{}, mismatchf("%s or %s is missing", descName, blobName)
}

func (s *DirStore) loadOnce(dir string, d digest.Digest) (Descriptor, error) {
	got, err := s.loadDescriptor(dir, d)
	if err != nil {
		return Descriptor{}, err
	}
	info, err := s.root.Lstat(dir + "/" + blobName)
	if err != nil {
		return Descriptor{}, err
	}
	if !info.Mode().IsRegular() || info.Size() != got.Size {
		return Descriptor{}, mismatchf("%s has %d bytes, not %d", blobName, info.Size(), got.Size)
	}
	return got, nil
}

func (s *DirStore) loadDescriptor(dir string, d digest.Digest) (Descriptor, error) {
	f, err := s.openFile(dir + "/" + descName)
	if err != nil {
		return Descriptor{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDescriptorBytes))
	if err != nil {
		return Descriptor{}, err
	}
	var got Descriptor
	if err := json.Unmarshal(data, &got); err != nil {
		return Descriptor{}, mismatchf("%s: %w", descName, err)
	}
	if err := got.check(); err != nil || got.Digest != d {
		return Descriptor{}, mismatchf("%s is not of this artifact", descName)
	}
	return got, nil
}

func orNotFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	return err
}
