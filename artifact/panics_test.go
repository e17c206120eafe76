package artifact_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
)

// TestPanicsOfATreeCanBeRecovered is for all that packs besides Pack itself: a
// panic in a goroutine of the package would end the process.
func TestPanicsOfATreeCanBeRecovered(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	reading := putterFunc(func(r io.Reader, _ artifact.Descriptor) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	for name, test := range map[string]struct {
		whole int // how often the tree can be packed before it breaks
		use   func(ctx context.Context, tree fs.FS) error
	}{
		"ContentsOf": {0, func(ctx context.Context, tree fs.FS) error {
			_, err := artifact.ContentsOf(ctx, tree, artifact.PackOptions{})
			return err
		}},
		"PackTo a Creator": {0, func(ctx context.Context, tree fs.FS) error {
			_, err := artifact.PackTo(ctx, store, tree, artifact.PackOptions{})
			return err
		}},
		"PackTo a Putter": {1, func(ctx context.Context, tree fs.FS) error {
			_, err := artifact.PackTo(ctx, reading, tree, artifact.PackOptions{})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v != "broken tree" {
					t.Errorf("recovered %v", v)
				}
			}()
			opened := 0
			err := test.use(t.Context(), patched{sample(), "app.yaml", func() (fs.File, error) {
				if opened++; opened > test.whole {
					panic("broken tree")
				}
				return sample().Open("app.yaml")
			}})
			t.Errorf("no panic, and the error is %v", err)
		})
	}
	if left, err := fs.Glob(os.DirFS(dir), "tmp/*"); len(left) > 0 || err != nil {
		t.Errorf("%v is left, %v", left, err)
	}
}
