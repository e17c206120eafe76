package artifact_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

func TestReadBoundsBombs(t *testing.T) {
	const mib = 1 << 20
	small := artifact.UnpackOptions{Limits: artifact.Limits{MaxBytes: mib, MaxFiles: 100}}
	huge := tarOf(t, regular("a"))
	copy(huge[124:136], "77777777777\x00") // 8 GiB
	copy(huge[148:156], fmt.Sprintf("%06o\x00 ", checksum(huge[:512])))
	var many, deep []tar.Header
	for i := range 101 {
		many = append(many, regular(fmt.Sprint("f", i)))
		deep = append(deep, symlink(strings.Repeat(fmt.Sprint("d", i, "/"), 100)+"l", "x"))
	}
	padded := append(tarOf(t, regular("a")), make([]byte, 64*mib)...)
	wide := tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Size: 32 * mib})
	tests := []struct {
		name    string
		content []byte
		opts    artifact.UnpackOptions
		option  string
	}{
		{"a file of 32 MiB", wide, small, "Limits.MaxBytes"},
		{"padding of 32 MiB", padded, small, "Limits.MaxBytes"},
		{"a file that says 8 GiB", huge, artifact.UnpackOptions{}, "Limits.MaxFileBytes"},
		{"a file that says 8 GiB, which is allowed", huge, artifact.UnpackOptions{Limits: artifact.Limits{MaxFileBytes: math.MaxInt64}}, "Limits.MaxBytes"},
		{"101 files", tarOf(t, many...), small, "Limits.MaxFiles"},
		{"folders of 100 folders", tarOf(t, deep...), small, "Limits.MaxFiles"},
	}
	for _, tt := range tests {
		for mediaType, data := range map[string][]byte{
			artifact.MediaTypeTar: tt.content, artifact.MediaTypeTarGzip: gzipOf(t, tt.content), artifact.MediaTypeTarZstd: zstdOf(t, tt.content),
		} {
			t.Run(tt.name+" "+mediaType, func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := artifact.Open(t.Context(), bytes.NewReader(data), describe(mediaType, data), tt.opts)
				runtime.ReadMemStats(&after)
				var limit *artifact.LimitError
				if !errors.Is(err, artifact.ErrTooLarge) || !errors.As(err, &limit) || limit.Option != tt.option {
					t.Errorf("error %v, want the limit %s", err, tt.option)
				}
				if got := after.TotalAlloc - before.TotalAlloc; got > 24*mib {
					t.Errorf("%d bytes were allocated", got)
				}
				root := openRoot(t, t.TempDir())
				if err := artifact.Unpack(t.Context(), bytes.NewReader(data), describe(mediaType, data), root, tt.opts); !errors.Is(err, artifact.ErrTooLarge) {
					t.Errorf("Unpack's error is %v", err)
				}
				isEmpty(t, root)
			})
		}
	}
}

func TestReadPassesOnTheReadersError(t *testing.T) {
	errNet := errors.New("connection reset")
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		for _, n := range []int{0, 5, 100, len(data) - 1, len(data)} {
			r := func() io.Reader { return io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(errNet)) }
			if _, err := artifact.Open(t.Context(), r(), d, artifact.UnpackOptions{}); !errors.Is(err, errNet) || errors.Is(err, artifact.ErrFormat) {
				t.Errorf("%v: Open's error after %d bytes is %v", c, n, err)
			}
			root := openRoot(t, t.TempDir())
			if err := artifact.Unpack(t.Context(), r(), d, root, artifact.UnpackOptions{}); !errors.Is(err, errNet) {
				t.Errorf("%v: Unpack's error after %d bytes is %v", c, n, err)
			}
			isEmpty(t, root)
		}
	}
}

func TestReadStopsWithItsContext(t *testing.T) {
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		for _, n := range []int{0, 1000, len(data)} {
			ctx, cancel := context.WithCancel(t.Context())
			r := func() io.Reader {
				return io.MultiReader(bytes.NewReader(data[:n]), readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
			}
			if _, err := artifact.Open(ctx, r(), d, artifact.UnpackOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%v: Open's error after %d bytes is %v", c, n, err)
			}
			root := openRoot(t, t.TempDir())
			if err := artifact.Unpack(ctx, r(), d, root, artifact.UnpackOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%v: Unpack's error after %d bytes is %v", c, n, err)
			}
			isEmpty(t, root)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReadReadsFromAnyReader(t *testing.T) {
	tree := fstest.MapFS{"a/b": file(noise(5000)), "c": link("a/b")}
	for _, c := range compressions {
		data, d := pack(t, tree, artifact.PackOptions{Compression: c})
		for _, r := range []io.Reader{
			iotest.OneByteReader(bytes.NewReader(data)), iotest.DataErrReader(bytes.NewReader(data)),
			iotest.HalfReader(bytes.NewReader(data)), bytes.NewBuffer(data),
		} {
			if _, err := artifact.Open(t.Context(), r, d, artifact.UnpackOptions{}); err != nil {
				t.Errorf("%v, %T: %v", c, r, err)
			}
		}
	}
}

func TestNoGoroutineOutlivesItsCall(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, c := range compressions {
		data, d := pack(t, sample(), artifact.PackOptions{Compression: c})
		for _, n := range []int{10, len(data) / 2, len(data)} {
			_, _ = artifact.Open(t.Context(), bytes.NewReader(data[:n]), d, artifact.UnpackOptions{})
		}
		_, _ = artifact.Pack(t.Context(), &failingWriter{100, os.ErrClosed}, sample(), artifact.PackOptions{Compression: c})
		_, _ = artifact.PackTo(t.Context(), putterFunc(func(io.Reader, artifact.Descriptor) error { return os.ErrClosed }), sample(), artifact.PackOptions{Compression: c})
	}
	// A goroutine that said it is done may be counted for a moment.
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, were %d", runtime.NumGoroutine(), before)
}

func TestLimitWithinAHeaderIsToldAsALimit(t *testing.T) {
	for _, compression := range []artifact.Compression{artifact.None, artifact.Gzip, artifact.Zstd} {
		data, want := pack(t, fstest.MapFS{"a": file("a"), "b": file(strings.Repeat("b", 2000))}, artifact.PackOptions{Compression: compression})
		want.ContentSize = 0 // or it would be refused by what it says
		for limit := int64(1); limit < 4000; limit += 73 {
			_, err := artifact.Open(t.Context(), bytes.NewReader(data), want, artifact.UnpackOptions{Limits: artifact.Limits{MaxBytes: limit}})
			if !errors.Is(err, artifact.ErrTooLarge) {
				t.Errorf("%s, limit %d: error %v, want ErrTooLarge", compression, limit, err)
			}
		}
	}
}
