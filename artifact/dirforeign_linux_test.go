package artifact_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
)

// foreign are what may stand where a file belongs. Nobody writes into the pipe:
// who opens it to read waits for ever.
var foreign = map[string]func(at string) error{
	"a pipe":              func(at string) error { return syscall.Mkfifo(at, 0o600) },
	"a folder":            func(at string) error { return os.Mkdir(at, 0o700) },
	"a folder with files": func(at string) error { return os.MkdirAll(filepath.Join(at, "a", "b"), 0o700) },
	"a link to itself":    func(at string) error { return os.Symlink(filepath.Base(at), at) },
	"a link to nowhere":   func(at string) error { return os.Symlink("nowhere", at) },
	"a link out":          func(at string) error { return os.Symlink("/dev/null", at) },
	"a socket": func(at string) error {
		return syscall.Mknod(at, syscall.S_IFSOCK|0o600, 0)
	},
}

// replaceBy puts something in a file's place.
func replaceBy(t *testing.T, at string, put func(at string) error) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(at), put(at)); err != nil {
		t.Fatal(err)
	}
}

// inTime fails the test if f waits for what never comes.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for ever")
	}
}

// TestDirStoreTakesWhatIsNoFileForDamage wants it noticed, mended by another Put,
// and collected.
func TestDirStoreTakesWhatIsNoFileForDamage(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	for _, name := range []string{"blob", "descriptor.json", ""} {
		for what, put := range foreign {
			if name == "" && strings.HasPrefix(what, "a folder") {
				continue // which is damaged by what it has not
			}
			t.Run(name+" is "+what, func(t *testing.T) {
				dir := t.TempDir()
				store := dirStore(t, dir)
				at := filepath.Join(dir, "sha256", d.Digest.Encoded())
				if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
					t.Fatal(err)
				}
				replaceBy(t, filepath.Join(at, name), put)
				inTime(t, func() { wantDamaged(t, store, d, name != "descriptor.json") })

				if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
					t.Fatalf("put again: %v", err)
				}
				if _, err := fetch(t, store, d); err != nil {
					t.Errorf("put again: %v", err)
				}
				if got := list(t, store); !slices.Equal(got, []artifact.Descriptor{d}) {
					t.Errorf("put again, List gives %+v", got)
				}

				replaceBy(t, filepath.Join(at, name), put)
				other := putNumbered(t, store, 1)
				if c, err := store.GC(t.Context(), artifact.Keep{Newest: 1, Younger: -1}); err != nil || len(c.Digests) != 1 {
					t.Errorf("collected %+v, %v", c, err)
				}
				if got := list(t, store); len(got) != 1 || got[0].Digest != other {
					t.Errorf("after GC, List gives %+v", got)
				}
				if left, err := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 || err != nil {
					t.Errorf("%v is under tmp, %v", left, err)
				}
			})
		}
	}
}

func wantDamaged(t *testing.T, store *artifact.DirStore, d artifact.Descriptor, unread bool) {
	t.Helper()
	for got, err := range store.List(t.Context()) {
		if !errors.Is(err, artifact.ErrDigest) || got != (artifact.Descriptor{Digest: d.Digest}) {
			t.Errorf("List gives %+v, %v", got, err)
		}
	}
	_, err := store.Stat(t.Context(), d.Digest)
	wantError(t, err, artifact.ErrDigest, string(d.Digest))
	wantError(t, store.Tag(t.Context(), "app", d.Digest, ""), artifact.ErrDigest, "app")
	r, err := store.Open(t.Context(), d.Digest)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	if unread {
		wantError(t, err, artifact.ErrDigest, string(d.Digest))
	}
}

// TestPutWritesThroughNoLink has an artifact's folder be a link to another's.
func TestPutWritesThroughNoLink(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	data, d := pack(t, sample(), artifact.PackOptions{})
	other := putNumbered(t, store, 1)
	if err := os.Symlink(other.Encoded(), filepath.Join(dir, "sha256", d.Digest.Encoded())); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
		t.Error(err)
	}
	for _, got := range list(t, store) {
		if _, err := fetch(t, store, got); err != nil || got.Digest != other && got != d {
			t.Errorf("%+v: %v", got, err)
		}
	}
}

func TestTagTakesWhatIsNoFileForDamage(t *testing.T) {
	for what, put := range foreign {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			store := dirStore(t, dir)
			a := putNumbered(t, store, 0)
			at := filepath.Join(dir, "tags", "app.json")
			for _, mend := range []func() error{
				func() error { return store.Tag(t.Context(), "app", a, "") },
				func() error { return store.Untag(t.Context(), "app") },
			} {
				replaceBy(t, at, put)
				inTime(t, func() {
					_, err := store.Resolve(t.Context(), "app")
					wantError(t, err, artifact.ErrFormat, "app")
					_, err = store.GC(t.Context(), artifact.Keep{Younger: -1})
					wantError(t, err, artifact.ErrFormat, "app")
				})
				wantLines(t, tagLines(store.Tags(t.Context()), a), "app is damaged: true, missing: false")
				if err := mend(); err != nil {
					t.Error(err)
				}
				for tag, err := range store.Tags(t.Context()) {
					if err != nil || tag.Digest != a {
						t.Errorf("mended, it is %+v, %v", tag, err)
					}
				}
				if left, err := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 || err != nil {
					t.Errorf("%v is under tmp, %v", left, err)
				}
			}
		})
	}
}

// TestDirOpensAStoreWithWhatIsNoFileInTemp wants what nobody knows to stay until
// it is old, and what a kill may have left to go.
func TestDirOpensAStoreWithWhatIsNoFileInTemp(t *testing.T) {
	for what, put := range foreign {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			tmp := filepath.Join(dir, "tmp")
			if err := os.MkdirAll(filepath.Join(tmp, "put-A"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"put-A/blob", "put-B", "gone-C", "tag-D", "other"} {
				if err := put(filepath.Join(tmp, name)); err != nil {
					t.Fatal(err)
				}
			}
			inTime(t, func() {
				store := dirStore(t, dir)
				putNumbered(t, store, 0)
				if _, err := store.GC(t.Context(), artifact.Keep{}); err != nil {
					t.Error(err)
				}
			})
			for _, name := range []string{"gone-C", "tag-D"} {
				if _, err := os.Lstat(filepath.Join(tmp, name)); err == nil {
					t.Errorf("%s is left", name)
				}
			}
			time.Sleep(20 * time.Millisecond)
			short, err := artifact.Dir(dir, artifact.DirOptions{TempAge: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer short.Close()
			if left, err := os.ReadDir(tmp); len(left) > 0 || err != nil {
				t.Errorf("%v is under tmp, %v", left, err)
			}
		})
	}
}
