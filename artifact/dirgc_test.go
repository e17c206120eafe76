package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/flock"
)

// aged puts n artifacts, each an hour older than the one after it and the last an
// hour old, and returns their digests.
func aged(t testing.TB, dir string, n int) (digests []digest.Digest) {
	t.Helper()
	store := dirStore(t, dir)
	for i := range n {
		d := putNumbered(t, store, i)
		digests = append(digests, d)
		age(t, dir, d, time.Duration(n-i)*time.Hour)
	}
	return digests
}

// age has the artifact put so long ago.
func age(t testing.TB, dir string, d digest.Digest, ago time.Duration) {
	t.Helper()
	at, when := filepath.Join(dir, "sha256", d.Encoded()), time.Now().Add(-ago)
	for _, name := range []string{"blob", "descriptor.json", ""} {
		if err := os.Chtimes(filepath.Join(at, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
}

// kept returns which of digests are listed, damaged or not.
func kept(t testing.TB, s artifact.Lister, digests []digest.Digest) (left []int) {
	t.Helper()
	for d := range s.List(t.Context()) {
		left = append(left, slices.Index(digests, d.Digest))
	}
	slices.Sort(left)
	return left
}

func TestGCKeepsWhatItIsToldTo(t *testing.T) {
	tests := []struct {
		name string
		keep artifact.Keep
		tags []string // of the artifacts 0, 1, …, in this order
		want []int
	}{
		{"nothing", artifact.Keep{Younger: -1}, nil, nil},
		{"by default the young", artifact.Keep{}, nil, nil},
		{"the newest", artifact.Keep{Newest: 2}, nil, []int{4, 5}},
		{"more than there are", artifact.Keep{Newest: 20}, nil, []int{0, 1, 2, 3, 4, 5}},
		{"the younger", artifact.Keep{Younger: 150 * time.Minute}, nil, []int{4, 5}},
		{"what is tagged", artifact.Keep{Younger: -1}, []string{"a", "b", "a"}, []int{1, 2}},
		{"history", artifact.Keep{Younger: -1, History: 2}, []string{"a", "b", "a", "a"}, []int{1, 2, 3}},
		{"all of the history", artifact.Keep{Younger: -1, History: 99}, []string{"a", "b", "a", "a"}, []int{0, 1, 2, 3}},
		{"each by its own", artifact.Keep{Newest: 1, Younger: 150 * time.Minute}, []string{"a"}, []int{0, 4, 5}},
		{"below zero", artifact.Keep{Newest: -1, Younger: -1, History: -1}, []string{"a"}, []int{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			digests, store := aged(t, dir, 6), dirStore(t, dir)
			for i, name := range tt.tags {
				tagAs(t, store, name, digests[i], "")
			}
			sizes := int64(0)
			for d := range store.List(t.Context()) {
				if !slices.Contains(tt.want, slices.Index(digests, d.Digest)) {
					sizes += d.Size
				}
			}
			c, err := store.GC(t.Context(), tt.keep)
			if err != nil {
				t.Fatal(err)
			}
			if got := kept(t, store, digests); !slices.Equal(got, tt.want) {
				t.Errorf("kept %v, want %v", got, tt.want)
			}
			if len(c.Digests) != 6-len(tt.want) || c.Bytes != sizes || !slices.IsSorted(c.Digests) || len(c.InUse) > 0 {
				t.Errorf("collected %+v, want %d bytes", c, sizes)
			}
			if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
				t.Errorf("%v was left under tmp", left)
			}
		})
	}
}

// TestGCCountsDifferentArtifacts has a history of few artifacts tagged often.
func TestGCCountsDifferentArtifacts(t *testing.T) {
	dir := t.TempDir()
	digests, store := aged(t, dir, 3), dirStore(t, dir)
	for i, n := range []int{0, 1, 2, 2, 1, 2} {
		tagAs(t, store, "app", digests[n], fmt.Sprint(i))
	}
	if _, err := store.GC(t.Context(), artifact.Keep{Younger: -1, History: 2}); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, store, digests); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("kept %v", got)
	}
	// The history tells of what is gone, and to roll back to it is an error.
	if got := tagLines(store.History(t.Context(), "app"), digests...); len(got) != 6 {
		t.Errorf("history is %v", got)
	}
	wantError(t, store.Tag(t.Context(), "app", digests[0], ""), artifact.ErrNotFound, "app")
}

// TestGCKeepsWhatWasPutAgain wants the age to be that of the last Put: its tag is
// yet to come.
func TestGCKeepsWhatWasPutAgain(t *testing.T) {
	dir := t.TempDir()
	digests, store := aged(t, dir, 3), dirStore(t, dir)
	putNumbered(t, store, 0)
	if _, err := store.GC(t.Context(), artifact.Keep{}); err != nil {
		t.Fatal(err)
	}
	if got := kept(t, store, digests); !slices.Equal(got, []int{0}) {
		t.Errorf("kept %v", got)
	}
}

func TestGCRemovesTheDamagedAndDoesNotCountIt(t *testing.T) {
	dir := t.TempDir()
	digests, store := aged(t, dir, 4), dirStore(t, dir)
	at := func(i int, name string) string { return filepath.Join(dir, "sha256", digests[i].Encoded(), name) }
	err := errors.Join(os.Remove(at(3, "descriptor.json")), os.Remove(at(2, "blob")))
	for i := range digests[2:] {
		old := time.Now().Add(-2 * time.Hour)
		err = errors.Join(err, os.Chtimes(at(2+i, ""), old, old))
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.GC(t.Context(), artifact.Keep{Newest: 1})
	if err != nil || len(c.Digests) != 3 {
		t.Errorf("collected %+v, %v", c, err)
	}
	if got := kept(t, store, digests); !slices.Equal(got, []int{1}) {
		t.Errorf("kept %v", got)
	}
}

func TestGCKeepsWhatIsRead(t *testing.T) {
	if !flock.Works {
		t.Skip("the system has no flock")
	}
	dir := t.TempDir()
	digests, store, other := aged(t, dir, 2), dirStore(t, dir), dirStore(t, dir)
	r, err := store.Open(t.Context(), digests[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*artifact.DirStore{store, other} {
		c, err := s.GC(t.Context(), artifact.Keep{Younger: -1})
		if err != nil || !slices.Equal(c.InUse, digests[:1]) {
			t.Errorf("collected %+v, %v", c, err)
		}
		if got := kept(t, s, digests); !slices.Equal(got, []int{0}) {
			t.Errorf("kept %v", got)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := other.GC(t.Context(), artifact.Keep{Younger: -1}); err != nil || !slices.Equal(c.Digests, digests[:1]) {
		t.Errorf("once it is closed, collected %+v, %v", c, err)
	}
}

// TestOpenWaitsForGCAndFindsNothing opens between GC's look at who reads and its
// removal.
func TestOpenWaitsForGCAndFindsNothing(t *testing.T) {
	if !flock.Works {
		t.Skip("the system has no flock")
	}
	dir := t.TempDir()
	digests, store := aged(t, dir, 1), dirStore(t, dir)
	at := filepath.Join(dir, "sha256", digests[0].Encoded())
	claimed, err := os.OpenFile(filepath.Join(at, "blob"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if free, err := flock.Try(claimed); !free {
		t.Fatalf("somebody has it: %v", err)
	}
	opened := make(chan error)
	go func() {
		r, err := store.Open(t.Context(), digests[0])
		if err == nil {
			r.Close()
		}
		opened <- err
	}()
	time.Sleep(20 * time.Millisecond)
	select {
	case err := <-opened:
		t.Fatalf("Open did not wait: %v", err)
	default:
	}
	if err := errors.Join(os.Rename(at, filepath.Join(dir, "tmp", "gone-X")), claimed.Close()); err != nil {
		t.Fatal(err)
	}
	wantError(t, <-opened, artifact.ErrNotFound, string(digests[0]))
}

// TestGCLeavesWhatIsBeingPut collects in the midst of a Put, as another process.
func TestGCLeavesWhatIsBeingPut(t *testing.T) {
	dir := t.TempDir()
	store, other := dirStore(t, dir), dirStore(t, dir)
	data, d := pack(t, sample(), artifact.PackOptions{})
	_, err := store.Create(t.Context(), func(w io.Writer) (artifact.Descriptor, error) {
		if _, err := w.Write(data[:1000]); err != nil {
			t.Error(err)
		}
		if c, err := other.GC(t.Context(), artifact.Keep{Younger: -1}); err != nil || len(c.Digests) > 0 {
			t.Errorf("collected %+v, %v", c, err)
		}
		_, err := w.Write(data[1000:])
		return d, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fetch(t, other, d); err != nil {
		t.Error(err)
	}
}

func TestGCStopsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	digests, store := aged(t, dir, 2), dirStore(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := store.GC(ctx, artifact.Keep{Younger: -1})
	wantError(t, err, context.Canceled, "")
	if got := kept(t, store, digests); len(got) != 2 {
		t.Errorf("kept %v", got)
	}
}

// TestStoreWaitsForItsLockNoLongerThanItsContext has another process hold it.
func TestStoreWaitsForItsLockNoLongerThanItsContext(t *testing.T) {
	if !flock.Works {
		t.Skip("the system has no flock")
	}
	dir := t.TempDir()
	store := dirStore(t, dir)
	a := putNumbered(t, store, 0)
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if locked, err := flock.Try(lock); !locked {
		t.Fatalf("the lock was not let go: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, putErr := artifact.PackTo(ctx, store, numbered(1), artifact.PackOptions{})
	_, gcErr := store.GC(ctx, artifact.Keep{})
	for _, err := range []error{putErr, gcErr, store.Tag(ctx, "app", a, ""), store.Untag(ctx, "app"), store.Delete(ctx, a)} {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	}
	if got := list(t, dirStore(t, dir)); len(got) != 1 { // reading needs no lock, nor does Dir wait for it
		t.Errorf("List gives %+v", got)
	}
}

// TestGCNeverTakesFromAReaderInAnotherProcess has a process collect everything
// without end, and wants that what was opened stays until it is closed.
func TestGCNeverTakesFromAReaderInAnotherProcess(t *testing.T) {
	if dir := os.Getenv("ARTIFACT_TEST_COLLECTS"); dir != "" {
		store := dirStore(t, dir)
		for {
			if _, err := store.GC(t.Context(), artifact.Keep{Younger: -1}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) // others want the lock too
		}
	}
	if !flock.Works {
		t.Skip("the system has no flock")
	}
	dir := t.TempDir()
	store := dirStore(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	collector := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestGCNeverTakesFromAReaderInAnotherProcess$")
	collector.Env = append(os.Environ(), "ARTIFACT_TEST_COLLECTS="+dir)
	if err := collector.Start(); err != nil {
		t.Fatal(err)
	}
	defer collector.Wait()
	defer cancel()
	opened, missed := 0, 0
	for i := 0; opened < 20 || missed < 5; i++ {
		d := putNumbered(t, store, i%5)
		if missed < 5 {
			time.Sleep(rand.N(time.Millisecond))
		}
		r, err := store.Open(t.Context(), d)
		if errors.Is(err, artifact.ErrNotFound) {
			missed++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		opened++
		for range 3 {
			if _, err := store.Stat(t.Context(), d); err != nil {
				t.Errorf("while it is open: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Error(err)
		}
		r.Close()
		if opened > 3000 {
			t.Fatal("nothing is ever collected")
		}
	}
}
