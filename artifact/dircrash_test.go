package artifact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/flock"
)

func TestDirStoreNoticesAndMendsDamage(t *testing.T) {
	data, d := pack(t, sample(), artifact.PackOptions{})
	description, _ := json.Marshal(d)
	other, _ := json.Marshal(pack1(t, "other"))
	replace := func(name string, content []byte) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), content, 0o600) }
	}
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	tests := []struct {
		name   string
		damage func(dir string) error
		listed bool // although it is damaged
	}{
		{"another byte", replace("blob", flipped(data, 500, 1)), true},
		{"a cut blob", replace("blob", data[:500]), false},
		{"an empty blob", replace("blob", nil), false},
		{"no blob", remove("blob"), false},
		{"no descriptor", remove("descriptor.json"), false},
		{"an empty descriptor", replace("descriptor.json", nil), false},
		{"a cut descriptor", replace("descriptor.json", description[:50]), false},
		{"another's descriptor", replace("descriptor.json", other), false},
		{"a huge descriptor", replace("descriptor.json", bytes.Repeat([]byte(" "), 1<<20)), false},
		{"an array", replace("descriptor.json", []byte("[]")), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			store := dirStore(t, dir)
			if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
				t.Fatal(err)
			}
			if err := tt.damage(filepath.Join(dir, "sha256", d.Digest.Encoded())); err != nil {
				t.Fatal(err)
			}
			for got, err := range store.List(t.Context()) {
				if tt.listed && (err != nil || got != d) || !tt.listed && (!errors.Is(err, artifact.ErrDigest) || got != artifact.Descriptor{Digest: d.Digest}) {
					t.Errorf("List gives %+v, %v", got, err)
				}
			}
			if _, err := store.Stat(t.Context(), d.Digest); tt.listed != (err == nil) || errors.Is(err, artifact.ErrNotFound) {
				t.Errorf("Stat's error is %v", err)
			}
			if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
				t.Fatal(err)
			}
			if got := list(t, store); !slices.Equal(got, []artifact.Descriptor{d}) {
				t.Errorf("after another Put, List gives %+v", got)
			}
			if _, err := fetch(t, store, d); err != nil {
				t.Errorf("after another Put: %v", err)
			}
		})
	}
}

func TestDirStoreVerifiesWhatItReads(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	data, d := pack(t, sample(), artifact.PackOptions{})
	if err := store.Put(t.Context(), bytes.NewReader(data), d); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{flipped(data, 500, 1), data[:500], nil, append(bytes.Clone(data), 0)} {
		if err := os.WriteFile(filepath.Join(dir, "sha256", d.Digest.Encoded(), "blob"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := store.Open(t.Context(), d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, r)
		wantError(t, err, artifact.ErrDigest, string(d.Digest))
		r.Close()
		if _, err := fetch(t, store, d); !errors.Is(err, artifact.ErrDigest) {
			t.Errorf("error %v, want ErrDigest", err)
		}
	}
}

func TestDirStoreIgnoresWhatIsNotIts(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	writeTree(t, dir, fstest.MapFS{"sha256/README": file(""), "sha256/ab/cd": file(""), "other": file("")}, 0o600, 0o700)
	if got := list(t, store); len(got) > 0 {
		t.Errorf("List gives %+v", got)
	}
}

// TestDirRemovesLeftovers wants what is of a killed process gone at once, what is
// still locked to stay however old it is, and what nobody knows to grow old first.
func TestDirRemovesLeftovers(t *testing.T) {
	if !flock.Works {
		t.Skip("the system has no flock")
	}
	dir := t.TempDir()
	store, tmp := dirStore(t, dir), filepath.Join(dir, "tmp")
	half := file(noise(1000))
	old, young := time.Now().Add(-2*time.Hour), time.Now().Add(-time.Minute)
	leftovers := []struct {
		name         string
		files        fstest.MapFS
		folder, blob time.Time
		swept        bool
	}{
		{"put-KILLED", fstest.MapFS{"blob": half}, young, young, true},
		{"put-KILLEDLATER", fstest.MapFS{"blob": half, "descriptor.json": half}, young, young, true},
		{"put-KILLEDEARLIER", nil, young, young, true},
		{"put-BUSY", fstest.MapFS{"blob": half}, old, old, false},
		{"gone-KILLED", fstest.MapFS{"blob": half, "descriptor.json": half}, young, young, true},
		{"OLD", fstest.MapFS{"blob": half}, old, old, true},
		{"WRITTEN", fstest.MapFS{"blob": half}, old, young, false},
		{"NEW", nil, young, young, false},
	}
	for _, l := range leftovers {
		at := filepath.Join(tmp, l.name)
		err := os.Mkdir(at, 0o700)
		writeTree(t, at, l.files, 0o600, 0o700)
		if l.files != nil {
			err = errors.Join(err, os.Chtimes(at+"/blob", l.blob, l.blob))
		}
		if err = errors.Join(err, os.Chtimes(at, l.folder, l.folder)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(tmp, "tag-KILLED"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := os.Open(filepath.Join(tmp, "put-BUSY", "blob"))
	if err != nil {
		t.Fatal(err)
	}
	if locked, err := flock.TryShared(busy); !locked {
		t.Fatal(err)
	}
	check := func(how string, swept func(name string, is bool) bool) {
		t.Helper()
		for _, l := range leftovers {
			if _, err := os.Stat(filepath.Join(tmp, l.name)); errors.Is(err, fs.ErrNotExist) != swept(l.name, l.swept) {
				t.Errorf("%s, %s: %v", how, l.name, err)
			}
		}
		if _, err := os.Stat(filepath.Join(tmp, "tag-KILLED")); err == nil {
			t.Errorf("%s, tag-KILLED was left", how)
		}
	}
	again := dirStore(t, dir)
	check("opened", func(_ string, is bool) bool { return is })
	if got := list(t, again); len(got) > 0 {
		t.Errorf("%+v is in the store", got)
	}
	busy.Close()
	if _, err := store.GC(t.Context(), artifact.Keep{}); err != nil {
		t.Error(err)
	}
	check("collected", func(name string, is bool) bool { return is || name == "put-BUSY" })
	short, err := artifact.Dir(dir, artifact.DirOptions{TempAge: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	check("after a second", func(string, bool) bool { return true })
}

// TestDirStoreIsForManyAtOnce has several stores in one folder, as several
// processes would, put, read, list, delete and collect the same artifacts.
func TestDirStoreIsForManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	var arts [2]struct {
		data []byte
		d    artifact.Descriptor
	}
	for i := range arts {
		arts[i].data, arts[i].d = pack(t, numbered(i), artifact.PackOptions{})
	}
	var wg sync.WaitGroup
	for worker := range 6 {
		store := dirStore(t, dir)
		wg.Go(func() {
			for i := range 30 {
				a := arts[i%2]
				if err := store.Put(t.Context(), bytes.NewReader(a.data), a.d); err != nil {
					t.Errorf("put: %v", err)
				}
				if _, err := fetch(t, store, a.d); err != nil && !errors.Is(err, artifact.ErrNotFound) {
					t.Errorf("fetch: %v", err)
				}
				list(t, store)
				if worker == 0 {
					if err := store.Delete(t.Context(), a.d.Digest); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
				if worker == 1 {
					if _, err := store.GC(t.Context(), artifact.Keep{Younger: -1}); err != nil {
						t.Errorf("collect: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
		t.Errorf("%v was left under tmp", left)
	}
}
