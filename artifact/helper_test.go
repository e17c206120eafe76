package artifact_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

var compressions = []artifact.Compression{artifact.Gzip, artifact.Zstd, artifact.None}

func file(content string) *fstest.MapFile {
	return &fstest.MapFile{Mode: 0o644, Data: []byte(content)}
}

func script(content string) *fstest.MapFile {
	return &fstest.MapFile{Mode: 0o755, Data: []byte(content)}
}

func link(target string) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(target)}
}

// sample has what a tree can have: names that sort differently as paths than as
// elements, a long and a non-ASCII name, an empty file, an executable, links to
// files, folders and nowhere, and a file of several blocks.
func sample() fstest.MapFS {
	return fstest.MapFS{
		"README.md":             file("# sample\n"),
		"app/base/deploy.yaml":  file("kind: Deployment\n"),
		"app/base/empty":        file(""),
		"app-of-apps.yaml":      file("kind: List\n"),
		"app.yaml":              file("kind: Service\n"),
		"app/über/größe.yaml":   file("kind: ConfigMap\n"),
		"bin/run":               script("#!/bin/sh\n"),
		"current":               link("app/base"),
		"app/base/readme":       link("../../README.md"),
		"app/nowhere":           link("not/there.yaml"),
		"data/" + longName:      file("long\n"),
		"data/noise":            file(noise(200_000)),
		"data/x/y/z/deep.yaml":  file("kind: Secret\n"),
		"data/x/y/crooked.yaml": link("z/../z/deep.yaml"),
	}
}

var longName = strings.Repeat("long-name-", 15) + ".yaml"

// noise returns n bytes that hardly compress, always the same.
func noise(n int) string {
	b, state := make([]byte, n), uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return string(b)
}

// pack packs tree and returns the artifact.
func pack(t testing.TB, tree fs.FS, opts artifact.PackOptions) ([]byte, artifact.Descriptor) {
	t.Helper()
	var buf bytes.Buffer
	d, err := artifact.Pack(t.Context(), &buf, tree, opts)
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), d
}

func openRoot(t testing.TB, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// describe returns the least that must be known of data.
func describe(mediaType string, data []byte) artifact.Descriptor {
	return artifact.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

// tarOf returns an archive of the headers, each with as many bytes of content
// as its size says.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func regular(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1} }

func symlink(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstdOf(t testing.TB, data []byte, opts ...zstd.EOption) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// listing returns one line for each entry of a tree: mode, path, and content or
// target. Folders are in it only where they are empty.
func listing(t testing.TB, tree fs.FS) []string {
	t.Helper()
	var lines []string
	err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := fs.Lstat(tree, name)
		if err != nil {
			return err
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			if kids, err := fs.ReadDir(tree, name); err != nil || len(kids) > 0 || name == "." {
				return err
			}
			lines = append(lines, "empty "+name)
		case fs.ModeSymlink:
			target, err := fs.ReadLink(tree, name)
			lines = append(lines, "link "+name+" "+target)
			return err
		default:
			data, err := fs.ReadFile(tree, name)
			kind := "file "
			if info.Mode()&0o111 != 0 {
				kind = "exec "
			}
			lines = append(lines, kind+name+" "+string(data))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func equalTrees(t testing.TB, got, want fs.FS) {
	t.Helper()
	if g, w := listing(t, got), listing(t, want); !slices.Equal(g, w) {
		t.Errorf("tree is\n%.2000q\nnot\n%.2000q", g, w)
	}
}

// wantError tells whether err is a *Error of that path and cause.
func wantError(t testing.TB, err error, cause error, at string) {
	t.Helper()
	var e *artifact.Error
	if !errors.As(err, &e) {
		t.Errorf("error %v (%T), want an *artifact.Error", err, err)
		return
	}
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want one that is %q", err, cause)
	}
	if e.Path != at {
		t.Errorf("error %v, with path %q, want %q", err, e.Path, at)
	}
}

// writeTree writes a tree into dir, in the order of a map, with the modes given.
func writeTree(t testing.TB, dir string, tree fstest.MapFS, filePerm, dirPerm fs.FileMode) {
	t.Helper()
	for name, f := range tree {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(path.Dir(name))), dirPerm); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.Mode.Type() == fs.ModeSymlink {
			err = os.Symlink(string(f.Data), at)
		} else {
			err = os.WriteFile(at, f.Data, filePerm|f.Mode&0o100)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// isEmpty reports what is in root as an error.
func isEmpty(t testing.TB, root *os.Root) {
	t.Helper()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left in the folder", e.Name())
	}
}

// multi reads data and then r.
func multi(data []byte, r io.Reader) io.Reader { return io.MultiReader(bytes.NewReader(data), r) }

// putterFunc is a Putter that is no Creator.
type putterFunc func(r io.Reader, want artifact.Descriptor) error

func (f putterFunc) Put(_ context.Context, r io.Reader, want artifact.Descriptor) error {
	return f(r, want)
}
