package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// heldFiles are files that are held in different ways: compressed, as they are, and above the size that is compressed.
func heldFiles(state string) map[string][]byte {
	files := map[string][]byte{"empty": {}, "tiny": []byte(state), "large": bytes.Repeat([]byte(state), 50_000)}
	for i := range 100 {
		files[fmt.Sprintf("apps/%d/app.yaml", i)] = bytes.Repeat(fmt.Appendf(nil, "%s: %d\n", state, i), 1+i*10)
	}
	return files
}

// checkHeld reads all files and spoils what it got, which is its own.
func checkHeld(t *testing.T, snapshot *source.Snapshot, want map[string][]byte) {
	for name, body := range want {
		got, err := snapshot.ReadFile(name)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: got %d bytes %.20q, %v, want %d bytes", name, len(got), got, err, len(body))
		}
		clear(got)
		if info, err := snapshot.Stat(name); err != nil || info.Size() != int64(len(body)) {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
}

func TestSnapshotIsReadByManyAndStaysAfterLaterFetches(t *testing.T) {
	folder, err := git.OpenCache(t.TempDir(), git.CacheOptions{})
	must(t, err)
	for name, cache := range map[string]*git.Cache{
		"own": nil, "memory": git.NewCache(git.CacheOptions{}), "folder": folder,
		"memory without room": git.NewCache(git.CacheOptions{MaxBytes: 1}),
	} {
		t.Run(name, func(t *testing.T) {
			repo := testbed.Git(t)
			s := newSource(t, repo.URL(), git.Options{Cache: cache})
			states, snapshots := []string{"first", "second", "third"}, []*source.Snapshot(nil)
			for _, state := range states {
				commit(t, repo, heldFiles(state))
				snapshots = append(snapshots, fetch(t, s, source.Revision{}))
				commit(t, repo, map[string][]byte{"tiny": []byte("other")})
				fetch(t, s, source.Revision{})
			}
			var reading sync.WaitGroup
			for i, state := range states {
				for range 2 {
					reading.Go(func() { checkHeld(t, snapshots[i], heldFiles(state)) })
				}
			}
			reading.Wait()
		})
	}
}

func TestLimitsCountFilesAsTheyAreRead(t *testing.T) {
	repo := testbed.Git(t)
	body := bytes.Repeat([]byte("kind: ConfigMap\n"), 1000) // a hundredth, compressed
	commit(t, repo, map[string][]byte{"a": body, "same/b": body, "same/c": body})
	for _, tt := range []struct {
		limits source.Limits
		option string
	}{
		{source.Limits{MaxBytes: 3 * int64(len(body))}, ""},
		{source.Limits{MaxBytes: 3*int64(len(body)) - 1}, "Limits.MaxBytes"},
		{source.Limits{MaxFileBytes: int64(len(body))}, ""},
		{source.Limits{MaxFileBytes: int64(len(body)) - 1}, "Limits.MaxFileBytes"},
	} {
		_, err := newSource(t, repo.URL(), git.Options{Limits: tt.limits}).Fetch(t.Context(), source.Revision{})
		var limit *source.LimitError
		if tt.option == "" && err != nil || tt.option != "" && (!errors.As(err, &limit) || limit.Option != tt.option) {
			t.Errorf("%+v: got %v, want %q", tt.limits, err, tt.option)
		}
	}
}

func TestListingsAreOfTheFilesThemselves(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, heldFiles("state"))
	entries, err := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{}).ReadDir(".")
	must(t, err)
	var got []string
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		got = append(got, fmt.Sprint(e, " ", info.Size(), " ", e.Type() == info.Mode().Type(), " ", fs.FormatFileInfo(info) != ""))
	}
	want := "[d apps/ 0 true true - empty 0 true true - large 250000 true true - tiny 5 true true]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
