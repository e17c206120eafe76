package artifact_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// fileEntry, execEntry and linkEntry are what Contents must say of such an entry.
func fileEntry(path, content string) artifact.Entry {
	return artifact.Entry{Path: path, Leaf: artifact.Leaf{
		Kind: artifact.RegularFile, Size: int64(len(content)), Digest: digest.FromString(content),
	}}
}

func execEntry(path, content string) artifact.Entry {
	e := fileEntry(path, content)
	e.Kind = artifact.ExecutableFile
	return e
}

func linkEntry(path, target string) artifact.Entry {
	return artifact.Entry{Path: path, Leaf: artifact.Leaf{
		Kind: artifact.SymbolicLink, Size: int64(len(target)), Target: target,
	}}
}

// contentsOracle says what the Contents of a tree in memory are, by its map alone.
func contentsOracle(tree fstest.MapFS) artifact.Contents {
	want := artifact.Contents{}
	for name, f := range tree {
		switch {
		case f.Mode.IsDir():
		case f.Mode.Type() == fs.ModeSymlink:
			want = append(want, linkEntry(name, string(f.Data)))
		case f.Mode&0o111 != 0:
			want = append(want, execEntry(name, string(f.Data)))
		default:
			want = append(want, fileEntry(name, string(f.Data)))
		}
	}
	slices.SortFunc(want, func(a, b artifact.Entry) int { return strings.Compare(a.Path, b.Path) })
	return want
}

func contentsOf(t testing.TB, tree fs.FS) artifact.Contents {
	t.Helper()
	got, err := artifact.ContentsOf(t.Context(), tree, artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func readContents(t testing.TB, data []byte, want artifact.Descriptor) artifact.Contents {
	t.Helper()
	got, err := artifact.ReadContents(t.Context(), bytes.NewReader(data), want, artifact.UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func equalContents(t testing.TB, what string, got, want artifact.Contents) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: contents are\n%v\nnot\n%v", what, got, want)
	}
}

func TestContentsAreThoseOfTheTree(t *testing.T) {
	want := contentsOracle(sample())
	equalContents(t, "tree", contentsOf(t, sample()), want)
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		equalContents(t, c.String(), readContents(t, data, d), want)
	}
}

func TestContentsOfAnEmptyTreeAreEmptyAndNotNil(t *testing.T) {
	for _, tree := range []fstest.MapFS{{}, {"empty/folder": {Mode: fs.ModeDir | 0o755}}} {
		data, d := pack(t, tree, artifact.PackOptions{})
		for _, c := range []artifact.Contents{contentsOf(t, tree), readContents(t, data, d)} {
			if text, err := json.Marshal(c); err != nil || string(text) != "[]" || c.String() != "" {
				t.Errorf("contents of nothing are %s, %q, %v", text, c, err)
			}
		}
	}
}

func TestReadContentsSortsWhatOthersPacked(t *testing.T) {
	data := tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./"},
		tar.Header{Typeflag: tar.TypeDir, Name: "./b/"},
		tar.Header{Typeflag: tar.TypeReg, Name: "./b/run", Size: 1, Mode: 0o700, Uname: "somebody", ModTime: time.Now()},
		symlink("./b.link", "b/run"),
		regular("a"),
		tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "8a1f"}},
		tar.Header{Typeflag: tar.TypeReg, Name: "Z", Mode: 0o644},
	)
	got := readContents(t, data, describe(artifact.MediaTypeTar, data))
	equalContents(t, "archive", got, artifact.Contents{
		fileEntry("Z", ""), fileEntry("a", "x"), linkEntry("b.link", "b/run"), execEntry("b/run", "x"),
	})
}

func TestReadContentsListsHardLinksAsFiles(t *testing.T) {
	hard := func(name, to string) tar.Header { return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to} }
	data := tarOf(t,
		tar.Header{Typeflag: tar.TypeReg, Name: "z/run", Size: 1, Mode: 0o755}, hard("b", "z/run"), regular("c"),
		hard("a", "b"), hard("d", "c"),
	)
	got := readContents(t, data, describe(artifact.MediaTypeTar, data))
	equalContents(t, "archive", got, artifact.Contents{
		execEntry("a", "x"), execEntry("b", "x"), fileEntry("c", "x"), fileEntry("d", "x"), execEntry("z/run", "x"),
	})
}

func TestReadContentsBelievesNothingUnverified(t *testing.T) {
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		flipped := bytes.Clone(data)
		flipped[len(data)/2] ^= 1
		other, long, fewer := d, d, d
		other.ContentDigest = digest.FromString("another tree")
		long.ContentSize++
		fewer.Files--
		tests := []struct {
			name  string
			data  []byte
			want  artifact.Descriptor
			cause error
		}{
			{"nothing", nil, d, artifact.ErrDigest},
			{"the first half", data[:len(data)/2], d, artifact.ErrDigest},
			{"one byte less", data[:len(data)-1], d, artifact.ErrDigest},
			{"one byte more", append(bytes.Clone(data), 0), d, artifact.ErrDigest},
			{"one bit flipped", flipped, d, artifact.ErrDigest},
			{"another content digest", data, other, artifact.ErrDigest},
			{"another content size", data, long, artifact.ErrDigest},
			{"another number of files", data, fewer, artifact.ErrDigest},
			{"no descriptor", data, artifact.Descriptor{}, artifact.ErrFormat},
		}
		for _, tt := range tests {
			got, err := artifact.ReadContents(t.Context(), bytes.NewReader(tt.data), tt.want, artifact.UnpackOptions{})
			if got != nil {
				t.Errorf("%v, %s: contents were given out", c, tt.name)
			}
			wantError(t, err, tt.cause, "")
		}
	}
}

func TestReadContentsRefusesWhatOpenRefuses(t *testing.T) {
	small := artifact.UnpackOptions{Limits: artifact.Limits{MaxFiles: 2, MaxFileBytes: 10}}
	tests := []struct {
		at      string
		headers []tar.Header
		cause   error
	}{
		{"../a", []tar.Header{regular("../a")}, artifact.ErrUnsafe},
		{"/a", []tar.Header{regular("/a")}, artifact.ErrUnsafe},
		{"l", []tar.Header{symlink("l", "../x")}, artifact.ErrUnsafe},
		{"l/a", []tar.Header{symlink("l", "."), regular("l/a")}, artifact.ErrUnsafe},
		{"a", []tar.Header{regular("a"), regular("a")}, artifact.ErrUnsafe},
		{"p", []tar.Header{{Typeflag: tar.TypeFifo, Name: "p"}}, artifact.ErrUnsafe},
		{"c", []tar.Header{regular("a"), regular("b"), regular("c")}, artifact.ErrTooLarge},
		{"a", []tar.Header{{Typeflag: tar.TypeReg, Name: "a", Size: 11}}, artifact.ErrTooLarge},
	}
	for _, tt := range tests {
		data := tarOf(t, tt.headers...)
		d := describe(artifact.MediaTypeTar, data)
		_, err := artifact.ReadContents(t.Context(), bytes.NewReader(data), d, small)
		wantError(t, err, tt.cause, tt.at)
		if _, openErr := artifact.Open(t.Context(), bytes.NewReader(data), d, small); !errors.Is(openErr, tt.cause) {
			t.Errorf("%s: Open says %v", tt.at, openErr)
		}
	}
}

func TestContentsOfRefusesWhatPackRefuses(t *testing.T) {
	small := artifact.PackOptions{Limits: artifact.Limits{MaxFiles: 2, MaxFileBytes: 10, MaxDepth: 2}}
	tests := []struct {
		at    string
		tree  fs.FS
		cause error
	}{
		{"l", fstest.MapFS{"l": link("../x")}, artifact.ErrUnsafe},
		{"b/p", fstest.MapFS{"a": file("a"), "b/p": {Mode: fs.ModeNamedPipe}}, artifact.ErrUnsafe},
		{"c", fstest.MapFS{"a": file(""), "b": file(""), "c": file("")}, artifact.ErrTooLarge},
		{"a", fstest.MapFS{"a": file("12345678901")}, artifact.ErrTooLarge},
		{"a/b/c", fstest.MapFS{"a/b/c": file("")}, artifact.ErrTooLarge},
		{"l", struct{ fs.FS }{fstest.MapFS{"l": link("x")}}, errors.ErrUnsupported},
	}
	for _, tt := range tests {
		_, packErr := artifact.Pack(t.Context(), io.Discard, tt.tree, small)
		wantError(t, packErr, tt.cause, tt.at)
		got, err := artifact.ContentsOf(t.Context(), tt.tree, small)
		wantError(t, err, tt.cause, tt.at)
		if got != nil {
			t.Errorf("%s: contents were given out", tt.at)
		}
		if at := new(artifact.Error); errors.As(err, &at) && at.Op != "read" {
			t.Errorf("%s: the error's Op is %q", tt.at, at.Op)
		}
	}
}

func TestContentsOfEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tree := openHook{sample(), func(name string) {
		if name == "data/noise" {
			cancel()
		}
	}}
	before := runtime.NumGoroutine()
	if _, err := artifact.ContentsOf(ctx, tree, artifact.PackOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	// The goroutine that packed has told its end, and may be counted for a moment.
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, were %d", runtime.NumGoroutine(), before)
}

// An openHook calls opened before a file is opened.
type openHook struct {
	fs.ReadLinkFS
	opened func(name string)
}

func (h openHook) Open(name string) (fs.File, error) {
	h.opened(name)
	return h.ReadLinkFS.Open(name)
}

func TestReadContentsPassesOnTheReadersError(t *testing.T) {
	errCut := errors.New("connection reset")
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		for _, n := range []int{0, 100, len(data) - 1, len(data)} {
			r := io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(errCut))
			if _, err := artifact.ReadContents(t.Context(), r, d, artifact.UnpackOptions{}); !errors.Is(err, errCut) {
				t.Errorf("%v: error after %d bytes is %v", c, n, err)
			}
		}
	}
}

// A tree of 48 MiB is listed, from the tree and from its artifact, with memory for
// blocks of it only.
func TestContentsTakeNoMemoryForContent(t *testing.T) {
	const size, room = 48 << 20, 24 << 20
	tree := fstest.MapFS{"a": file(noise(1 << 10)), "zeros": {Mode: 0o644, Data: make([]byte, size)}}
	data, d := pack(t, tree, artifact.PackOptions{Compression: artifact.None})
	allocated := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := allocated(func() { contentsOf(t, tree) }); n > room {
		t.Errorf("ContentsOf allocated %d bytes", n)
	}
	if n := allocated(func() { readContents(t, data, d) }); n > room {
		t.Errorf("ReadContents allocated %d bytes", n)
	}
}

// textContents has an entry of each kind, and paths that need quotes.
var textContents = artifact.Contents{
	fileEntry("a b.yaml", "x"), execEntry("bin/run", "#!/bin/sh\n"), linkEntry("current", "app v1"),
	fileEntry("line\nfeed", ""), fileEntry("über.yaml", "kind: List\n"),
}

func TestContentsReadAsText(t *testing.T) {
	const want = `"a b.yaml": file, 1 byte, sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881
bin/run: executable, 10 bytes, sha256:a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf
current: symlink to "app v1"
"line\nfeed": file, 0 bytes, sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
über.yaml: file, 11 bytes, sha256:bac33b4c6ac6e0a5745fec05e34589c0311e6b8da3abd1ab4b4f70205a8f1720`
	if got := textContents.String(); got != want {
		t.Errorf("text is\n%s\nnot\n%s", got, want)
	}
}

func TestContentsGoThroughJSON(t *testing.T) {
	text, err := json.Marshal(textContents[1:3])
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"path":"bin/run","kind":"executable","size":10,"digest":` +
		`"sha256:a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf"},` +
		`{"path":"current","kind":"symlink","size":6,"target":"app v1"}]`
	if string(text) != want {
		t.Errorf("JSON is\n%s\nnot\n%s", text, want)
	}
	all, err := json.Marshal(textContents)
	if err != nil {
		t.Fatal(err)
	}
	var back artifact.Contents
	if err := json.Unmarshal(all, &back); err != nil {
		t.Fatal(err)
	}
	equalContents(t, "after JSON", back, textContents)
}
