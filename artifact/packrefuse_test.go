package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// bare hides all of an fs.FS but Open.
type bare struct{ fs.FS }

// patched replaces what Open returns for one name.
type patched struct {
	fs.ReadLinkFS
	name string
	open func() (fs.File, error)
}

func (p patched) Open(name string) (fs.File, error) {
	if name == p.name {
		return p.open()
	}
	return p.ReadLinkFS.Open(name)
}

// resized opens the file with more or fewer bytes than Stat says.
func resized(by int) fs.FS {
	tree := fstest.MapFS{"a": file("1"), "dir/changing": file(noise(100_000))}
	return patched{tree, "dir/changing", func() (fs.File, error) {
		f, err := tree.Open("dir/changing")
		return slowFile{f, strings.NewReader(noise(100_000 + by))}, err
	}}
}

func TestPackRefuses(t *testing.T) {
	errBroken := errors.New("broken disk")
	deep := strings.Repeat("d/", 200) + "f"
	tests := []struct {
		name  string
		tree  fs.FS
		opts  artifact.PackOptions
		cause error
		at    string
	}{
		{"a pipe", fstest.MapFS{"x/p": {Mode: fs.ModeNamedPipe}}, artifact.PackOptions{}, artifact.ErrUnsafe, "x/p"},
		{"a device", fstest.MapFS{"d": {Mode: fs.ModeDevice | fs.ModeCharDevice}}, artifact.PackOptions{}, artifact.ErrUnsafe, "d"},
		{"a socket", fstest.MapFS{"s": {Mode: fs.ModeSocket}}, artifact.PackOptions{}, artifact.ErrUnsafe, "s"},
		{"an irregular file", fstest.MapFS{"i": {Mode: fs.ModeIrregular}}, artifact.PackOptions{}, artifact.ErrUnsafe, "i"},
		{"a name with NUL", fstest.MapFS{"a\x00b": file("")}, artifact.PackOptions{}, artifact.ErrUnsafe, "a\x00b"},
		{"a link without ReadLink", bare{fstest.MapFS{"a/l": link("b")}}, artifact.PackOptions{}, errors.ErrUnsupported, "a/l"},
		{"a file that grows", resized(1), artifact.PackOptions{}, artifact.ErrChanged, "dir/changing"},
		{"a file that shrinks", resized(-1), artifact.PackOptions{}, artifact.ErrChanged, "dir/changing"},
		{"a file that vanishes", resized(-100_000), artifact.PackOptions{}, artifact.ErrChanged, "dir/changing"},
		{"a file that becomes a folder", patched{sample(), "app.yaml", func() (fs.File, error) { return sample().Open("app") }},
			artifact.PackOptions{}, artifact.ErrChanged, "app.yaml"},
		{"a file that cannot be opened", patched{sample(), "app.yaml", func() (fs.File, error) { return nil, errBroken }},
			artifact.PackOptions{}, errBroken, "app.yaml"},
		{"a file that cannot be read", patched{sample(), "app.yaml", func() (fs.File, error) {
			f, err := sample().Open("app.yaml")
			return slowFile{f, iotest.ErrReader(errBroken)}, err
		}}, artifact.PackOptions{}, errBroken, "app.yaml"},
		{"a folder that cannot be listed", patched{sample(), "bin", func() (fs.File, error) { return nil, errBroken }},
			artifact.PackOptions{}, errBroken, "bin"},
		{"a missing root", os.DirFS("/nonexistent/folder"), artifact.PackOptions{}, fs.ErrNotExist, "."},
		{"too many files", sample(), limits(artifact.Limits{MaxFiles: 13}), artifact.ErrTooLarge, "data/x/y/z/deep.yaml"},
		{"too many folders", fstest.MapFS{"a/b/c/d": {Mode: fs.ModeDir}}, limits(artifact.Limits{MaxFiles: 3}), artifact.ErrTooLarge, "a/b/c/d"},
		{"too many bytes", sample(), limits(artifact.Limits{MaxBytes: 100_000}), artifact.ErrTooLarge, "data/noise"},
		{"too large a file", sample(), limits(artifact.Limits{MaxFileBytes: 199_999}), artifact.ErrTooLarge, "data/noise"},
		{"too long a path", sample(), limits(artifact.Limits{MaxPathBytes: 100}), artifact.ErrTooLarge, "data/" + longName},
		{"too long a target", fstest.MapFS{"l": link("123456")}, limits(artifact.Limits{MaxPathBytes: 5}), artifact.ErrTooLarge, "l"},
		{"too deep a path", fstest.MapFS{deep: file("")}, artifact.PackOptions{}, artifact.ErrTooLarge, strings.Repeat("d/", 128) + "d"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := artifact.Pack(t.Context(), io.Discard, tt.tree, tt.opts)
			wantError(t, err, tt.cause, tt.at)
		})
	}
}

func limits(l artifact.Limits) artifact.PackOptions { return artifact.PackOptions{Limits: l} }

func TestPackNamesTheLimitAndItsOption(t *testing.T) {
	_, err := artifact.Pack(t.Context(), io.Discard, sample(), limits(artifact.Limits{MaxFileBytes: 7}))
	var limit *artifact.LimitError
	if !errors.As(err, &limit) || limit.Option != "Limits.MaxFileBytes" || limit.Max != 7 {
		t.Errorf("error %v, want a LimitError of Limits.MaxFileBytes", err)
	}
	if want := `pack "README.md": too large: over 7, the limit that Limits.MaxFileBytes sets`; err.Error() != want {
		t.Errorf("error text is %s, not %s", err, want)
	}
}

func TestPackAcceptsATreeAtTheLimits(t *testing.T) {
	tree := fstest.MapFS{"a/b": file("12345"), "a/c": link("./././b"), "d/e": file("")}
	exact := artifact.Limits{MaxFiles: 3, MaxBytes: 4*512 + 1024, MaxFileBytes: 5, MaxPathBytes: 7, MaxDepth: 2}
	for _, c := range compressions {
		data, d := pack(t, tree, artifact.PackOptions{Compression: c, Limits: exact})
		got, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{Limits: exact})
		if err != nil {
			t.Fatal(err)
		}
		equalTrees(t, got, tree)
	}
}

// listed is a folder of the entries given, whatever their names.
type listed struct{ entries []fs.DirEntry }

func (l listed) Open(name string) (fs.File, error)          { return file0{}, nil }
func (l listed) ReadDir(name string) ([]fs.DirEntry, error) { return slices.Clone(l.entries), nil }

type file0 struct{}

func (file0) Stat() (fs.FileInfo, error) { return named("f"), nil }
func (file0) Read([]byte) (int, error)   { return 0, io.EOF }
func (file0) Close() error               { return nil }

// named is an empty file, or a folder if its name ends in a slash.
type named string

func (n named) Name() string               { return strings.TrimSuffix(string(n), "/") }
func (n named) IsDir() bool                { return strings.HasSuffix(string(n), "/") }
func (n named) Type() fs.FileMode          { return n.Mode().Type() }
func (n named) Info() (fs.FileInfo, error) { return n, nil }
func (n named) Size() int64                { return 0 }
func (n named) ModTime() time.Time         { return time.Now() }
func (n named) Sys() any                   { return nil }
func (n named) Mode() fs.FileMode {
	if n.IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

func TestPackDoesNotTrustAListing(t *testing.T) {
	tests := []struct {
		entries []fs.DirEntry
		cause   error
		at      string
	}{
		{[]fs.DirEntry{named("a"), named("a")}, artifact.ErrUnsafe, "a"},
		{[]fs.DirEntry{named("../a")}, artifact.ErrUnsafe, "."},
		{[]fs.DirEntry{named("..")}, artifact.ErrUnsafe, "."},
		{[]fs.DirEntry{named(".")}, artifact.ErrUnsafe, "."},
		{[]fs.DirEntry{named("a/b")}, artifact.ErrUnsafe, "."},
		{[]fs.DirEntry{named("")}, artifact.ErrUnsafe, "."},
		{[]fs.DirEntry{named("a\xff")}, artifact.ErrUnsafe, "."},
		{[]fs.DirEntry{named("deeper/")}, artifact.ErrTooLarge, strings.Repeat("deeper/", 128) + "deeper"},
	}
	for _, tt := range tests {
		_, err := artifact.Pack(t.Context(), io.Discard, listed{tt.entries}, artifact.PackOptions{})
		wantError(t, err, tt.cause, tt.at)
	}
}

type failingWriter struct {
	after int
	err   error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestPackTellsTheWritersErrorFromTheTrees(t *testing.T) {
	errFull := errors.New("disk full")
	for _, c := range compressions {
		for _, after := range []int{0, 70_000} {
			_, err := artifact.Pack(t.Context(), &failingWriter{after, errFull}, sample(), artifact.PackOptions{Compression: c})
			wantError(t, err, errFull, "")
		}
	}
}

func TestPackStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tree := patched{sample(), "data/noise", func() (fs.File, error) {
		cancel()
		return sample().Open("data/noise")
	}}
	_, err := artifact.Pack(ctx, io.Discard, tree, artifact.PackOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if _, err := artifact.Pack(ctx, io.Discard, fstest.MapFS{}, artifact.PackOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled for an empty tree too", err)
	}
}

func TestPackRefusesAnUnknownCompression(t *testing.T) {
	_, err := artifact.Pack(t.Context(), io.Discard, sample(), artifact.PackOptions{Compression: 9})
	if err == nil || !strings.Contains(err.Error(), "Compression(9)") {
		t.Errorf("error %v, want one that names Compression(9)", err)
	}
}

func TestPackTakesNoMemoryForContent(t *testing.T) {
	const size = 40 << 20
	tree := patched{fstest.MapFS{"zeros": file("")}, "zeros", func() (fs.File, error) { return &zeros{left: size}, nil }}
	for _, c := range compressions {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := artifact.Pack(t.Context(), io.Discard, tree, artifact.PackOptions{Compression: c})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 20<<20 {
			t.Errorf("%v: %d bytes were allocated to pack a file of %d", c, got, size)
		}
	}
}

// zeros is a file of left zeros.
type zeros struct{ left int64 }

func (z *zeros) Name() string               { return "zeros" }
func (z *zeros) Size() int64                { return z.left }
func (z *zeros) Mode() fs.FileMode          { return 0o644 }
func (z *zeros) ModTime() time.Time         { return time.Time{} }
func (z *zeros) IsDir() bool                { return false }
func (z *zeros) Sys() any                   { return nil }
func (z *zeros) Stat() (fs.FileInfo, error) { return z, nil }
func (z *zeros) Close() error               { return nil }
func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.left)
	clear(p[:n])
	z.left -= n
	return int(n), nil
}
