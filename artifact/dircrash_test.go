package artifact_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
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

func TestDirRemovesOldLeftovers(t *testing.T) {
	dir := t.TempDir()
	tmp := filepath.Join(dir, "tmp")
	half, d := pack(t, sample(), artifact.PackOptions{})
	old, young := time.Now().Add(-2*time.Hour), time.Now().Add(-time.Minute)
	leftovers := []struct {
		name         string
		folder, blob time.Time
		swept        bool
	}{
		{"KILLED", old, old, true},
		{"BUSY", old, young, false}, // still writing to its blob
		{"NEW", young, young, false},
	}
	for _, l := range leftovers {
		at := filepath.Join(tmp, l.name)
		writeTree(t, at, fstest.MapFS{"blob": file(string(half[:len(half)/2]))}, 0o600, 0o700)
		if err := errors.Join(os.Chtimes(at+"/blob", l.blob, l.blob), os.Chtimes(at, l.folder, l.folder)); err != nil {
			t.Fatal(err)
		}
	}
	store := dirStore(t, dir)
	for _, l := range leftovers {
		if _, err := os.Stat(filepath.Join(tmp, l.name)); errors.Is(err, fs.ErrNotExist) != l.swept {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	if got := list(t, store); len(got) > 0 {
		t.Errorf("half of %s is in the store", d.Digest)
	}
	short, err := artifact.Dir(dir, artifact.DirOptions{TempAge: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("%v was left after a second", left)
	}
}

// TestDirStoreIsForManyAtOnce has several stores in one folder, as several
// processes would, put, read, list and delete the same artifacts.
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
			}
		})
	}
	wg.Wait()
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
		t.Errorf("%v was left under tmp", left)
	}
}

// TestDirStoreSurvivesKills kills a process that puts and deletes without end,
// and wants after each kill that all that is listed is whole.
func TestDirStoreSurvivesKills(t *testing.T) {
	if dir := os.Getenv("ARTIFACT_TEST_KILLED"); dir != "" {
		putForever(t, dir)
	}
	dir, listed := t.TempDir(), 0
	for range 8 {
		killAfter(t, dir, 1+rand.N(12), rand.N(5*time.Millisecond))
		store := dirStore(t, dir)
		for _, d := range list(t, store) {
			listed++
			if _, err := fetch(t, store, d); err != nil {
				t.Error(err)
			}
		}
	}
	if listed == 0 {
		t.Error("nothing was ever put")
	}
}

// putForever prints a line for each artifact that it put.
func putForever(t *testing.T, dir string) {
	store := dirStore(t, dir)
	for i := 0; ; i++ {
		d, err := artifact.PackTo(t.Context(), store, numbered(i%20), artifact.PackOptions{})
		if err == nil && i%3 == 2 {
			err = store.Delete(t.Context(), d.Digest)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("put", d.Digest)
	}
}

// killAfter runs putForever in a process of its own and kills it somewhere in
// what follows the given number of lines.
func killAfter(t *testing.T, dir string, lines int, more time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDirStoreSurvivesKills$")
	cmd.Env = append(os.Environ(), "ARTIFACT_TEST_KILLED="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	for ; lines > 0 && scanner.Scan(); lines-- {
	}
	if lines > 0 {
		t.Fatalf("ended before it was killed: %v, %s", cmd.Wait(), scanner.Text())
	}
	time.Sleep(more)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
}
