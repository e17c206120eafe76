package artifact_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/gitopskit/gitopskit/artifact"
)

func TestOpenKeepsContentInASpool(t *testing.T) {
	tree := sample()
	delete(tree, "app/nowhere") // which cannot be opened
	data, d := pack(t, tree, artifact.PackOptions{})
	root := openRoot(t, t.TempDir())
	opened, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{Spool: root})
	if err != nil {
		t.Fatal(err)
	}
	equalTrees(t, opened, tree)
	if err := fstest.TestFS(opened, "current", "bin/run", "data/noise", "app/base/empty"); err != nil {
		t.Error(err)
	}
	if _, again := pack(t, opened, artifact.PackOptions{}); again != d {
		t.Errorf("packed again it is %+v, not %+v", again, d)
	}
	f, err := opened.Open("data/noise")
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
	isEmpty(t, root)
	if _, err := fs.ReadFile(opened, "data/noise"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close, ReadFile's error is %v", err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close, Read's error is %v", err)
	}
	if err := opened.(io.Closer).Close(); err != nil {
		t.Errorf("Close once more: %v", err)
	}
}

func TestOpenLeavesNothingInASpoolIfItFails(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	errNet := errors.New("connection reset")
	for what, r := range map[string]io.Reader{
		"cut":     bytes.NewReader(data[:len(data)/2]),
		"damaged": bytes.NewReader(flipped(data, len(data)-20, 1)),
		"failing": io.MultiReader(bytes.NewReader(data[:1000]), iotest.ErrReader(errNet)),
	} {
		root := openRoot(t, t.TempDir())
		tree, err := artifact.Open(t.Context(), r, d, artifact.UnpackOptions{Spool: root})
		if tree != nil || !errors.Is(err, artifact.ErrDigest) && !errors.Is(err, errNet) {
			t.Errorf("%s: %v, %v", what, tree, err)
		}
		isEmpty(t, root)
	}
	root := openRoot(t, t.TempDir())
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := artifact.Open(t.Context(), bytes.NewReader(data), d, artifact.UnpackOptions{Spool: root})
	wantError(t, err, os.ErrClosed, "")
}
