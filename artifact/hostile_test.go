package artifact_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"github.com/gitopskit/gitopskit/artifact"
)

// reject opens and unpacks data, and wants the same error of both, and nothing
// left behind.
func reject(t *testing.T, data []byte, want artifact.Descriptor, opts artifact.UnpackOptions, cause error, at string) {
	t.Helper()
	rejectReader(t, func() io.Reader { return bytes.NewReader(data) }, want, opts, cause, at)
}

func rejectReader(t *testing.T, r func() io.Reader, want artifact.Descriptor, opts artifact.UnpackOptions, cause error, at string) {
	t.Helper()
	tree, err := artifact.Open(t.Context(), r(), want, opts)
	if tree != nil {
		t.Error("Open returned a tree")
	}
	wantError(t, err, cause, at)
	root := openRoot(t, t.TempDir())
	wantError(t, artifact.Unpack(t.Context(), r(), want, root, opts), cause, at)
	isEmpty(t, root)
}

func TestReadRefusesEntries(t *testing.T) {
	deep := strings.Repeat("d/", 128) + "f"
	typed := func(flag byte, name string) tar.Header {
		return tar.Header{Typeflag: flag, Name: name, Linkname: "ok"}
	}
	tests := []struct {
		name  string
		last  []tar.Header // after an entry that is fine
		cause error
	}{
		{"an absolute path", []tar.Header{regular("/etc/passwd")}, artifact.ErrUnsafe},
		{"a path that climbs", []tar.Header{regular("../x")}, artifact.ErrUnsafe},
		{"a path that climbs later", []tar.Header{regular("a/../../x")}, artifact.ErrUnsafe},
		{"a path that is not clean", []tar.Header{regular("a//b")}, artifact.ErrUnsafe},
		{"a path with a dot", []tar.Header{regular("a/./b")}, artifact.ErrUnsafe},
		{"a path of two dots", []tar.Header{regular("..")}, artifact.ErrUnsafe},
		{"the root as a file", []tar.Header{regular(".")}, artifact.ErrUnsafe},
		{"a path that is not UTF-8", []tar.Header{regular("a\xff")}, artifact.ErrUnsafe},
		{"an absolute folder", []tar.Header{typed(tar.TypeDir, "/etc/")}, artifact.ErrUnsafe},
		{"a folder that climbs", []tar.Header{typed(tar.TypeDir, "../")}, artifact.ErrUnsafe},
		{"a hard link to nothing", []tar.Header{{Typeflag: tar.TypeLink, Name: "h", Linkname: "none"}}, artifact.ErrUnsafe},
		{"a hard link to itself", []tar.Header{{Typeflag: tar.TypeLink, Name: "h", Linkname: "h"}}, artifact.ErrUnsafe},
		{"a hard link out of the tree", []tar.Header{{Typeflag: tar.TypeLink, Name: "h", Linkname: "../ok"}}, artifact.ErrUnsafe},
		{"a hard link to /etc/passwd", []tar.Header{{Typeflag: tar.TypeLink, Name: "h", Linkname: "/etc/passwd"}}, artifact.ErrUnsafe},
		{"a hard link to a folder", []tar.Header{regular("d/x"), {Typeflag: tar.TypeLink, Name: "h", Linkname: "d"}}, artifact.ErrUnsafe},
		{"a hard link to a link", []tar.Header{symlink("l", "x"), {Typeflag: tar.TypeLink, Name: "h", Linkname: "l"}}, artifact.ErrUnsafe},
		{"a hard link through a link", []tar.Header{symlink("l", "."), {Typeflag: tar.TypeLink, Name: "h", Linkname: "l/ok"}}, artifact.ErrUnsafe},
		{"a hard link over a file", []tar.Header{{Typeflag: tar.TypeLink, Name: "ok", Linkname: "ok"}}, artifact.ErrUnsafe},
		{"a hard link that climbs", []tar.Header{typed(tar.TypeLink, "../h")}, artifact.ErrUnsafe},
		{"a device", []tar.Header{typed(tar.TypeChar, "d")}, artifact.ErrUnsafe},
		{"a block device", []tar.Header{typed(tar.TypeBlock, "d")}, artifact.ErrUnsafe},
		{"a pipe", []tar.Header{typed(tar.TypeFifo, "p")}, artifact.ErrUnsafe},
		{"an unknown type", []tar.Header{typed('Z', "z")}, artifact.ErrUnsafe},
		{"a file twice", []tar.Header{regular("ok")}, artifact.ErrUnsafe},
		{"a file twice by two names", []tar.Header{regular("./ok")}, artifact.ErrUnsafe},
		{"a file as a folder", []tar.Header{regular("ok/x")}, artifact.ErrUnsafe},
		{"a file as an empty folder", []tar.Header{typed(tar.TypeDir, "ok/")}, artifact.ErrUnsafe},
		{"a folder as a file", []tar.Header{regular("a/b/c"), regular("a/b")}, artifact.ErrUnsafe},
		{"a link as a folder", []tar.Header{symlink("l", "."), regular("l/x")}, artifact.ErrUnsafe},
		{"a link as a file", []tar.Header{symlink("l", "x"), regular("l")}, artifact.ErrUnsafe},
		{"a file as a link", []tar.Header{symlink("ok", "x")}, artifact.ErrUnsafe},
		{"a path that is too deep", []tar.Header{regular(deep)}, artifact.ErrTooLarge},
		{"a path that is too long", []tar.Header{regular(strings.Repeat("x", 5000))}, artifact.ErrTooLarge},
		{"a target that is too long", []tar.Header{symlink("l", strings.Repeat("x", 5000))}, artifact.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := tarOf(t, append([]tar.Header{regular("ok")}, tt.last...)...)
			at := tt.last[len(tt.last)-1].Name
			reject(t, data, describe(artifact.MediaTypeTar, data), artifact.UnpackOptions{}, tt.cause, at)
		})
	}
}

// TestLinksStayInside asks the same of all three: what Pack accepts, Open and
// Unpack must, and nothing else.
func TestLinksStayInside(t *testing.T) {
	tests := []struct {
		name, target string
		inside       bool
	}{
		{"l", "file", true},
		{"l", "not/there", true},
		{"l", ".", true},
		{"l", "./././file", true},
		{"a/l", "..", true},
		{"a/l", "../", true},
		{"a/b/l", "../../file", true},
		{"l", "dir/../file", true},
		{"l", "dir/../dir/../file", true},
		{"l", "none/../file", true},
		{"l", "tolink/file", true},
		{"l", "l/..", false},
		{"l", "..", false},
		{"l", "../", false},
		{"a/l", "../..", false},
		{"a/l", "../../x/file", false},
		{"l", "dir/../../x", false},
		{"l", "/", false},
		{"l", "/etc/passwd", false},
		{"l", "//host/share", false},
		{"l", "tolink/..", false},
		{"l", "tolink/../../file", false},
		{"l", "dir/deeplink/../../../etc", false},
		{"l", "dir/deeplink/x/../y", false},
		{"l", "a\xffb", false},
	}
	for _, tt := range tests {
		t.Run(tt.name+" to "+tt.target, func(t *testing.T) {
			tree := fstest.MapFS{
				"file": file("x"), "dir/file": file("x"), "zfile": file("x"),
				"tolink": link("dir"), "dir/deeplink": link("../dir"),
				tt.name: link(tt.target),
			}
			_, err := artifact.Pack(t.Context(), io.Discard, tree, artifact.PackOptions{})
			data := tarOf(t, regular("file"), symlink(tt.name, tt.target), regular("dir/file"),
				symlink("tolink", "dir"), symlink("dir/deeplink", "../dir"))
			d := describe(artifact.MediaTypeTar, data)
			if !tt.inside {
				wantError(t, err, artifact.ErrUnsafe, tt.name)
				reject(t, data, d, artifact.UnpackOptions{}, artifact.ErrUnsafe, tt.name)
				return
			}
			if err != nil {
				t.Error(err)
			}
			if _, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{}); err != nil {
				t.Error(err)
			}
			root := openRoot(t, t.TempDir())
			if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, root, artifact.UnpackOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadRefusesEmptyTargets(t *testing.T) {
	data := tarOf(t, symlink("l", "x"))
	clear(data[157:257]) // linkname
	copy(data[148:156], fmt.Sprintf("%06o\x00 ", checksum(data[:512])))
	reject(t, data, describe(artifact.MediaTypeTar, data), artifact.UnpackOptions{}, artifact.ErrUnsafe, "l")
}

// checksum is that of a tar header, whose own field counts as spaces.
func checksum(header []byte) (sum int) {
	for i, b := range header {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += int(b)
	}
	return sum
}

func TestReadRefusesSparseFiles(t *testing.T) {
	// One in GNU's PAX format, which the tar writer would not write, and one in
	// its old format.
	pax := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "s", Size: 512, PAXRecords: map[string]string{"VENDOR.parse.abc": "1"}})
	pax = bytes.Replace(pax, []byte("VENDOR.parse.abc=1"), []byte("GNU.sparse.major=1"), 1)
	reject(t, pax, describe(artifact.MediaTypeTar, pax), artifact.UnpackOptions{}, artifact.ErrUnsafe, "s")
	old := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "s", Size: 512, Format: tar.FormatGNU})
	old[156] = tar.TypeGNUSparse
	copy(old[386:], "00000000000\x0000000001000\x00") // one block at 0, 512 bytes
	copy(old[483:], "00000001000\x00")                // real size 512
	copy(old[148:156], fmt.Sprintf("%06o\x00 ", checksum(old[:512])))
	reject(t, old, describe(artifact.MediaTypeTar, old), artifact.UnpackOptions{}, artifact.ErrUnsafe, "s")
}

func TestReadRefusesEveryCorruptedByte(t *testing.T) {
	for _, c := range compressions {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			data, d := pack(t, fstest.MapFS{"a/b": file("content\n")}, artifact.PackOptions{Compression: c})
			root := openRoot(t, t.TempDir())
			checkOpen := func(what string, data []byte) {
				t.Helper()
				if _, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{}); !errors.Is(err, artifact.ErrDigest) {
					t.Errorf("%s: Open's error is %v", what, err)
				}
			}
			checkUnpack := func(what string, data []byte) {
				t.Helper()
				if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, root, artifact.UnpackOptions{}); !errors.Is(err, artifact.ErrDigest) {
					t.Errorf("%s: Unpack's error is %v", what, err)
				}
			}
			for i := range data {
				checkOpen(fmt.Sprint("another low bit at ", i), flipped(data, i, 0x01))
				checkUnpack(fmt.Sprint("another high bit at ", i), flipped(data, i, 0x80))
				checkOpen(fmt.Sprint("cut to ", i), data[:i])
			}
			checkUnpack("cut by one", data[:len(data)-1])
			checkUnpack("a byte more", append(bytes.Clone(data), 0))
			checkUnpack("twice", append(bytes.Clone(data), data...))
			isEmpty(t, root)
		})
	}
}

func flipped(data []byte, i int, bits byte) []byte {
	bad := bytes.Clone(data)
	bad[i] ^= bits
	return bad
}

func TestReadRefusesAnotherDescriptor(t *testing.T) {
	other := pack1(t, "other")
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		tests := map[string]struct {
			change func(*artifact.Descriptor)
			cause  error
		}{
			"digest":                {func(d *artifact.Descriptor) { d.Digest = other.Digest }, artifact.ErrDigest},
			"size, less":            {func(d *artifact.Descriptor) { d.Size-- }, artifact.ErrDigest},
			"size, more":            {func(d *artifact.Descriptor) { d.Size++ }, artifact.ErrDigest},
			"content digest":        {func(d *artifact.Descriptor) { d.ContentDigest = other.ContentDigest }, artifact.ErrDigest},
			"content size":          {func(d *artifact.Descriptor) { d.ContentSize++ }, artifact.ErrDigest},
			"files":                 {func(d *artifact.Descriptor) { d.Files++ }, artifact.ErrDigest},
			"no digest":             {func(d *artifact.Descriptor) { d.Digest = "" }, artifact.ErrFormat},
			"another algorithm":     {func(d *artifact.Descriptor) { d.Digest = "sha1:9f86d0" }, artifact.ErrFormat},
			"odd content digest":    {func(d *artifact.Descriptor) { d.ContentDigest = "sha256:AB" }, artifact.ErrFormat},
			"no size":               {func(d *artifact.Descriptor) { d.Size = 0 }, artifact.ErrFormat},
			"negative content size": {func(d *artifact.Descriptor) { d.ContentSize = -1 }, artifact.ErrFormat},
			"no media type":         {func(d *artifact.Descriptor) { d.MediaType = "" }, artifact.ErrFormat},
			"another media type":    {func(d *artifact.Descriptor) { d.MediaType = next(d.MediaType) }, artifact.ErrFormat},
			"huge size":             {func(d *artifact.Descriptor) { d.Size = math.MaxInt64 }, artifact.ErrTooLarge},
			"huge content size":     {func(d *artifact.Descriptor) { d.ContentSize = 1 << 40 }, artifact.ErrTooLarge},
			"too many files":        {func(d *artifact.Descriptor) { d.Files = 1 << 30 }, artifact.ErrTooLarge},
		}
		for name, tt := range tests {
			t.Run(c.String()+" "+name, func(t *testing.T) {
				want := d
				tt.change(&want)
				reject(t, data, want, artifact.UnpackOptions{}, tt.cause, "")
			})
		}
	}
}

// pack1 returns the Descriptor of a tree of one file.
func pack1(t testing.TB, content string) artifact.Descriptor {
	_, d := pack(t, fstest.MapFS{"file": file(content)}, artifact.PackOptions{})
	return d
}

// next returns the media type after another.
func next(mediaType string) string {
	return map[string]string{
		artifact.MediaTypeTar:     artifact.MediaTypeTarGzip,
		artifact.MediaTypeTarGzip: artifact.MediaTypeTarZstd,
		artifact.MediaTypeTarZstd: artifact.MediaTypeTar,
	}[mediaType]
}

func TestReadRefusesBytesOfTheRightDigestThatAreNoArtifact(t *testing.T) {
	content := tarOf(t, regular("a"))
	garbage := []byte(noise(3000))
	tests := []struct {
		name, mediaType string
		data            []byte
	}{
		{"noise", artifact.MediaTypeTar, garbage},
		{"noise", artifact.MediaTypeTarGzip, garbage},
		{"noise", artifact.MediaTypeTarZstd, garbage},
		{"compressed noise", artifact.MediaTypeTarGzip, gzipOf(t, garbage)},
		{"compressed noise", artifact.MediaTypeTarZstd, zstdOf(t, garbage)},
		{"a cut archive", artifact.MediaTypeTar, content[:700]},
		{"a cut archive", artifact.MediaTypeTar, content[:1024]},
		{"a cut archive", artifact.MediaTypeTar, content[:1536]},
		{"a cut archive", artifact.MediaTypeTarGzip, gzipOf(t, content[:100])},
		{"a cut file", artifact.MediaTypeTarGzip, gzipOf(t, content[:512])},
		{"a cut stream", artifact.MediaTypeTarGzip, gzipOf(t, content)[:60]},
		{"a cut stream", artifact.MediaTypeTarZstd, zstdOf(t, content)[:40]},
		{"noise after the archive", artifact.MediaTypeTar, append(bytes.Clone(content), garbage...)},
		{"noise after the archive", artifact.MediaTypeTarGzip, gzipOf(t, append(bytes.Clone(content), garbage...))},
		{"a second archive", artifact.MediaTypeTar, append(bytes.Clone(content), content...)},
		{"noise after the stream", artifact.MediaTypeTarGzip, append(gzipOf(t, content), garbage...)},
		{"noise after the stream", artifact.MediaTypeTarZstd, append(zstdOf(t, content), garbage...)},
		{"a zstd window over 8 MiB", artifact.MediaTypeTarZstd, zstdOf(t, append(bytes.Clone(content), make([]byte, 20<<20)...), zstd.WithWindowSize(16<<20))},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.mediaType, func(t *testing.T) {
			reject(t, tt.data, describe(tt.mediaType, tt.data), artifact.UnpackOptions{}, artifact.ErrFormat, atOfCut(tt.name))
		})
	}
}

// atOfCut is the file that a cut archive ends within.
func atOfCut(name string) string {
	if name == "a cut file" {
		return "a"
	}
	return ""
}
