package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fluxfetch "github.com/fluxcd/pkg/http/fetch"
	"github.com/fluxcd/pkg/tar"
	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

// fluxTree is a folder with what archives have to carry: long paths, other scripts, an executable file, an empty one.
func fluxTree(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	long := strings.Repeat("n", 120) // more than ustar's name
	err := write(folder, map[string]string{"kustomization.yaml": "resources:\n- apps\n", "apps/empty.yaml": "",
		"apps/größe/服务.yaml": "a: b\n", "apps/a b\tc.yaml": "x", "apps/" + long + "/" + long + "/" + long + ".yaml": "long",
		"apps/run.sh": "#!/bin/sh\n", "apps/large.yaml": strings.Repeat("0123456789abcdef", 20_000)})
	if err == nil {
		err = os.Chmod(filepath.Join(folder, "apps/run.sh"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func contentOf(t *testing.T, files fs.FS) fetch.Content {
	t.Helper()
	content, err := fetch.Read(files, "")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// packTree packs with the compression that Flux reads.
func packTree(t *testing.T, folder string) ([]byte, artifact.Descriptor) {
	t.Helper()
	var packed bytes.Buffer
	d, err := artifact.Pack(t.Context(), &packed, os.DirFS(folder), artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return packed.Bytes(), d
}

func TestFluxUnpacksWhatPackPacks(t *testing.T) {
	folder := fluxTree(t)
	want := contentOf(t, os.DirFS(folder))
	packed, _ := packTree(t, folder)
	to := t.TempDir()
	if err := tar.Untar(bytes.NewReader(packed), to); err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, os.DirFS(to)); got != want || got.Files != 7 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// Flux leaves out links when it is told to, as its controllers do, and refuses them else.
	if err := os.Symlink("run.sh", filepath.Join(folder, "apps/link.sh")); err != nil {
		t.Fatal(err)
	}
	packed, _ = packTree(t, folder)
	if err := tar.Untar(bytes.NewReader(packed), t.TempDir()); err == nil {
		t.Error("a link was unpacked")
	}
	to = t.TempDir()
	if err := tar.Untar(bytes.NewReader(packed), to, tar.WithSkipSymlinks()); err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, os.DirFS(to)); got != want {
		t.Errorf("beside a link: got %+v, want %+v", got, want)
	}
}

// served is the folder of a store that has the archive, and the URL of an HTTP server of the store's Handler.
func served(t *testing.T, packed []byte, d artifact.Descriptor) (folder, url string) {
	t.Helper()
	folder = t.TempDir()
	store, err := artifact.Dir(folder, artifact.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := store.Put(t.Context(), bytes.NewReader(packed), d); err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(t.Context(), "apps/podinfo", d.Digest, "main@sha1:3a4ad1"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(artifacthttp.Handler(store, artifacthttp.HandlerOptions{}))
	t.Cleanup(server.Close)
	return folder, server.URL
}

// kustomizeController fetches as the controller does, without its retries.
func kustomizeController(ctx context.Context, url, digest, to string) error {
	return fluxfetch.New(fluxfetch.WithMaxDownloadSize(tar.UnlimitedUntarSize),
		fluxfetch.WithUntar(tar.WithMaxUntarSize(tar.UnlimitedUntarSize))).FetchWithContext(ctx, url, digest, to)
}

func TestKustomizeControllerFetchesWhatHandlerServes(t *testing.T) {
	folder := fluxTree(t)
	packed, d := packTree(t, folder)
	stored, url := served(t, packed, d)
	want := contentOf(t, os.DirFS(folder))
	for _, path := range []string{"/" + d.Digest.String(), "/" + d.Digest.String() + ".tar.gz", "/apps/podinfo.tar.gz"} {
		to := t.TempDir()
		if err := kustomizeController(t.Context(), url+path, d.Digest.String(), to); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got := contentOf(t, os.DirFS(to)); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
	refused := func(path, digest string, is error, says string) {
		t.Helper()
		to := t.TempDir()
		err := kustomizeController(t.Context(), url+path, digest, to)
		if err == nil || is != nil && !errors.Is(err, is) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
		if got := contentOf(t, os.DirFS(to)); got.Files != 0 {
			t.Errorf("%s: %d files in spite of it", path, got.Files)
		}
	}
	other := digest.FromString("other").String()
	refused("/apps/podinfo", other, nil, "doesn't match")
	refused("/"+other, other, fluxfetch.ErrFileNotFound, "")
	// The server itself refuses a damaged artifact: Flux gets none whose digest it could look at.
	packed[len(packed)/2] ^= 1
	if err := os.WriteFile(filepath.Join(stored, "sha256", d.Digest.Encoded(), "blob"), packed, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("/apps/podinfo", d.Digest.String(), nil, "failed to download archive")
}

// What Flux's packers write is known by its digest alone, as in the status of a source, and by what its content is.
func TestOpenReadsWhatFluxPacks(t *testing.T) {
	folder := fluxTree(t)
	want := contentOf(t, os.DirFS(folder))
	_, ours := packTree(t, folder)
	for what, pack := range map[string]func(io.Writer) error{
		"gzip":  func(w io.Writer) error { _, err := tar.Tar(folder, w); return err },
		"plain": func(w io.Writer) error { _, err := tar.Tar(folder, w, tar.WithSkipGzip()); return err },
	} {
		var packed bytes.Buffer
		if err := pack(&packed); err != nil {
			t.Fatal(err)
		}
		d := artifact.Descriptor{MediaType: artifact.MediaTypeTarGzip, Digest: digest.FromBytes(packed.Bytes()),
			Size: int64(packed.Len())}
		if what == "plain" {
			d.MediaType = artifact.MediaTypeTar
		}
		files, err := artifact.Open(t.Context(), bytes.NewReader(packed.Bytes()), d, artifact.UnpackOptions{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got := contentOf(t, files); got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
		again, err := artifact.Pack(t.Context(), io.Discard, files, artifact.PackOptions{})
		if err != nil || again != ours {
			t.Errorf("%s: packed again it is %+v, %v, and the tree %+v", what, again, err, ours)
		}
		to := t.TempDir()
		root, err := os.OpenRoot(to)
		if err != nil {
			t.Fatal(err)
		}
		err = artifact.Unpack(t.Context(), bytes.NewReader(packed.Bytes()), d, root, artifact.UnpackOptions{})
		if got := contentOf(t, os.DirFS(to)); err != nil || got != want {
			t.Errorf("%s: unpacked it is %+v, %v, want %+v", what, got, err, want)
		}
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	}
}
