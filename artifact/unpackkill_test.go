package artifact_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// TestUnpackThatIsKilledLeavesOneFolder kills a child at moments that lie further
// and further apart, and wants nothing but the child's folder and entries that are
// whole.
func TestUnpackThatIsKilledLeavesOneFolder(t *testing.T) {
	if dir := os.Getenv("ARTIFACT_TEST_UNPACKED"); dir != "" {
		unpackAsChild(t, dir)
		return
	}
	want, killed := listing(t, manyFiles()), 0
	for i := range 12 {
		dir := t.TempDir()
		if killUnpack(t, dir, time.Duration(i*i/2)*time.Millisecond) {
			killed++
		}
		got, stages := listing(t, os.DirFS(dir)), 0
		for _, e := range readDir(t, dir) {
			if strings.HasPrefix(e.Name(), ".unpack-") {
				stages++
			} else if is := below(got, e.Name()); !slices.Equal(is, below(want, e.Name())) {
				t.Errorf("of %s there is %.2000q", e.Name(), is)
			}
		}
		if stages > 1 {
			t.Errorf("%d folders were left", stages)
		}
	}
	if killed == 0 {
		t.Error("no child was killed")
	}
}

// below returns the lines of a listing that are about an entry at the top.
func below(lines []string, top string) (below []string) {
	for _, line := range lines {
		if name, _, _ := strings.Cut(strings.Fields(line)[1], "/"); name == top {
			below = append(below, line)
		}
	}
	return below
}

func unpackAsChild(t *testing.T, dir string) {
	data, d := pack(t, manyFiles(), artifact.PackOptions{})
	root := openRoot(t, dir)
	if _, err := os.Stdout.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, root, artifact.UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
}

// killUnpack tells whether the child was killed before it was done.
func killUnpack(t *testing.T, dir string, after time.Duration) bool {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUnpackThatIsKilledLeavesOneFolder$")
	cmd.Env = append(os.Environ(), "ARTIFACT_TEST_UNPACKED="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	return cmd.Wait() != nil
}

func readDir(t *testing.T, dir string) []fs.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestUnpackCleansNothingOfOthers wants a folder of a killed call to be what its
// name says: something of the caller's.
func TestUnpackCleansNothingOfOthers(t *testing.T) {
	dir := t.TempDir()
	left := fstest.MapFS{".unpack-X/file": file("of one that was killed")}
	writeTree(t, dir, left, 0o644, 0o755)
	wantError(t, unpack(t, sample(), openRoot(t, dir), artifact.UnpackOptions{}), fs.ErrExist, "")
	if err := unpack(t, fstest.MapFS{"a": file("a")}, openRoot(t, dir), artifact.UnpackOptions{AllowNonEmpty: true}); err != nil {
		t.Fatal(err)
	}
	left["a"] = file("a")
	equalTrees(t, os.DirFS(dir), left)
	if _, err := os.Stat(filepath.Join(dir, ".unpack-X")); err != nil {
		t.Error(err)
	}
}
