package source_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

func TestDirConformance(t *testing.T) {
	sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
		path := t.TempDir()
		return sourcetest.Origin{
			New:   func() (source.Source, error) { return source.Dir(path, source.DirOptions{}), nil },
			Write: func(_ context.Context, files map[string][]byte) error { return write(path, files) },
		}
	})
}

// write puts files into a folder; a nil body removes one.
func write(folder string, files map[string][]byte) error {
	var errs []error
	for name, body := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if body == nil {
			errs = append(errs, os.Remove(path))
			continue
		}
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, body, 0o644))
	}
	return errors.Join(errs...)
}

func newFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	path := t.TempDir()
	if err := write(path, files); err != nil {
		t.Fatal(err)
	}
	return path
}

func fetchDir(t *testing.T, path string, opts source.DirOptions) *source.Snapshot {
	t.Helper()
	snapshot, err := source.Dir(path, opts).Fetch(t.Context(), source.Revision{})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func TestDirTellsWhatIsThere(t *testing.T) {
	path := newFolder(t, map[string][]byte{"a": []byte("a"), ".git/config": []byte("x"), "sub/.git": []byte("gitdir"), "sub/b": []byte("b")})
	must(t, os.Mkdir(filepath.Join(path, "empty"), 0o755))
	plain := fetchDir(t, path, source.DirOptions{})
	for _, gone := range []string{".git", "sub/.git", "empty"} {
		if _, err := fs.Stat(plain, gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v", gone, err)
		}
	}
	must(t, os.Chmod(filepath.Join(path, "a"), 0o755))
	executable := fetchDir(t, path, source.DirOptions{})
	if executable.Revision == plain.Revision {
		t.Error("the executable bit does not count")
	}
	if info, err := executable.Stat("a"); err != nil || info.Mode() != 0o755 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	must(t, os.Symlink("sub/b", filepath.Join(path, "link")))
	linked := fetchDir(t, path, source.DirOptions{})
	if body, err := linked.ReadFile("link"); err != nil || string(body) != "b" {
		t.Errorf("got %q, %v", body, err)
	}
	if target, err := linked.ReadLink("link"); err != nil || target != "sub/b" {
		t.Errorf("got %q, %v", target, err)
	}
}

func TestDirFollowsNoLinkOut(t *testing.T) {
	outside := newFolder(t, map[string][]byte{"secret": []byte("hunter2")})
	path := newFolder(t, map[string][]byte{"a": []byte("a")})
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "absolute")))
	must(t, os.Symlink("../"+filepath.Base(outside)+"/secret", filepath.Join(path, "up")))
	must(t, os.Symlink(outside, filepath.Join(path, "folder")))
	snapshot := fetchDir(t, path, source.DirOptions{})
	for _, name := range []string{"absolute", "up", "folder/secret"} {
		_, err := snapshot.ReadFile(name)
		if refused := new(source.LinkError); !errors.As(err, &refused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestDirErrors(t *testing.T) {
	files := map[string][]byte{"a": []byte("aaaa"), "b": []byte("bbbb"), "c/d/e": []byte("eeee")}
	full := newFolder(t, files)
	pipe := newFolder(t, files)
	makePipe(t, filepath.Join(pipe, "pipe"))
	tests := []struct {
		name, path string
		limits     source.Limits
		want       error
		text       string
	}{
		{"missing", filepath.Join(full, "none"), source.Limits{}, source.ErrNotFound, "none"},
		{"empty", t.TempDir(), source.Limits{}, source.ErrNotFound, "no files"},
		{"file", filepath.Join(full, "a"), source.Limits{}, nil, "not a directory"},
		{"pipe", pipe, source.Limits{}, nil, `"pipe" is neither`},
		{"files", full, source.Limits{MaxFiles: 2}, source.ErrTooLarge, "Limits.MaxFiles"},
		{"files and folders", full, source.Limits{MaxFiles: 4}, source.ErrTooLarge, "Limits.MaxFiles"},
		{"bytes", full, source.Limits{MaxBytes: 11}, source.ErrTooLarge, "Limits.MaxBytes"},
		{"file bytes", full, source.Limits{MaxFileBytes: 3}, source.ErrTooLarge, `"a": too large: over 3, the limit that Limits.MaxFileBytes sets`},
		{"depth", full, source.Limits{MaxDepth: 2}, source.ErrTooLarge, "Limits.MaxDepth"},
		{"path", full, source.Limits{MaxPathBytes: 4}, source.ErrTooLarge, "Limits.MaxPathBytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := source.Dir(tt.path, source.DirOptions{Limits: tt.limits}).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
		})
	}
	if _, err := source.Dir(full, source.DirOptions{Limits: source.Limits{MaxFiles: 5, MaxBytes: 12, MaxDepth: 3, MaxFileBytes: 4, MaxPathBytes: 5}}).
		Fetch(t.Context(), source.Revision{}); err != nil {
		t.Errorf("just within the limits: %v", err)
	}
}
