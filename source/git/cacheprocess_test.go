package git_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// The variables by which a test has this binary fetch, in a process of its own, with a folder's cache.
const (
	fetchURL    = "GITOPSKIT_TEST_FETCH_URL"
	fetchFolder = "GITOPSKIT_TEST_FETCH_FOLDER"
)

// TestFetchInAnotherProcess does what another test starts it for, and by itself nothing.
func TestFetchInAnotherProcess(t *testing.T) {
	if url := os.Getenv(fetchURL); url != "" {
		snapshot := fetch(t, cached(t, url, os.Getenv(fetchFolder), git.Options{}), source.Revision{})
		fmt.Printf("fetched %s %d\n", snapshot.Revision.Digest.Encoded(), len(listing(t, snapshot)))
	}
}

// fetchElsewhere returns the commit that another process fetched, and how many files it found.
func fetchElsewhere(t *testing.T, url, dir string) (hash string, files int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFetchInAnotherProcess$")
	cmd.Env = append(os.Environ(), fetchURL+"="+url, fetchFolder+"="+dir)
	out, err := cmd.CombinedOutput()
	_, line, found := strings.Cut(string(out), "fetched ")
	if _, failed := fmt.Sscan(line, &hash, &files); err != nil || !found || failed != nil {
		t.Fatalf("the other process: %v: %s", err, out)
	}
	return hash, files
}

func TestProcessesShareACache(t *testing.T) {
	dir := t.TempDir()
	gate, hash := newToll(t)
	check := func(files int) {
		t.Helper()
		if got, n := fetchElsewhere(t, gate.url, dir); got != hash || n != files {
			t.Errorf("the other process has %d files of %s, want %d of %s", n, got, files, hash)
		}
	}
	check(40)
	gate.expect(t, 1, 1, false)
	s := cached(t, gate.url, dir, git.Options{})
	gate.check(t, fetch(t, s, source.Revision{}), hash)
	gate.expect(t, 1, 0, true)

	hash = commit(t, gate.Repository, map[string][]byte{"d1/new": []byte("1")})
	gate.check(t, fetch(t, s, source.Revision{}), hash)
	gate.expect(t, 1, 1, true)
	check(41)
	gate.expect(t, 1, 0, true)

	hash = commit(t, gate.Repository, map[string][]byte{"d2/new": []byte("1")})
	check(42)
	gate.expect(t, 1, 1, true)
	gate.check(t, fetch(t, s, source.Revision{}), hash)
	gate.expect(t, 1, 0, true)
}
