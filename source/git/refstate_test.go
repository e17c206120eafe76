package git_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func TestWhereHEADIs(t *testing.T) {
	repo := testbed.Git(t)
	first := commit(t, repo, map[string][]byte{"a": []byte("1")})
	second := commit(t, repo, map[string][]byte{"a": []byte("2")})
	fetched := func(want string, opts git.Options) {
		t.Helper()
		for _, url := range urlsOf(repo) {
			opts.KnownHosts = repo.KnownHosts()
			snapshot, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
			if err != nil || snapshot.Revision.String() != want {
				t.Errorf("%s: got %v, %v, want %s", url, snapshot, err, want)
			}
		}
	}
	refused := func(text string, opts git.Options) {
		t.Helper()
		for _, url := range urlsOf(repo) {
			opts.KnownHosts = repo.KnownHosts()
			_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, text)
			if strings.Contains(fmt.Sprint(err), "empty") {
				t.Errorf("%s: the repository is not empty, and %v says so", url, err)
			}
		}
	}
	run(t, repo, "update-ref", "--no-deref", "HEAD", first) // detached
	fetched("HEAD@sha1:"+first, git.Options{})
	fetched("main@sha1:"+second, git.Options{Branch: "main"})
	fetched("sha1:"+second, git.Options{Commit: second})
	run(t, repo, "symbolic-ref", "HEAD", "refs/heads/not/yet")
	refused("HEAD", git.Options{})
	refused(`branch "none"`, git.Options{Branch: "none"})
	refused("within the range", git.Options{SemVer: "1.x"})
	fetched("main@sha1:"+second, git.Options{Branch: "main"})
	fetched("sha1:"+first, git.Options{Commit: first})
	run(t, repo, "tag", "v1.0.0", first)
	run(t, repo, "symbolic-ref", "HEAD", "refs/tags/v1.0.0") // no branch
	fetched("refs/tags/v1.0.0@sha1:"+first, git.Options{})
	run(t, repo, "pack-refs", "--all", "--prune")
	fetched("v1.0.0@sha1:"+first, git.Options{Tag: "v1.0.0"})
	fetched("main@sha1:"+second, git.Options{Branch: "main"})
}

// tagOf tags an object with an annotated tag and returns the tag's hash.
func tagOf(t *testing.T, repo *testbed.Repository, name, object string) string {
	t.Helper()
	run(t, repo, "tag", "-a", "-m", "x", name, object)
	return run(t, repo, "rev-parse", "refs/tags/"+name)
}

func TestTagsOfTagsTreesAndBlobs(t *testing.T) {
	everyWay(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options) {
		if _, err := repo.Git(t.Context(), "rev-parse", "--verify", "--quiet", "refs/heads/main"); err != nil {
			hash := commit(t, repo, map[string][]byte{"a/b": []byte("1")})
			tagged := hash
			for i := range 6 {
				tagged = tagOf(t, repo, fmt.Sprintf("tags-%d", i), tagged)
			}
			run(t, repo, "tag", "tree", hash+":a")
			run(t, repo, "tag", "blob", hash+":a/b")
			tagOf(t, repo, "of-tree", hash+":a")
			tagOf(t, repo, "of-blob", hash+":a/b")
			tagOf(t, repo, "of-tag-of-blob", "of-blob")
		}
		want := run(t, repo, "rev-parse", "main")
		opts.Tag = "tags-5"
		if got := fetch(t, newSource(t, url, opts), source.Revision{}).Revision; got.Digest.Encoded() != want {
			t.Errorf("got %s", got)
		}
		for tag, kind := range map[string]string{"tree": "tree", "blob": "blob", "of-tree": "tree", "of-blob": "blob",
			"of-tag-of-blob": "blob"} {
			want := "is a " + kind + " instead of a commit"
			if opts.Tag, opts.Paths = tag, nil; strings.HasPrefix(tag, "of-") {
				opts.Paths, want = []string{"a"}, "it is of a "+kind+", and only a commit can be fetched"
			}
			_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, want)
		}
		opts.Tag, opts.Paths, opts.Commit = "", nil, run(t, repo, "rev-parse", "main:a")
		if _, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{}); err == nil {
			t.Error("a tree's hash is taken for a commit's")
		}
	})
}

func TestOddNamesOfReferences(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	names := []string{"refs/heads/\u00e4\u540d", "refs/heads/a'b\"c;$(x)&|<>!`%41",
		"refs/heads/" + strings.Repeat("n/", 60) + "n",
		"refs/heads/-x", "refs/heads/HEAD", "refs/heads/refs/heads/main", "refs/odd", "refs/tags/v1@x", "refs/tags/main",
		"refs/changes/01/1/meta", "refs/heads/a{b}#"}
	for _, name := range names {
		if name == "refs/heads/refs/heads/main" {
			continue // it is made below, from another commit
		}
		run(t, repo, "update-ref", name, hash)
	}
	other := commit(t, repo, map[string][]byte{"a": []byte("2")})
	run(t, repo, "update-ref", "refs/heads/refs/heads/main", other)
	for _, url := range urlsOf(repo) {
		for _, name := range names {
			want := hash
			if name == "refs/heads/refs/heads/main" {
				want = other
			}
			all := []git.Options{{Reference: name}}
			// New takes a branch that begins with refs/ for a mistake.
			if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok && !strings.HasPrefix(branch, "refs/") {
				all = append(all, git.Options{Branch: branch})
			}
			for _, opts := range all {
				opts.KnownHosts = repo.KnownHosts()
				s := newSource(t, url, opts)
				snapshot := fetch(t, s, source.Revision{})
				if got := snapshot.Revision; got.Digest.Encoded() != want || got.Name != opts.Reference+opts.Branch {
					t.Errorf("%s: got %s, want %s", name, got, want)
				}
				if parsed, err := source.ParseRevision(snapshot.Revision.String()); err != nil || parsed != snapshot.Revision {
					t.Errorf("%s is parsed as %s, %v", snapshot.Revision, parsed, err)
				}
			}
		}
		// A name is never a part of another one.
		for _, opts := range []git.Options{{Branch: "mai"}, {Branch: "n/n"}, {Tag: "v1"}, {Reference: "refs/heads"},
			{Reference: "refs/tags/v1@x^{}"}} {
			opts.KnownHosts = repo.KnownHosts()
			_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, "")
		}
	}
}

func TestRepositoryOfSHA256(t *testing.T) {
	for _, server := range []testbed.GitOptions{{}, {NoProtocol2: true}} {
		repo := testbed.GitWith(t, server)
		must(t, os.RemoveAll(repo.Dir))
		gitIn(t, &testbed.Repository{Dir: filepath.Dir(repo.Dir)}, nil, "init", "-q", "--bare", "-b", "main",
			"--object-format=sha256", repo.Dir)
		check := func(want error, text string) {
			t.Helper()
			for _, url := range urlsOf(repo) {
				for _, opts := range []git.Options{{}, {Branch: "main"}, {Commit: strings.Repeat("1", 40)}, {SemVer: "*"}} {
					opts.KnownHosts = repo.KnownHosts()
					_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
					if checkError(t, err, want, text); want == nil && errors.Is(err, source.ErrNotFound) {
						t.Errorf("got %v", err)
					}
				}
			}
		}
		if server.NoProtocol2 {
			check(source.ErrNotFound, "empty") // the server says nothing at all
		}
		commit(t, repo, map[string][]byte{"a": []byte("1")})
		check(nil, "object format is not sha1")
	}
}

func TestEmptyRepository(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *testbed.Repository, url string, opts git.Options) {
		all := []git.Options{{}, {Branch: "main"}, {Tag: "v1"}, {SemVer: "*"}, {Reference: "refs/pull/1/head"},
			{Commit: strings.Repeat("1", 40)}}
		for _, o := range all {
			o.KnownHosts = opts.KnownHosts
			_, err := newSource(t, url, o).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, "")
		}
	})
}

// A server that gives tips alone gives the tip of what was not asked for, too.
func TestCommitThatIsAnotherBranchesTip(t *testing.T) {
	everyWay(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options) {
		commit(t, repo, map[string][]byte{"a": []byte(url)})
		side, err := repo.CommitTo(t.Context(), "side", map[string][]byte{"b": []byte(url)})
		must(t, err)
		for _, branch := range []string{"", "main"} {
			opts.Commit, opts.Branch = side, branch
			if got := listing(t, fetch(t, newSource(t, url, opts), source.Revision{})); !slices.Equal(got, lsTree(t, repo, side)) {
				t.Errorf("got %q", got)
			}
		}
	})
}
