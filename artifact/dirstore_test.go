package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

func dirStore(t testing.TB, dir string) *artifact.DirStore {
	t.Helper()
	s, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// list returns what is listed without an error.
func list(t testing.TB, s artifact.Lister) (all []artifact.Descriptor) {
	t.Helper()
	for d, err := range s.List(t.Context()) {
		if err != nil {
			t.Error(err)
		}
		all = append(all, d)
	}
	return all
}

// numbered is a tree that differs for each n.
func numbered(n int) fstest.MapFS {
	return fstest.MapFS{"n": file(strings.Repeat("n", n)), "noise": file(noise(100_000))}
}

// fetch reads the artifact from the store and opens it.
func fetch(t testing.TB, s artifact.Opener, d artifact.Descriptor) (fs.FS, error) {
	t.Helper()
	r, err := s.Open(t.Context(), d.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return artifact.Open(t.Context(), r, d, artifact.UnpackOptions{})
}

func TestDirStoreKeepsArtifacts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made/by/dir")
	store := dirStore(t, dir)
	var want []artifact.Descriptor
	for n, c := range compressions {
		d, err := artifact.PackTo(t.Context(), store, numbered(n), artifact.PackOptions{Compression: c})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, d)
	}
	data, d := pack(t, sample(), artifact.PackOptions{})
	if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
		t.Fatal(err)
	}
	want = append(want, d)
	slices.SortFunc(want, func(a, b artifact.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })

	for _, s := range []*artifact.DirStore{store, dirStore(t, dir)} {
		if got := list(t, s); !slices.Equal(got, want) {
			t.Errorf("List gives %+v, not %+v", got, want)
		}
		for _, d := range want {
			if got, err := s.Stat(t.Context(), d.Digest); err != nil || got != d {
				t.Errorf("Stat gives %+v, %v", got, err)
			}
			if _, err := fetch(t, s, d); err != nil {
				t.Error(err)
			}
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
		t.Errorf("%v was left under tmp", left)
	}
}

func TestDirStoreIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := dirStore(t, dir)
	if _, err := artifact.PackTo(t.Context(), store, sample(), artifact.PackOptions{}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDirStoreDeletes(t *testing.T) {
	store := dirStore(t, t.TempDir())
	d, err := artifact.PackTo(t.Context(), store, sample(), artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := artifact.PackTo(t.Context(), store, numbered(1), artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to delete
		if err := store.Delete(t.Context(), d.Digest); err != nil {
			t.Error(err)
		}
		_, err = store.Open(t.Context(), d.Digest)
		wantError(t, err, artifact.ErrNotFound, string(d.Digest))
		_, err = store.Stat(t.Context(), d.Digest)
		wantError(t, err, artifact.ErrNotFound, string(d.Digest))
		if got := list(t, store); !slices.Equal(got, []artifact.Descriptor{other}) {
			t.Errorf("List gives %+v", got)
		}
	}
}

func TestDirStoreReadsOnWhileTheArtifactIsDeleted(t *testing.T) {
	store := dirStore(t, t.TempDir())
	d, err := artifact.PackTo(t.Context(), store, sample(), artifact.PackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.Open(t.Context(), d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := store.Delete(t.Context(), d.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.Open(t.Context(), r, d, artifact.UnpackOptions{}); err != nil {
		t.Error(err)
	}
}

func TestDirStorePutRefuses(t *testing.T) {
	dir := t.TempDir()
	store, err := artifact.Dir(dir, artifact.DirOptions{MaxBytes: 300_000})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	data, d := pack(t, sample(), artifact.PackOptions{})
	with := func(change func(*artifact.Descriptor)) artifact.Descriptor {
		c := d
		change(&c)
		return c
	}
	errNet := errors.New("connection reset")
	tests := []struct {
		name  string
		r     io.Reader
		want  artifact.Descriptor
		cause error
	}{
		{"other bytes", bytes.NewReader(flipped(data, 1000, 1)), d, artifact.ErrDigest},
		{"fewer bytes", bytes.NewReader(data[1:]), d, artifact.ErrDigest},
		{"more bytes", multi(data, strings.NewReader("x")), d, artifact.ErrDigest},
		{"another size", bytes.NewReader(data), with(func(d *artifact.Descriptor) { d.Size++ }), artifact.ErrDigest},
		{"no digest", bytes.NewReader(data), with(func(d *artifact.Descriptor) { d.Digest = "" }), artifact.ErrFormat},
		{"a path for a digest", bytes.NewReader(data), with(func(d *artifact.Descriptor) { d.Digest = "sha256:../../x" }), artifact.ErrFormat},
		{"no media type", bytes.NewReader(data), with(func(d *artifact.Descriptor) { d.MediaType = "" }), artifact.ErrFormat},
		{"a size over the limit", bytes.NewReader(data), with(func(d *artifact.Descriptor) { d.Size = 300_001 }), artifact.ErrTooLarge},
		{"a reader that fails", multi(data[:1000], readerFunc(func([]byte) (int, error) { return 0, errNet })), d, errNet},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, store.Put(t.Context(), tt.r, tt.want), tt.cause, string(tt.want.Digest))
			if got := list(t, store); len(got) > 0 {
				t.Errorf("%+v is in the store", got)
			}
			if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
				t.Errorf("%v was left under tmp", left)
			}
		})
	}
}

func TestDirStoreCreateRefusesALie(t *testing.T) {
	store := dirStore(t, t.TempDir())
	_, d := pack(t, sample(), artifact.PackOptions{})
	_, err := store.Create(t.Context(), func(w io.Writer) (artifact.Descriptor, error) {
		_, err := io.WriteString(w, noise(int(d.Size)))
		return d, err
	})
	wantError(t, err, artifact.ErrDigest, string(d.Digest))
	tiny, err := artifact.Dir(t.TempDir(), artifact.DirOptions{MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer tiny.Close()
	if _, err := artifact.PackTo(t.Context(), tiny, sample(), artifact.PackOptions{}); !errors.Is(err, artifact.ErrTooLarge) || !strings.Contains(err.Error(), "DirOptions.MaxBytes") {
		t.Errorf("error %v, want the limit DirOptions.MaxBytes", err)
	}
}

func TestDirStoreRefusesOddDigests(t *testing.T) {
	store := dirStore(t, t.TempDir())
	for _, d := range []digest.Digest{"", "sha256:", "sha256:../tmp", "sha256:AB", "md5:d41d8cd98f00b204e9800998ecf8427e", digest.Digest("sha512:" + strings.Repeat("ab", 64))} {
		_, err := store.Open(t.Context(), d)
		wantError(t, err, artifact.ErrFormat, string(d))
		_, err = store.Stat(t.Context(), d)
		wantError(t, err, artifact.ErrFormat, string(d))
		wantError(t, store.Delete(t.Context(), d), artifact.ErrFormat, string(d))
	}
}

func TestDirStoreStopsWithItsContext(t *testing.T) {
	store := dirStore(t, t.TempDir())
	data, d := pack(t, sample(), artifact.PackOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	r := multi(data[:1000], readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
	wantError(t, store.Put(ctx, r, d), context.Canceled, string(d.Digest))
	_, err := store.Open(ctx, d.Digest)
	wantError(t, err, context.Canceled, string(d.Digest))
	_, err = store.Stat(ctx, d.Digest)
	wantError(t, err, context.Canceled, string(d.Digest))
	wantError(t, store.Delete(ctx, d.Digest), context.Canceled, string(d.Digest))
	if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
		t.Fatal(err)
	}
	for got, err := range store.List(ctx) {
		wantError(t, err, context.Canceled, "")
		if got != (artifact.Descriptor{}) {
			t.Errorf("List ends with %+v", got)
		}
	}
}

func TestDirWantsAFolder(t *testing.T) {
	at := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(at, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := artifact.Dir(at, artifact.DirOptions{})
	var e *artifact.Error
	if !errors.As(err, &e) || e.Path != at {
		t.Errorf("error %v, want one about %s", err, at)
	}
}
