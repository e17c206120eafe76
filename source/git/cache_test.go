package git_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A toll stands before a repository and counts what leaves it.
type toll struct {
	*testbed.Repository
	url   string
	bytes atomic.Int64
}

type tollWriter struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (w tollWriter) Write(p []byte) (int, error) {
	w.bytes.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

func (w tollWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// newToll has a repository of 40 files that do not compress, half a megabyte.
func newToll(t *testing.T) (gate *toll, hash string) {
	t.Helper()
	gate = &toll{Repository: testbed.Git(t)}
	server := front(t, gate.Repository, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		pass.ServeHTTP(tollWriter{w, &gate.bytes}, r)
	})
	gate.url = server.URL + "/" + gate.Name + ".git"
	files := make(map[string][]byte)
	for i := range 40 {
		body := make([]byte, 12_000)
		_, _ = rand.Read(body)
		files[fmt.Sprintf("d%d/%d", i%4, i)] = body
	}
	return gate, commit(t, gate.Repository, files)
}

// expect checks what was asked for since the last call: the list of references, and packs, of few bytes or many.
func (g *toll) expect(t *testing.T, lists, packs int, few bool) {
	t.Helper()
	requests, bytes := g.TakeRequests(), g.bytes.Swap(0)
	if testbed.Count(requests, "GET") != lists || testbed.Count(requests, "POST") != packs || len(requests) != lists+packs {
		t.Errorf("got requests %q, want %d lists and %d packs", requests, lists, packs)
	}
	if (bytes < 40_000) != few {
		t.Errorf("%d bytes were received, want few: %v", bytes, few)
	}
}

// check holds a snapshot against git.
func (g *toll) check(t *testing.T, snapshot *source.Snapshot, hash string) {
	t.Helper()
	if got, want := listing(t, snapshot), lsTree(t, g.Repository, hash); !slices.Equal(got, want) {
		t.Errorf("got %d files, want those of %s, %d", len(got), hash, len(want))
	}
}

// cached returns a new source with the cache in a folder.
func cached(t *testing.T, url, dir string, opts git.Options) *git.Source {
	t.Helper()
	var err error
	opts.Cache, err = git.OpenCache(dir, git.CacheOptions{})
	must(t, err)
	if opts.OnCacheError == nil {
		opts.OnCacheError = func(err error) { t.Error(err) }
	}
	return newSource(t, url, opts)
}

func TestSourcesWithOneCacheFetchOnce(t *testing.T) {
	inMemory := git.NewCache(git.CacheOptions{})
	for name, make := range map[string]func(*testing.T, string, string) *git.Source{
		"memory": func(t *testing.T, url, _ string) *git.Source { return newSource(t, url, git.Options{Cache: inMemory}) },
		"folder": func(t *testing.T, url, dir string) *git.Source { return cached(t, url, dir, git.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "cache")
			gate, hash := newToll(t)
			one, two := make(t, gate.url, dir), make(t, gate.url, dir)
			gate.check(t, fetch(t, one, source.Revision{}), hash)
			gate.expect(t, 1, 1, false)
			gate.check(t, fetch(t, two, source.Revision{}), hash)
			gate.expect(t, 1, 0, true)

			hash = commit(t, gate.Repository, map[string][]byte{"d1/new": []byte("1")})
			gate.check(t, fetch(t, two, source.Revision{}), hash)
			gate.expect(t, 1, 1, true)
			gate.check(t, fetch(t, one, source.Revision{}), hash)
			gate.expect(t, 1, 0, true)

			hash = commit(t, gate.Repository, map[string][]byte{"d2/new": []byte("1"), "d1/1": nil})
			gate.check(t, fetch(t, make(t, gate.url, dir), source.Revision{}), hash)
			gate.expect(t, 1, 1, true) // also for a source that comes later

			var all sync.WaitGroup
			hash = commit(t, gate.Repository, map[string][]byte{"d3/new": []byte("1")})
			for range 4 {
				all.Go(func() {
					_, err := make(t, gate.url, dir).Fetch(t.Context(), source.Revision{})
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			gate.expect(t, 4, 1, true) // four at once bring it once
			gate.check(t, fetch(t, one, source.Revision{}), hash)
		})
	}
}

func TestCacheKnowsARepositoryByAnySpelling(t *testing.T) {
	gate, hash := newToll(t)
	local := strings.Replace(gate.URL(), "127.0.0.1", "localhost", 1)
	shared := git.NewCache(git.CacheOptions{})
	bare := strings.TrimSuffix(local, ".git")
	for i, url := range []string{local, bare, local + "/", strings.Replace(local, "localhost", "LocalHost", 1)} {
		gate.check(t, fetch(t, newSource(t, url, git.Options{Cache: shared}), source.Revision{}), hash)
		if got := testbed.Count(gate.TakeRequests(), "POST"); (got > 0) != (i == 0) {
			t.Errorf("%s: asked for %d packs", url, got)
		}
	}
}

// Who may read one repository must not get at another by the hashes of its objects.
func TestCacheKeepsRepositoriesApart(t *testing.T) {
	gate, hash := newToll(t)
	shared := git.NewCache(git.CacheOptions{})
	fetch(t, newSource(t, gate.URL(), git.Options{Cache: shared}), source.Revision{})
	other, err := gate.NewRepository(t.Context(), "other")
	must(t, err)
	commit(t, other, map[string][]byte{"a": []byte("1")})
	for _, url := range []string{other.URL(), other.SSHURL()} {
		opts := git.Options{Cache: shared, Commit: hash, KnownHosts: gate.KnownHosts()}
		_, err = newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrNotFound, hash)
	}
	// Nor is what one brings told to the other's server.
	gate.TakeRequests()
	snapshot := fetch(t, newSource(t, other.URL(), git.Options{Cache: shared}), source.Revision{})
	if got := listing(t, snapshot); len(got) != 1 || testbed.Count(gate.TakeRequests(), "POST") != 1 {
		t.Errorf("got %q", got)
	}
}

// What is in a cache is for those who may read the repository now.
func TestCacheIsNoWayAroundALogin(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	shared := git.NewCache(git.CacheOptions{})
	fetch(t, newSource(t, repo.HTTPSURL(), git.Options{CA: repo.CA, Username: "reader", Password: "right", Cache: shared}), source.Revision{})
	for _, opts := range []git.Options{{}, {Commit: hash}, {Username: "reader", Password: "hunter2"}} {
		opts.CA, opts.Cache = repo.CA, shared
		snapshot, err := newSource(t, repo.HTTPSURL(), opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrUnauthorized, "401")
		if snapshot != nil {
			t.Errorf("got %v", snapshot.Revision)
		}
	}
}

func TestDamagedCacheIsFetchedAgain(t *testing.T) {
	gate, hash := newToll(t)
	for name, damage := range map[string]func(path string, body []byte) error{
		"cut":   func(path string, body []byte) error { return os.WriteFile(path, body[:len(body)/2], 0o600) },
		"empty": func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"gone":  func(path string, _ []byte) error { return os.Remove(path) },
		"rewritten": func(path string, body []byte) error {
			for i := range body {
				body[i] ^= byte(i%7) + 1
			}
			return os.WriteFile(path, body, 0o600)
		},
		"segments gone": func(path string, _ []byte) error {
			if strings.HasPrefix(filepath.Base(path), "segment-") {
				return os.Remove(path)
			}
			return nil
		},
		"a bit of segments": func(path string, body []byte) error {
			if strings.HasPrefix(filepath.Base(path), "segment-") {
				body[len(body)/3] ^= 1
			}
			return os.WriteFile(path, body, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, next := range []bool{false, true} { // a commit that is there, and one that builds on it
				dir := t.TempDir()
				fetch(t, cached(t, gate.url, dir, git.Options{}), source.Revision{})
				gate.expect(t, 1, 1, false)
				must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
					if err != nil || d.IsDir() || d.Name() == "lock" {
						return err
					}
					body, err := os.ReadFile(path)
					return errors.Join(err, damage(path, body))
				}))
				if next {
					hash = commit(t, gate.Repository, map[string][]byte{"d1/new": []byte(name)})
				}
				var told []error
				opts := git.Options{OnCacheError: func(err error) { told = append(told, err) }}
				gate.check(t, fetch(t, cached(t, gate.url, dir, opts), source.Revision{}), hash)
				if gone := strings.HasSuffix(name, "gone"); len(told) > 0 == gone || !gone && !strings.Contains(told[0].Error(), dir) {
					t.Errorf("was told %v", told)
				}
				gate.TakeRequests()
				if got := gate.bytes.Swap(0); got < 100_000 && name != "a bit of segments" {
					t.Errorf("%d bytes were received: something was not damaged", got)
				}
				gate.check(t, fetch(t, cached(t, gate.url, dir, git.Options{}), source.Revision{}), hash)
				gate.expect(t, 1, 0, true)
			}
		})
	}
}

func TestUnusableCacheIsTold(t *testing.T) {
	gate, hash := newToll(t)
	dir := filepath.Join(t.TempDir(), "cache")
	var told []error
	s := cached(t, gate.url, dir, git.Options{OnCacheError: func(err error) { told = append(told, err) }})
	must(t, os.RemoveAll(dir))
	must(t, os.WriteFile(dir, nil, 0o600))
	gate.check(t, fetch(t, s, source.Revision{}), hash)
	if len(told) != 1 {
		t.Fatalf("got %v, want one error", told)
	}
	checkError(t, told[0], nil, dir)
	_, err := git.OpenCache(dir, git.CacheOptions{})
	checkError(t, err, nil, dir)
	must(t, os.Remove(dir))
	hash = commit(t, gate.Repository, map[string][]byte{"d1/new": []byte("1")})
	gate.check(t, fetch(t, s, source.Revision{}), hash)
	if len(told) != 1 {
		t.Errorf("the folder can be made again: got %v", told[1:])
	}
	// Nobody has to listen.
	opened, err := git.OpenCache(dir, git.CacheOptions{})
	must(t, err)
	must(t, os.RemoveAll(dir))
	must(t, os.WriteFile(dir, nil, 0o600))
	gate.check(t, fetch(t, newSource(t, gate.url, git.Options{Cache: opened}), source.Revision{}), hash)
}

func TestPartsAndWholeCommitsShareACache(t *testing.T) {
	for _, first := range []string{"whole", "part"} {
		t.Run(first+" first", func(t *testing.T) {
			gate, hash := newToll(t)
			shared := git.NewCache(git.CacheOptions{})
			whole := newSource(t, gate.url, git.Options{Cache: shared})
			part := newSource(t, gate.url, git.Options{Cache: shared, Paths: []string{"d1"}, Ignore: "/d1/1\n"})
			checkPart := func() {
				t.Helper()
				want := slices.DeleteFunc(lsTree(t, gate.Repository, hash), func(line string) bool {
					_, path, _ := strings.Cut(line, "\t")
					return !strings.HasPrefix(path, "d1/") || path == "d1/1"
				})
				if got := listing(t, fetch(t, part, source.Revision{})); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			if first == "whole" {
				gate.check(t, fetch(t, whole, source.Revision{}), hash)
				gate.expect(t, 1, 1, false)
				checkPart()
				gate.expect(t, 1, 0, true) // it is all here
			}
			for i := range 3 {
				checkPart()
				gate.check(t, fetch(t, whole, source.Revision{}), hash)
				body := fmt.Append(nil, i)
				hash = commit(t, gate.Repository, map[string][]byte{"d1/new": body, "d2/new": body, "d1/1": body})
			}
		})
	}
}

func TestCacheThatIsTooSmall(t *testing.T) {
	gate, hash := newToll(t)
	dir := t.TempDir()
	folder, err := git.OpenCache(dir, git.CacheOptions{MaxBytes: 1000})
	must(t, err)
	for name, small := range map[string]*git.Cache{"memory": git.NewCache(git.CacheOptions{MaxBytes: 1000}), "folder": folder} {
		t.Run(name, func(t *testing.T) {
			opts := git.Options{Cache: small, OnCacheError: func(err error) { t.Error(err) }}
			s := newSource(t, gate.url, opts)
			for _, s := range []*git.Source{s, newSource(t, gate.url, opts)} {
				gate.check(t, fetch(t, s, source.Revision{}), hash)
				gate.expect(t, 1, 1, false)
			}
			fetch(t, s, source.Revision{}) // the source has its own
			gate.expect(t, 1, 0, true)
			hash = commit(t, gate.Repository, map[string][]byte{"new": []byte(name)})
			gate.check(t, fetch(t, s, source.Revision{}), hash)
			gate.expect(t, 1, 1, false)
		})
	}
	kept := int64(0)
	must(t, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if info, failed := d.Info(); failed == nil && !d.IsDir() {
			kept += info.Size()
		}
		return err
	}))
	if kept > 1000 {
		t.Errorf("%d bytes were kept", kept)
	}
}
