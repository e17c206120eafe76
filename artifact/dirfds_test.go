//go:build unix

package artifact_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
)

// steps is a context that does something each time that somebody asks whether it
// has ended, as the store does before each artifact.
type steps struct {
	context.Context
	step func()
}

func (c steps) Err() error {
	c.step()
	return c.Context.Err()
}

// fewFiles has the process open so few files that takeFiles is quick.
func fewFiles(t *testing.T) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// takeFiles opens as many files as the process may, and returns how to close them.
func takeFiles(t *testing.T) (release func()) {
	t.Helper()
	var taken []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			return func() {
				for _, f := range taken {
					f.Close()
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, f)
	}
}

// TestGCRemovesNothingThatItCannotRead has the process run out of files for a
// moment, at each step of a GC. What could not be read then is not damaged, and
// is among the newest as before.
func TestGCRemovesNothingThatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	digests, store := aged(t, dir, 3), dirStore(t, dir)
	tagAs(t, store, "app", digests[0], "")
	fewFiles(t)
	failed := 0
	for out, last := 1, false; !last; out++ {
		at, release := 0, func() {}
		ctx := steps{t.Context(), func() {
			if at++; at == out {
				release = takeFiles(t)
			} else {
				release()
				release = func() {}
			}
		}}
		c, err := store.GC(ctx, artifact.Keep{Newest: 3, Younger: -1})
		release()
		last = at < out
		if err != nil && !errors.Is(err, syscall.EMFILE) {
			t.Error(err)
		}
		if err != nil {
			failed++
		}
		if got := kept(t, store, digests); len(got) != 3 || len(c.Digests) > 0 {
			t.Fatalf("out of files at step %d of GC, it removed %v (%v) and left %v", out, c.Digests, err, got)
		}
	}
	if failed < 3 {
		t.Errorf("GC failed %d times: it was never short of files", failed)
	}
	if c, err := store.GC(t.Context(), artifact.Keep{Younger: -1}); err != nil || !slices.Contains(c.Digests, digests[2]) {
		t.Errorf("with files, collected %+v, %v", c, err)
	}
}
