package artifact_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// panicking reads like its reader up to n bytes, and then panics.
type panicking struct {
	io.Reader
	n int
}

func (p *panicking) Read(b []byte) (int, error) {
	if p.n <= 0 {
		panic("broken reader")
	}
	n, err := p.Reader.Read(b[:min(len(b), p.n)])
	p.n -= n
	return n, err
}

type panickingWriter struct{}

func (panickingWriter) Write([]byte) (int, error) { panic("broken writer") }

// panics fails if f does not panic with what, or leaves goroutines behind.
func panics(t *testing.T, what string, f func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	func() {
		defer func() {
			t.Helper()
			if v := recover(); v != what {
				t.Errorf("recovered %v, want %q", v, what)
			}
		}()
		f()
	}()
	for range 100 { // one that said it is done may be counted for a moment
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, were %d", runtime.NumGoroutine(), before)
}

// A panic in a goroutine that its caller knows nothing of would end the process.
func TestReadersPanicWhereTheirCallerCanRecover(t *testing.T) {
	tree := manyFiles()
	for _, c := range compressions {
		data, d := pack(t, tree, artifact.PackOptions{Compression: c})
		for _, n := range []int{0, len(data) / 2, len(data)} {
			r := func() io.Reader { return &panicking{bytes.NewReader(data), n} }
			root, spool := openRoot(t, t.TempDir()), openRoot(t, t.TempDir())
			panics(t, "broken reader", func() { _, _ = artifact.Open(t.Context(), r(), d, artifact.UnpackOptions{}) })
			panics(t, "broken reader", func() { _, _ = artifact.Open(t.Context(), r(), d, artifact.UnpackOptions{Spool: spool}) })
			panics(t, "broken reader", func() { _ = artifact.Unpack(t.Context(), r(), d, root, artifact.UnpackOptions{}) })
			panics(t, "broken reader", func() { _, _ = artifact.ReadContents(t.Context(), r(), d, artifact.UnpackOptions{}) })
			isEmpty(t, root)
			isEmpty(t, spool)
		}
	}
}

// panickingFile panics once what it is packed into has begun.
func panickingFile(name string) fs.FS {
	tree := manyBlocks()
	return patched{tree, name, func() (fs.File, error) {
		f, err := tree.Open(name)
		return slowFile{f, &panicking{f, 100}}, err
	}}
}

func TestPackersPanicWhereTheirCallerCanRecover(t *testing.T) {
	onlyPut := putterFunc(func(r io.Reader, _ artifact.Descriptor) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	for _, name := range []string{"apps/team-3/noise", "apps/team-0/app-0/deployment.yaml"} { // read at its place, and ahead
		for _, cores := range []int{1, 4} {
			t.Run(fmt.Sprint(name, " ", cores), func(t *testing.T) {
				broken, opts := panickingFile(name), artifact.PackOptions{Concurrency: cores}
				panics(t, "broken reader", func() { _, _ = artifact.Pack(t.Context(), io.Discard, broken, opts) })
				panics(t, "broken reader", func() { _, _ = artifact.ContentsOf(t.Context(), broken, opts) })
				panics(t, "broken reader", func() { _, _ = artifact.PackTo(t.Context(), onlyPut, broken, opts) })
				panics(t, "broken writer", func() { _, _ = artifact.Pack(t.Context(), panickingWriter{}, manyBlocks(), opts) })
			})
		}
	}
}

// The first time that the tree is packed, all is well.
func TestPackToPanicsWhereItsCallerCanRecover(t *testing.T) {
	tree, opened := manyBlocks(), 0
	broken := patched{tree, "apps/team-3/noise", func() (fs.File, error) {
		if opened++; opened > 2 { // once to learn that it is large, and once to pack it
			panic("broken tree")
		}
		return tree.Open("apps/team-3/noise")
	}}
	onlyPut := putterFunc(func(r io.Reader, _ artifact.Descriptor) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	panics(t, "broken tree", func() {
		_, _ = artifact.PackTo(t.Context(), onlyPut, broken, artifact.PackOptions{Concurrency: 1})
	})
}
