package artifact_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// open packs the tree and opens the artifact.
func open(t testing.TB, tree fs.FS) fs.FS {
	t.Helper()
	data, d := pack(t, tree, artifact.PackOptions{})
	opened, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestOpenReturnsWhatWasPacked(t *testing.T) {
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		for _, want := range []artifact.Descriptor{d, describe(d.MediaType, data)} {
			tree, err := artifact.Open(t.Context(), bytes.NewReader(data), want, artifact.UnpackOptions{})
			if err != nil {
				t.Fatalf("%v: %v", c, err)
			}
			equalTrees(t, tree, sample())
		}
	}
}

func TestOpenReturnsAFileSystem(t *testing.T) {
	tree := sample()
	delete(tree, "app/nowhere") // which cannot be opened
	if err := fstest.TestFS(open(t, tree), "current", "bin/run", "data/x/y/z/deep.yaml", "app/base/empty"); err != nil {
		t.Error(err)
	}
}

// linked has links of all kinds.
func linked() fstest.MapFS {
	return fstest.MapFS{
		"a/b/file":   file("content"),
		"a/file":     link("b/file"),
		"dir":        link("a/b"),
		"up":         link("a/b/../b/./file"),
		"a/b/again":  link("../../dir"),
		"root":       link("."),
		"a/b/top":    link("../.."),
		"slash":      link("a/b//"),
		"fileslash":  link("a/b/file/"),
		"loop":       link("loop"),
		"ping":       link("pong"),
		"pong":       link("ping"),
		"dangling":   link("none"),
		"underfile":  link("a/b/file/x"),
		"underlink":  link("dir/file"),
		"climbsfile": link("a/b/file/.."),
	}
}

func TestOpenedTreeFollowsLinks(t *testing.T) {
	tree := open(t, linked())
	tests := []struct{ name, want string }{
		{"a/file", "content"},
		{"dir/file", "content"},
		{"up", "content"},
		{"a/b/again/again/again/file", "content"},
		{"root/root/a/b/file", "content"},
		{"a/b/top/a/b/top/up", "content"},
		{"slash/file", "content"},
		{"underlink", "content"},
		{"fileslash", "not a directory"},
		{"loop", "too many symbolic links"},
		{"loop/x", "too many symbolic links"},
		{"ping", "too many symbolic links"},
		{"dangling", "file does not exist"},
		{"dangling/x", "file does not exist"},
		{"underfile", "not a directory"},
		{"climbsfile", "not a directory"},
		{"a/b/file/x", "not a directory"},
		{"none", "file does not exist"},
		{"dir", "is a directory"},
		{".", "is a directory"},
		{"../x", "invalid argument"},
		{"/a", "invalid argument"},
	}
	for _, tt := range tests {
		data, err := fs.ReadFile(tree, tt.name)
		got := string(data)
		if pathErr := new(fs.PathError); errors.As(err, &pathErr) {
			got = pathErr.Err.Error()
		}
		if got != tt.want {
			t.Errorf("ReadFile(%q) is %q, %v, want %q", tt.name, data, err, tt.want)
		}
		if _, openErr := fs.Stat(tree, tt.name); (openErr == nil) != (err == nil) && tt.want != "is a directory" {
			t.Errorf("Stat(%q) is %v, ReadFile %v", tt.name, openErr, err)
		}
	}
}

func TestOpenedTreeGivesLinksAsTheyAre(t *testing.T) {
	tree := open(t, linked())
	for name, f := range linked() {
		info, err := fs.Lstat(tree, name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != f.Mode || info.Size() != int64(len(f.Data)) {
			t.Errorf("Lstat(%q) is %v of %d bytes", name, info.Mode(), info.Size())
		}
		target, err := fs.ReadLink(tree, name)
		if isLink := f.Mode.Type() == fs.ModeSymlink; isLink && target != string(f.Data) {
			t.Errorf("ReadLink(%q) is %q, %v, not %q", name, target, err, f.Data)
		} else if !isLink && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ReadLink(%q) of a file is %v, not fs.ErrInvalid", name, err)
		}
	}
	if info, err := fs.Lstat(tree, "dir/file"); err != nil || info.Name() != "file" {
		t.Errorf("Lstat does not follow a link above the last element: %v", err)
	}
	if info, err := fs.Stat(tree, "dir"); err != nil || info.Name() != "dir" || !info.IsDir() {
		t.Errorf("Stat of a link to a folder is %v, %v", info, err)
	}
	if entries, err := fs.ReadDir(tree, "slash"); err != nil || len(entries) != 3 {
		t.Errorf("ReadDir of a link to a folder is %v, %v", entries, err)
	}
	if _, err := fs.ReadDir(tree, "up"); err == nil {
		t.Error("ReadDir of a link to a file is no error")
	}
}

func TestOpenedTreeIsImmutable(t *testing.T) {
	tree := open(t, sample())
	before := listing(t, tree)
	data, _ := fs.ReadFile(tree, "app.yaml")
	clear(data)
	_ = append(data[:0], "overwritten"...)
	entries, _ := fs.ReadDir(tree, ".")
	clear(entries)
	dir, _ := tree.Open(".")
	entries, _ = dir.(fs.ReadDirFile).ReadDir(-1)
	clear(entries)
	for i, line := range listing(t, tree) {
		if line != before[i] {
			t.Errorf("%q became %q", before[i], line)
		}
	}
}

func TestOpenedTreeIsForManyGoroutines(t *testing.T) {
	tree := open(t, linked())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, d := pack(t, tree, artifact.PackOptions{}); d.Files != len(linked()) {
				t.Errorf("%d files", d.Files)
			}
		})
	}
	wg.Wait()
}

func TestOpenReadsArchivesOfOthers(t *testing.T) {
	data := tarOf(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "855f77"}},
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o777},
		tar.Header{Typeflag: tar.TypeDir, Name: "./z/", Mode: 0o700, Uname: "root"},
		tar.Header{Typeflag: tar.TypeReg, Name: "./z/run", Mode: 0o4750, Size: 1, Uid: 7},
		tar.Header{Typeflag: tar.TypeDir, Name: "./z/"},
		tar.Header{Typeflag: tar.TypeDir, Name: "./empty"},
		tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o400, Size: 1, Format: tar.FormatGNU},
	)
	data = append(data, make([]byte, 10240-len(data)%10240)...) // GNU tar's record
	want := fstest.MapFS{"a": file("x"), "z/run": script("x")}
	for mediaType, packed := range map[string][]byte{
		artifact.MediaTypeTar:     data,
		artifact.MediaTypeTarGzip: append(gzipOf(t, data[:700]), gzipOf(t, data[700:])...),
		artifact.MediaTypeTarZstd: append(zstdOf(t, data[:700]), zstdOf(t, data[700:])...),
	} {
		tree, err := artifact.Open(t.Context(), bytes.NewReader(packed), describe(mediaType, packed), artifact.UnpackOptions{})
		if err != nil {
			t.Fatalf("%s: %v", mediaType, err)
		}
		equalTrees(t, tree, want)
	}
}

func TestOpenedFolderCannotBeRead(t *testing.T) {
	dir, err := open(t, sample()).Open("app")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := dir.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("error %v, want one that says it is a directory", err)
	}
	entries, err := fs.ReadDir(open(t, sample()), "app")
	if err != nil || fmt.Sprint(entries) != "[d base/ L nowhere d über/]" {
		t.Errorf("ReadDir gives %v, %v", entries, err)
	}
}

func TestErrorTextIsBoundedAndQuoted(t *testing.T) {
	data := tarOf(t, regular("../\n"+strings.Repeat("x", 100_000)))
	_, err := artifact.Open(t.Context(), bytes.NewReader(data), describe(artifact.MediaTypeTar, data), artifact.UnpackOptions{})
	if text := err.Error(); len(text) > 5000 || strings.Contains(text, "\n") {
		t.Errorf("error text of %d bytes: %.100s", len(text), text)
	}
}

func TestOpenedFileSeeksAndReadsAtOffsets(t *testing.T) {
	f, err := open(t, sample()).Open("app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 7)
	if _, err := f.(io.ReaderAt).ReadAt(buf, 6); err != nil || string(buf) != "Service" {
		t.Errorf("ReadAt gives %q, %v", buf, err)
	}
	if _, err := f.(io.Seeker).Seek(-8, io.SeekEnd); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(f, buf); err != nil || string(buf) != "Service" {
		t.Errorf("after Seek, Read gives %q, %v", buf, err)
	}
}
