package git_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// urlsOf are a repository's addresses, of which each protocol and version has one.
func urlsOf(repo *testbed.Repository) []string {
	return []string{repo.URL(), repo.SSHURL(), repo.DaemonURL()}
}

// aged is a repository with a few commits of which the last one is like those before it.
func aged(t *testing.T, repo *testbed.Repository) string {
	t.Helper()
	attributesOff(t, repo)
	hashes := grow(t, repo, seeded(7, 1500), 3)
	last := hashes[len(hashes)-1]
	run(t, repo, "update-ref", "refs/heads/main", last)
	for i := range 20 {
		files := map[string][]byte{"versions": []byte(strings.Repeat(fmt.Sprintf("%d\n", i), 3000+i)),
			fmt.Sprintf("more/%d", i%5): fmt.Append(nil, i)}
		last = commit(t, repo, files)
	}
	return last
}

// However a server keeps its objects, they are the same.
func TestStatesOfAServersObjects(t *testing.T) {
	for name, change := range map[string][][]string{
		"loose":      {{"unpack-objects"}},
		"packed":     {{"gc", "--quiet", "--prune=now"}},
		"aggressive": {{"repack", "-adfq", "--depth=4000", "--window=250"}, {"pack-refs", "--all", "--prune"}},
		"bitmaps":    {{"repack", "-adq", "--write-bitmap-index"}, {"commit-graph", "write", "--reachable"}},
		"many packs": {{"repack", "-dq", "--geometric=2"}, {"multi-pack-index", "write"}},
		"ref deltas": {{"config", "repack.usedeltabaseoffset", "false"}, {"repack", "-adfq"}},
		"islands":    {{"config", "pack.island", "refs/heads/"}, {"repack", "-adfiq"}},
	} {
		t.Run(name, func(t *testing.T) {
			repo := testbed.Git(t)
			hash := aged(t, repo)
			for _, args := range change {
				if args[0] == "unpack-objects" {
					unpack(t, repo)
				} else {
					run(t, repo, args...)
				}
			}
			want := truthOf(t, repo, hash)
			for _, url := range urlsOf(repo) {
				want.check(t, url, fetch(t, newSource(t, url, git.Options{KnownHosts: repo.KnownHosts()}), source.Revision{}))
			}
		})
	}
}

// unpack has every object in a file of its own.
func unpack(t *testing.T, repo *testbed.Repository) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(repo.Dir, "objects/pack/*.pack"))
	must(t, err)
	for i, path := range packs {
		aside := filepath.Join(repo.Dir, fmt.Sprint("aside-", i))
		must(t, os.Rename(path, aside))
		must(t, os.Remove(strings.TrimSuffix(path, ".pack")+".idx"))
		body, err := os.ReadFile(aside)
		must(t, err)
		gitIn(t, repo, bytes.NewBuffer(body), "unpack-objects", "-q")
	}
	if left, _ := filepath.Glob(filepath.Join(repo.Dir, "objects/pack/*")); len(packs) == 0 || len(left) > 0 {
		t.Fatalf("of %d packs, %q are left", len(packs), left)
	}
}

// twin is another repository of the same server, made by git clone.
func twin(t *testing.T, repo *testbed.Repository, name string, args ...string) *testbed.Repository {
	t.Helper()
	made := &testbed.Repository{GitServer: repo.GitServer, Name: name}
	made.Dir = filepath.Join(filepath.Dir(repo.Dir), name+".git")
	gitIn(t, repo, nil, append(append([]string{"clone", "--quiet", "--bare"}, args...), made.Dir)...)
	return made
}

func TestServerWithoutItsOwnHistory(t *testing.T) {
	repo := testbed.Git(t)
	aged(t, repo)
	shallow := twin(t, repo, "shallow", "--depth=3", "file://"+repo.Dir)
	attributesOff(t, shallow)
	old := run(t, shallow, "rev-parse", "main~2")
	if run(t, shallow, "rev-parse", "--is-shallow-repository") != "true" {
		t.Fatal("the server is not shallow")
	}
	for _, url := range urlsOf(shallow) {
		t.Run(url[:4], func(t *testing.T) {
			opts := git.Options{KnownHosts: repo.KnownHosts()}
			s := newSource(t, url, opts)
			truthOf(t, shallow, "main").check(t, "at first", fetch(t, s, source.Revision{}))
			hash := commit(t, shallow, map[string][]byte{"new/er": []byte(url)})
			truthOf(t, shallow, hash).check(t, "after another", fetch(t, s, source.Revision{}))
			opts.Paths = []string{"more", "new"}
			truthOf(t, shallow, hash).part(opts.Paths).check(t, "in part", fetch(t, newSource(t, url, opts), source.Revision{}))
			opts.Paths, opts.Commit = nil, old
			truthOf(t, shallow, old).check(t, "at the end of history", fetch(t, newSource(t, url, opts), source.Revision{}))
		})
	}
}

// Where the server gives no commit by hash and has not all of the history, the commit is looked for as far as there is one.
func TestCommitBeyondAServersHistory(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{NoProtocol2: true, TipsOnly: true})
	aged(t, repo)
	shallow := twin(t, repo, "shallow", "--depth=3", "file://"+repo.Dir)
	attributesOff(t, shallow)
	for _, url := range urlsOf(shallow) {
		there, gone := run(t, shallow, "rev-parse", "main~1"), run(t, repo, "rev-parse", "main~5")
		opts := git.Options{KnownHosts: repo.KnownHosts(), Commit: there}
		truthOf(t, shallow, there).check(t, url, fetch(t, newSource(t, url, opts), source.Revision{}))
		opts.Commit = gone
		_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrNotFound, gone)
	}
}

func TestServerThatBorrowsObjects(t *testing.T) {
	repo := testbed.Git(t)
	hash := aged(t, repo)
	fork := twin(t, repo, "fork", "--shared", repo.Dir)
	attributesOff(t, fork)
	if _, err := os.Stat(filepath.Join(fork.Dir, "objects/info/alternates")); err != nil {
		t.Fatal(err)
	}
	for _, url := range urlsOf(fork) {
		s := newSource(t, url, git.Options{KnownHosts: repo.KnownHosts()})
		if got := fetch(t, s, source.Revision{}).Revision.Digest.Encoded(); got != hash {
			t.Errorf("%s: got %s", url, got)
		}
		hash = commit(t, fork, map[string][]byte{"own": []byte(url)})
		truthOf(t, fork, hash).check(t, url, fetch(t, s, source.Revision{}))
	}
}

// What refs/replace has stand in for something else is a habit of the server's own git. A hash stands for one content.
func TestReplacedObjectsAreNotTaken(t *testing.T) {
	repo := testbed.Git(t)
	first := commit(t, repo, map[string][]byte{"a": []byte("true"), "b/c": []byte("1")})
	other, err := repo.CommitTo(t.Context(), "other", map[string][]byte{"a": []byte("false")})
	must(t, err)
	second := commit(t, repo, map[string][]byte{"b/c": []byte("2")})
	run(t, repo, "replace", second, other)
	run(t, repo, "replace", first, other)
	blob := run(t, repo, "--no-replace-objects", "rev-parse", second+":a")
	run(t, repo, "replace", blob, run(t, repo, "rev-parse", other+":a"))
	if got := run(t, repo, "show", "main:a"); got != "false" {
		t.Fatalf("git does not replace: got %q", got)
	}
	want := map[string]string{"a": "file false true", "b/c": "file false 2"}
	for _, url := range urlsOf(repo) {
		for _, opts := range []git.Options{{}, {Paths: []string{"a", "b"}}, {Commit: second}} {
			opts.KnownHosts = repo.KnownHosts()
			snapshot := fetch(t, newSource(t, url, opts), source.Revision{})
			if snapshot.Revision.Digest.Encoded() != second {
				t.Errorf("got %s", snapshot.Revision)
			}
			truth{files: want}.check(t, url, snapshot)
		}
	}
}
