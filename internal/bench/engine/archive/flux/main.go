// The program of Flux's package for archives.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fluxcd/pkg/tar"
	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

func main() { archive.Main(open) }

// digests is the contender that does what Flux's controllers do, too.
const digests = "fluxcd/pkg/tar+sha256"

func open(_ context.Context, j archive.Job) (*fetch.Fetch, error) {
	do, ok := map[string]func(archive.Job) (fs.FS, error){
		archive.Pack + j.Who: pack, archive.Pack + digests: store,
		archive.Unpack + j.Who: unpack, archive.Unpack + digests: verifyAndUnpack,
		archive.Open + j.Who: one,
	}[j.Does+j.Who]
	if !ok || j.Format != archive.Gzip {
		return nil, fmt.Errorf("%s does not %s %s", j.Who, j.Does, j.Format)
	}
	return &fetch.Fetch{Run: func(context.Context) (fs.FS, error) { return do(j) }}, nil
}

// buffer is what stands between the package and a file: by itself it writes some hundred bytes at once.
const buffer = 64 << 10

func pack(j archive.Job) (_ fs.FS, err error) {
	f, err := os.Create(j.Archive)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, buffer)
	if _, err := tar.Tar(j.Tree, w); err != nil {
		return nil, err
	}
	return nil, w.Flush()
}

// store is the way of source-controller's storage: a file beside the archive that is then given its name, and its digest.
func store(j archive.Job) (_ fs.FS, err error) {
	f, err := os.CreateTemp(filepath.Split(j.Archive))
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := tar.Tar(j.Tree, io.MultiWriter(sum, f)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	_ = sum.Sum(nil)
	return nil, os.Rename(f.Name(), j.Archive)
}

func unpack(j archive.Job) (fs.FS, error) {
	f, err := os.Open(j.Archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return os.DirFS(j.Folder), untar(j, f)
}

func untar(j archive.Job, f *os.File, opts ...tar.Option) error {
	opts = append(opts, tar.WithMaxUntarSize(tar.UnlimitedUntarSize), tar.WithSkipSymlinks())
	return tar.Untar(bufio.NewReaderSize(f, buffer), j.Folder, opts...)
}

// verifyAndUnpack is the way of kustomize-controller's fetcher, once it has the file: it reads it twice.
func verifyAndUnpack(j archive.Job) (fs.FS, error) {
	f, err := os.Open(j.Archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("sha256:%x", sum.Sum(nil)); got != j.Digest {
		return nil, fmt.Errorf("%s has the digest %s and not %s", j.Archive, got, j.Digest)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return os.DirFS(j.Folder), untar(j, f)
}

// one unpacks the file alone: the package has no other way to it.
func one(j archive.Job) (fs.FS, error) {
	f, err := os.Open(j.Archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	others := tar.WithFilter(func(path string, _ os.FileInfo) bool { return path != j.Name })
	if err := untar(j, f, others); err != nil {
		return nil, err
	}
	body, err := os.ReadFile(filepath.Join(j.Folder, filepath.FromSlash(j.Name)))
	return archive.One(j.Name, body), err
}
