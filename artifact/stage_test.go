package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// manyFiles fills several batches and has files too large for one.
func manyFiles() fstest.MapFS {
	tree := fstest.MapFS{"empty": file(""), "current": link("d1/e2"), "d1/e2/back": link("../../d2")}
	for i := range 300 {
		f := file(strings.Repeat(fmt.Sprintln("content of", i), i%40))
		if i%7 == 0 {
			f.Mode = 0o755
		}
		tree[fmt.Sprintf("d%d/e%d/f%d", i%3, i%20, i)] = f
	}
	for i := range 5 {
		tree[fmt.Sprintf("large/%d", i)] = file(noise(60_000 + i*100_000))
	}
	return tree
}

func TestUnpackWritesManyFiles(t *testing.T) {
	for _, c := range compressions {
		tree, dir := manyFiles(), t.TempDir()
		data, d := pack(t, tree, artifact.PackOptions{Compression: c})
		if err := artifact.Unpack(t.Context(), bytes.NewReader(data), d, openRoot(t, dir), artifact.UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
		equalTrees(t, os.DirFS(dir), tree)
	}
}

// TestUnpackShowsNothingUnverified looks at the folder while the artifact is read,
// which is what a kill would leave.
func TestUnpackShowsNothingUnverified(t *testing.T) {
	dir := t.TempDir()
	data, d := pack(t, manyFiles(), artifact.PackOptions{Compression: artifact.None})
	looks, late := 0, len(data)-700_000
	slow := readerFunc(func(p []byte) (int, error) {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 1 || len(entries) == 1 && !strings.HasPrefix(entries[0].Name(), ".unpack-") {
			return 0, fmt.Errorf("there are %v, %w", entries, err)
		}
		if len(entries) == 0 && len(data) > late {
			n := copy(p, data)
			data = data[n:]
			return n, nil
		}
		if len(entries) == 0 {
			awaitEntry(t, dir)
			return 0, nil
		}
		if info, err := entries[0].Info(); err != nil || info.Mode().Perm() != 0o700 {
			return 0, fmt.Errorf("others may enter: %v, %w", info.Mode(), err)
		}
		looks++
		n := copy(p[:min(len(p), 20_000)], data)
		data = data[n:]
		if n == 0 {
			return 0, errors.New("the artifact ends with its last byte")
		}
		return n, nil
	})
	err := artifact.Unpack(t.Context(), slow, d, openRoot(t, dir), artifact.UnpackOptions{})
	if err == nil || !strings.Contains(err.Error(), "ends with its last byte") {
		t.Errorf("error %v", err)
	}
	if looks < 10 {
		t.Errorf("%d looks", looks)
	}
	isEmpty(t, openRoot(t, dir))
}

// awaitEntry waits until there is something in dir, which is so once enough was
// read to be written.
func awaitEntry(t *testing.T, dir string) {
	for range 1000 {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("nothing is written before the archive's end")
}

// TestUnpackThatFailsLeavesWhatWasThere lets it fail in each of its steps.
func TestUnpackThatFailsLeavesWhatWasThere(t *testing.T) {
	there := fstest.MapFS{"d1/mine": file("mine"), "d2/e2/mine": script("mine"), "link": link("d1"), "zz": file("mine")}
	over := strings.Repeat("x", 256)
	tests := map[string]struct {
		more  fstest.MapFS // beside manyFiles
		cause error
		at    string
		short int // bytes that are missing
	}{
		"the last byte is missing":          {nil, artifact.ErrDigest, "", 1},
		"a name that no disk has":           {fstest.MapFS{"d1/" + over: file("x")}, nil, "d1/" + over, 0},
		"a folder that no disk has":         {fstest.MapFS{over + "/x": file("x")}, nil, over + "/x", 0},
		"a large file that no disk has":     {fstest.MapFS{over: file(noise(200_000))}, nil, over, 0},
		"a link that no disk has":           {fstest.MapFS{over: link("x")}, nil, over, 0},
		"the last file is there":            {fstest.MapFS{"zz": file("x")}, fs.ErrExist, "zz", 0},
		"a file is there, in a folder":      {fstest.MapFS{"d2/e2/mine": file("x")}, fs.ErrExist, "d2/e2/mine", 0},
		"a folder where there is a file":    {fstest.MapFS{"zz/x": file("x")}, artifact.ErrUnsafe, "zz", 0},
		"a folder where there is a link":    {fstest.MapFS{"link/x": file("x")}, artifact.ErrUnsafe, "link", 0},
		"a link where there is a folder":    {fstest.MapFS{"d2/e2/mine": link("x")}, fs.ErrExist, "d2/e2/mine", 0},
		"a file where there is a link":      {fstest.MapFS{"link": file("x")}, fs.ErrExist, "link", 0},
		"a link where there is a like link": {fstest.MapFS{"link": link("d1")}, fs.ErrExist, "link", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tree, dir := manyFiles(), t.TempDir()
			for name, f := range tt.more {
				tree[name] = f
			}
			writeTree(t, dir, there, 0o644, 0o755)
			data, d := pack(t, tree, artifact.PackOptions{})
			err := artifact.Unpack(t.Context(), bytes.NewReader(data[:len(data)-tt.short]), d, openRoot(t, dir), artifact.UnpackOptions{AllowNonEmpty: true})
			if tt.cause == nil {
				var pathErr *fs.PathError
				if !errors.As(err, &pathErr) && !errors.As(err, new(*os.LinkError)) {
					t.Errorf("error %v", err)
				}
				tt.cause = err
			}
			wantError(t, err, tt.cause, tt.at)
			equalTrees(t, os.DirFS(dir), there)
		})
	}
}

func TestUnpackJoinsFoldersThatAreThere(t *testing.T) {
	there := fstest.MapFS{"d1/mine": file("mine"), "d2/e2/mine": script("mine"), "other/mine": file("mine")}
	tree, dir := manyFiles(), t.TempDir()
	writeTree(t, dir, there, 0o644, 0o755)
	if err := unpack(t, tree, openRoot(t, dir), artifact.UnpackOptions{AllowNonEmpty: true}); err != nil {
		t.Fatal(err)
	}
	for name, f := range there {
		tree[name] = f
	}
	equalTrees(t, os.DirFS(dir), tree)
}

// TestUnpackEndsWithItsContext ends it after more and more of the artifact.
func TestUnpackEndsWithItsContext(t *testing.T) {
	data, d := pack(t, manyFiles(), artifact.PackOptions{})
	for at := 0; at < len(data); at += len(data)/5 + 1 {
		ctx, cancel := context.WithCancel(t.Context())
		dir, left := t.TempDir(), bytes.NewReader(data)
		r := readerFunc(func(p []byte) (int, error) {
			if len(data)-left.Len() >= at {
				cancel()
			}
			return left.Read(p[:min(len(p), 10_000)])
		})
		if err := artifact.Unpack(ctx, r, d, openRoot(t, dir), artifact.UnpackOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("after %d bytes the error is %v", at, err)
		}
		isEmpty(t, openRoot(t, dir))
		cancel()
	}
}

// TestUnpackTakesNoLinkForAFolder plants a link while the artifact is read, where
// a folder will be wanted.
func TestUnpackTakesNoLinkForAFolder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	data, d := pack(t, manyFiles(), artifact.PackOptions{Compression: artifact.None})
	left := bytes.NewReader(data)
	planted := readerFunc(func(p []byte) (int, error) {
		_ = os.Symlink(outside, filepath.Join(dir, "d1"))
		return left.Read(p)
	})
	wantError(t, artifact.Unpack(t.Context(), planted, d, openRoot(t, dir), artifact.UnpackOptions{}), artifact.ErrUnsafe, "d1")
	equalTrees(t, os.DirFS(dir), fstest.MapFS{"d1": link(outside)})
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("%v was written outside", entries)
	}
}
