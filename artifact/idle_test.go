package artifact_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/gitopskit/gitopskit/artifact"
)

// stalled gives nothing, and no error, once its reader is at its end. It gives up in
// the end, so that a test of it does.
type stalled struct {
	io.Reader
	idle int
}

var errStalled = errors.New("read ten thousand times for nothing")

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		if err = nil; s.idle > 10_000 {
			err = errStalled
		}
		s.idle++
	}
	return n, err
}

func TestReadDoesNotWaitForEverForNothing(t *testing.T) {
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		for _, n := range []int{0, 5, len(data) / 2, len(data)} {
			_, err := artifact.Open(t.Context(), &stalled{Reader: bytes.NewReader(data[:n])}, d, artifact.UnpackOptions{})
			if !errors.Is(err, io.ErrNoProgress) || errors.Is(err, artifact.ErrFormat) {
				t.Errorf("%v, after %d bytes: error is %v", c, n, err)
			}
		}
	}
}

func TestPackDoesNotWaitForEverForNothing(t *testing.T) {
	for _, size := range []int{0, 1, 100_000, 1 << 20} {
		tree := fstest.MapFS{"a/f": file(noise(size))}
		stalling := patched{tree, "a/f", func() (fs.File, error) {
			f, err := tree.Open("a/f")
			return slowFile{f, &stalled{Reader: f}}, err
		}}
		_, err := artifact.Pack(t.Context(), io.Discard, stalling, artifact.PackOptions{})
		wantError(t, err, io.ErrNoProgress, "a/f")
	}
}

// odd says that it has another size than it has.
type odd struct {
	slowFile
	size int64
}

type oddInfo struct {
	fs.FileInfo
	size int64
}

func (i oddInfo) Size() int64 { return i.size }

func (o odd) Stat() (fs.FileInfo, error) {
	info, err := o.slowFile.Stat()
	return oddInfo{info, o.size}, err
}

// oddly replaces a file of 1 MiB in a tree.
func oddly(size int64, wrap func(io.Reader) io.Reader) fs.FS {
	tree := fstest.MapFS{"a/f": file(noise(1 << 20))}
	return patched{tree, "a/f", func() (fs.File, error) {
		f, err := tree.Open("a/f")
		return odd{slowFile{f, wrap(f)}, size}, err
	}}
}

func TestPackTellsWhatIsWrongWithAFile(t *testing.T) {
	whole := func(r io.Reader) io.Reader { return r }
	broken := func(r io.Reader) io.Reader {
		return io.MultiReader(io.LimitReader(r, 1000), iotest.ErrReader(io.ErrUnexpectedEOF))
	}
	tests := map[string]struct {
		tree  fs.FS
		cause error
	}{
		"a negative size":                         {oddly(-1, whole), fs.ErrInvalid},
		"a very negative size":                    {oddly(-1<<62, whole), fs.ErrInvalid},
		"a connection that ends, of a large file": {oddly(1<<20, broken), io.ErrUnexpectedEOF},
		"a connection that ends, of a small file": {oddly(10_000, broken), io.ErrUnexpectedEOF},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := artifact.Pack(t.Context(), io.Discard, tt.tree, artifact.PackOptions{})
			wantError(t, err, tt.cause, "a/f")
			if errors.Is(err, artifact.ErrChanged) {
				t.Errorf("error %v, which packing again would not mend", err)
			}
		})
	}
}
