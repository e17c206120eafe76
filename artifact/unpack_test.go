package artifact_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

func unpack(t testing.TB, tree fs.FS, root *os.Root, opts artifact.UnpackOptions) error {
	t.Helper()
	data, d := pack(t, tree, artifact.PackOptions{})
	return artifact.Unpack(t.Context(), bytes.NewReader(data), d, root, opts)
}

func TestUnpackWritesWhatWasPacked(t *testing.T) {
	dir := t.TempDir()
	if err := unpack(t, sample(), openRoot(t, dir), artifact.UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	equalTrees(t, os.DirFS(dir), sample())
	if _, d := pack(t, os.DirFS(dir), artifact.PackOptions{}); d.Digest != golden[artifact.Gzip] {
		t.Error("packing what was unpacked gives another digest")
	}
}

func TestUnpackRefusesANonEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, fstest.MapFS{"mine": file("mine")}, 0o600, 0o700)
	root := openRoot(t, dir)
	wantError(t, unpack(t, sample(), root, artifact.UnpackOptions{}), fs.ErrExist, "")
	equalTrees(t, os.DirFS(dir), fstest.MapFS{"mine": file("mine")})
}

func TestUnpackBesideWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, fstest.MapFS{"app/mine": file("mine"), "link": link("app")}, 0o600, 0o700)
	if err := unpack(t, sample(), openRoot(t, dir), artifact.UnpackOptions{AllowNonEmpty: true}); err != nil {
		t.Fatal(err)
	}
	want := sample()
	want["app/mine"], want["link"] = file("mine"), link("app")
	equalTrees(t, os.DirFS(dir), want)
}

// TestUnpackNeverWritesThroughWhatIsThere plants things in the way, and wants all
// as it was.
func TestUnpackNeverWritesThroughWhatIsThere(t *testing.T) {
	outside := t.TempDir()
	tests := []struct {
		name  string
		there fstest.MapFS
		cause error
		at    string
	}{
		{"a file", fstest.MapFS{"app.yaml": file("mine")}, fs.ErrExist, "app.yaml"},
		{"a link to a file", fstest.MapFS{"app.yaml": link("mine"), "mine": file("mine")}, fs.ErrExist, "app.yaml"},
		{"a link to a file outside", fstest.MapFS{"app.yaml": link(outside + "/secret")}, fs.ErrExist, "app.yaml"},
		{"a dangling link", fstest.MapFS{"app.yaml": link("none")}, fs.ErrExist, "app.yaml"},
		{"a folder", fstest.MapFS{"app.yaml/mine": file("mine")}, fs.ErrExist, "app.yaml"},
		{"a link to a folder", fstest.MapFS{"app": link("mine"), "mine/file": file("mine")}, artifact.ErrUnsafe, "app"},
		{"a link to a folder outside", fstest.MapFS{"app": link(outside)}, artifact.ErrUnsafe, "app"},
		{"a link to a folder, deeper", fstest.MapFS{"data/x/y": link("../mine"), "data/mine/file": file("mine")}, artifact.ErrUnsafe, "data/x/y"},
		{"a file for a folder", fstest.MapFS{"data": file("mine")}, artifact.ErrUnsafe, "data"},
		{"a file for a link", fstest.MapFS{"current": file("mine")}, fs.ErrExist, "current"},
		{"a link for a link", fstest.MapFS{"current": link("app")}, fs.ErrExist, "current"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, tt.there, 0o600, 0o700)
			err := unpack(t, sample(), openRoot(t, dir), artifact.UnpackOptions{AllowNonEmpty: true})
			wantError(t, err, tt.cause, tt.at)
			equalTrees(t, os.DirFS(dir), tt.there)
		})
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("%s was written outside", entries[0].Name())
	}
}

func TestUnpackMakesFoldersAndFilesWithPlainModes(t *testing.T) {
	dir := t.TempDir()
	if err := unpack(t, sample(), openRoot(t, dir), artifact.UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, limit := range map[string]fs.FileMode{"bin": 0o755, "bin/run": 0o755, "app.yaml": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&^limit != 0 || mode&0o100 != limit&0o100 {
			t.Errorf("%s has mode %v, want %v less the umask", name, mode, limit)
		}
	}
}

func TestUnpackTellsWhatItCouldNotRemove(t *testing.T) {
	errNet := errors.New("connection reset")
	data, d := pack(t, manyFiles(), artifact.PackOptions{Compression: artifact.None})
	dir := t.TempDir()
	root := openRoot(t, dir)
	closer := readerFunc(func([]byte) (int, error) {
		awaitEntry(t, dir)
		return 0, errors.Join(errNet, root.Close())
	})
	err := artifact.Unpack(t.Context(), multi(data[:700_000], closer), d, root, artifact.UnpackOptions{})
	left, _ := os.ReadDir(dir)
	if len(left) != 1 || !left[0].IsDir() {
		t.Fatalf("%v was left, want one folder", left)
	}
	for _, want := range []string{"connection reset", fmt.Sprintf("unpack %q: remove again", left[0].Name())} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to tell %q", err, want)
		}
	}
}
