package artifact_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"github.com/gitopskit/gitopskit/artifact"
)

// fuzzLimits keep one input quick.
var fuzzLimits = artifact.Limits{MaxFiles: 200, MaxBytes: 1 << 20, MaxFileBytes: 1 << 19, MaxPathBytes: 400, MaxDepth: 20}

// The ways in which an input becomes an artifact: as it is, or as an archive
// whose headers' checksums are put right and which is compressed, so that
// mutations get past those of tar, gzip and zstd.
const (
	rawTar = iota
	rawGzip
	rawZstd
	madeTar
	madeGzip
	madeZstd
	ways
)

func artifactOf(t testing.TB, way uint8, data []byte) ([]byte, artifact.Descriptor) {
	mediaType := []string{artifact.MediaTypeTar, artifact.MediaTypeTarGzip, artifact.MediaTypeTarZstd}[way%3]
	switch way % ways {
	case madeTar:
		data = repaired(data)
	case madeGzip:
		data = gzipOf(t, repaired(data))
	case madeZstd:
		data = zstdOf(t, repaired(data), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	}
	return data, describe(mediaType, data)
}

// repaired returns the archive with the checksum of each header put right, and
// with an end.
func repaired(data []byte) []byte {
	data = bytes.Clone(data)
	for at := 0; at+512 <= len(data); {
		header := data[at : at+512]
		if bytes.Count(header, []byte{0}) < 512 {
			copy(header[148:156], fmt.Sprintf("%06o\x00 ", checksum(header)))
		}
		size, _ := strconv.ParseInt(strings.Trim(string(header[124:136]), " \x00"), 8, 32)
		at += 512 + (int(max(size, 0))+511)/512*512
	}
	return append(data, make([]byte, 1024+(512-len(data)%512)%512)...)
}

// seeds are artifacts that get far, whichever way.
func seeds(f *testing.F) {
	small := sample()
	delete(small, "data/noise")
	for _, tree := range []fs.FS{fstest.MapFS{}, small, linkedTree()} {
		for way, c := range []artifact.Compression{artifact.None, artifact.Gzip, artifact.Zstd} {
			data, _ := pack(f, tree, artifact.PackOptions{Compression: c})
			f.Add(uint8(way), data)
		}
	}
	for _, data := range others(f) {
		for way := range uint8(ways) {
			f.Add(way, data)
		}
	}
	for _, headers := range [][]tar.Header{
		{regular("a"), regular("a/b")},
		{symlink("l", "."), regular("l/b")},
		{symlink("l", "d/../.."), symlink("d", "x/y")},
		{symlink("l", "d/../e"), symlink("d", "x"), regular("x/y"), regular("e")},
		{regular("../a")},
		{regular("./a"), {Typeflag: tar.TypeDir, Name: "./b/"}},
		{{Typeflag: tar.TypeLink, Name: "h", Linkname: "a"}},
		{regular(strings.Repeat("ü", 80)), symlink("l", strings.Repeat("ü", 80))},
		{{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"path": "evil"}}, regular("a")},
	} {
		for way := uint8(madeTar); way < ways; way++ {
			f.Add(way, tarOf(f, headers...))
		}
	}
}

// others returns archives that other programs write, if they are at hand, with
// all the headers that they put in.
func others(f *testing.F) (archives [][]byte) {
	dir := f.TempDir()
	writeTree(f, dir, fstest.MapFS{
		"a/b": file("content\n"), strings.Repeat("long/", 22) + "n": script("x"), "über": link(strings.Repeat("l", 110)), "z": file(""),
	}, 0o644, 0o755)
	if err := os.Link(filepath.Join(dir, "a/b"), filepath.Join(dir, "same")); err != nil {
		f.Fatal(err)
	}
	for _, way := range [][]string{
		{"tar", "--format=gnu"}, {"tar", "--format=posix"}, {"tar", "--format=v7", "--exclude=long"},
		{"bsdtar", "--format=pax"}, {"bsdtar", "--format=gnutar"},
	} {
		if _, err := exec.LookPath(way[0]); err == nil {
			archives = append(archives, output(f, dir, way[0], append(way[1:], "--exclude=über", "-b1", "-cf-", ".")...))
		}
	}
	for _, lies := range [][]raw{
		{paxHeader(paxRecord("path", "b"), paxRecord("size", "1")), {flag: '0', name: "a", content: "x"}},
		{{flag: 'L', name: "L", content: "long\x00", edit: gnuEdit}, {flag: '0', name: "a", content: "x", edit: gnuEdit}},
		{{flag: 'g', name: "g", content: paxRecord("comment", "c")}, {name: "d/"}, {name: "d/f", size: "\x80" + strings.Repeat("\x00", 10) + "\x01", content: "x"}},
	} {
		archives = append(archives, rawTarOf(lies...))
	}
	return archives
}

// FuzzTar wants that what opens is the same tree for archive/tar: no archive says
// two things to two readers.
func FuzzTar(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, way uint8, data []byte) {
		if way %= ways; way != rawTar && way != madeTar {
			return
		}
		data, d := artifactOf(t, way, data)
		tree, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{Limits: fuzzLimits})
		if err != nil {
			return
		}
		want, err := standardTree(data)
		if err != nil {
			return // it looks at fields that no artifact has a use for
		}
		if got := listing(t, tree); !slices.Equal(got, listing(t, want)) {
			t.Errorf("tree is\n%.2000q\nnot\n%.2000q", got, listing(t, want))
		}
	})
}

func linkedTree() fstest.MapFS {
	return fstest.MapFS{"a/b": file("x"), "c": link("a"), "d/e": link("../c/b"), "loop": link("loop"), "f": link("a/../a/b")}
}

// FuzzOpen wants of whatever opens that it is a sound file system inside limits,
// and that packing it gives a canonical artifact, of which packing is the
// identity.
func FuzzOpen(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, way uint8, data []byte) {
		opts := artifact.UnpackOptions{Limits: fuzzLimits}
		data, d := artifactOf(t, way, data)
		tree, err := artifact.Open(t.Context(), bytes.NewReader(data), d, opts)
		if err != nil {
			return
		}
		checkTree(t, tree)
		packed, first := pack(t, tree, artifact.PackOptions{Compression: artifact.None})
		again, err := artifact.Open(t.Context(), bytes.NewReader(packed), first, artifact.UnpackOptions{})
		if err != nil {
			t.Fatalf("what was opened does not open once packed: %v", err)
		}
		if _, second := pack(t, again, artifact.PackOptions{Compression: artifact.None}); second != first {
			t.Errorf("packing again gives %+v, not %+v", second, first)
		}
	})
}

// checkTree walks the tree and follows every link.
func checkTree(t *testing.T, tree fs.FS) {
	err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.Type() != fs.ModeSymlink {
			return err
		}
		if info, err := fs.Stat(tree, name); err == nil && info.Mode().Type() == fs.ModeSymlink {
			t.Errorf("Stat(%q) is of a link", name)
		}
		if data, err := fs.ReadFile(tree, name); err == nil && int64(len(data)) > fuzzLimits.MaxFileBytes {
			t.Errorf("%q is larger than its limit", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// FuzzUnpack wants that Unpack and Open agree, that a link followed by the
// operating system leads nowhere outside, and that a failure leaves nothing.
func FuzzUnpack(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, way uint8, data []byte) {
		opts := artifact.UnpackOptions{Limits: fuzzLimits}
		data, d := artifactOf(t, way, data)
		tree, openErr := artifact.Open(t.Context(), bytes.NewReader(data), d, opts)
		dir := t.TempDir()
		root := openRoot(t, dir)
		if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, root, opts); err != nil {
			isEmpty(t, root)
			// A disk refuses more, such as names over 255 bytes.
			return
		}
		if openErr != nil {
			t.Fatalf("Unpack succeeds where Open does not: %v", openErr)
		}
		equalTrees(t, root.FS(), tree)
		err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && e.Type() == fs.ModeSymlink {
				checkInside(t, root, dir+"/"+name, name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// checkInside compares where the operating system ends up with where os.Root,
// which refuses to leave, does.
func checkInside(t *testing.T, root *os.Root, path, name string) {
	_, err := os.Stat(path)
	if _, rootErr := root.Stat(name); err == nil && rootErr != nil {
		t.Errorf("%q leads outside: %v", name, rootErr)
	}
}
