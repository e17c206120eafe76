// The program of gitopskit itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/opencontainers/go-digest"
)

func main() { archive.Main(open) }

// limits are whatever the command line asks for.
var limits = artifact.Limits{MaxFiles: 2_000_000, MaxBytes: 1 << 40}

func open(_ context.Context, j archive.Job) (*fetch.Fetch, error) {
	do, ok := map[string]func(context.Context, archive.Job) (fs.FS, error){
		archive.Pack: pack, archive.Unpack: unpack, archive.Open: read,
	}[j.Does]
	if !ok {
		return nil, fmt.Errorf("gitopskit does not %s", j.Does)
	}
	return &fetch.Fetch{Run: func(ctx context.Context) (fs.FS, error) { return do(ctx, j) }}, nil
}

func pack(ctx context.Context, j archive.Job) (_ fs.FS, err error) {
	f, err := os.Create(j.Archive)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	compression := map[string]artifact.Compression{archive.Gzip: artifact.Gzip, archive.Zstd: artifact.Zstd}[j.Format]
	_, err = artifact.Pack(ctx, f, os.DirFS(j.Tree), artifact.PackOptions{Compression: compression, Limits: limits})
	return nil, err
}

// wanted knows of the archive what Flux's API says of one.
func wanted(j archive.Job) artifact.Descriptor {
	types := map[string]string{archive.Gzip: artifact.MediaTypeTarGzip, archive.Zstd: artifact.MediaTypeTarZstd}
	return artifact.Descriptor{MediaType: types[j.Format], Digest: digest.Digest(j.Digest), Size: j.Size}
}

func unpack(ctx context.Context, j archive.Job) (_ fs.FS, err error) {
	f, err := os.Open(j.Archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	root, err := os.OpenRoot(j.Folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := artifact.Unpack(ctx, f, wanted(j), root, artifact.UnpackOptions{Limits: limits}); err != nil {
		return nil, err
	}
	return os.DirFS(j.Folder), nil
}

func read(ctx context.Context, j archive.Job) (fs.FS, error) {
	f, err := os.Open(j.Archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	files, err := artifact.Open(ctx, f, wanted(j), artifact.UnpackOptions{Limits: limits})
	if err != nil {
		return nil, err
	}
	body, err := fs.ReadFile(files, j.Name)
	return archive.One(j.Name, body), err
}
