package artifact_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
)

// TestStoreWorksDespiteALeftoverThatStays has something under tmp that cannot be
// removed: a mount is busy even for root. It is in nobody's way.
func TestStoreWorksDespiteALeftoverThatStays(t *testing.T) {
	dir := ownMounts(t)
	if dir == "" {
		return
	}
	digests := aged(t, dir, 3)
	stays := filepath.Join(dir, "tmp", "gone-STAYS")
	if err := os.Mkdir(stays, 0o700); err != nil {
		t.Fatal(err)
	}
	mountTemp(t, stays, 0, "")
	goes := filepath.Join(dir, "tmp", "put-GOES") // after the other
	if err := os.Mkdir(goes, 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := artifact.Dir(dir, artifact.DirOptions{})
	if err != nil {
		t.Fatalf("the store cannot be opened: %v", err)
	}
	defer store.Close()
	if _, err := os.Stat(goes); err == nil {
		t.Error("what can be removed is left too")
	}
	if got := kept(t, store, digests); len(got) != 3 {
		t.Errorf("it has %v", got)
	}
	c, err := store.GC(t.Context(), artifact.Keep{Newest: 1})
	if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "gone-STAYS") {
		t.Errorf("GC does not tell of what stays: %v", err)
	}
	if got := kept(t, store, digests); len(c.Digests) != 2 || !slices.Equal(got, []int{2}) {
		t.Errorf("collected %+v, left %v", c, got)
	}
	if err := syscall.Unmount(stays, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := store.GC(t.Context(), artifact.Keep{Newest: 1}); err != nil {
		t.Error(err)
	}
}
