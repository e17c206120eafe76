package git_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func identityOf(t *testing.T, content fs.FS, name string) string {
	t.Helper()
	identity, err := source.Identity(content, name)
	must(t, err)
	return identity
}

func TestIdentitiesAreTheHashesThatGitHas(t *testing.T) {
	repo := testbed.Git(t)
	hash, err := repo.CommitFS(t.Context(), fstest.MapFS{
		"a": {Data: []byte("1")}, "apps/b": {Data: []byte("1")}, "apps/run": {Data: []byte("1"), Mode: 0o755},
		"apps/deep/er/c": {Data: []byte("3")}, "apps/link": {Data: []byte("deep"), Mode: fs.ModeSymlink},
	})
	must(t, err)
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	check := func(content fs.FS, name, kind, path string) {
		t.Helper()
		want := kind + ":git-sha1:" + strings.TrimSpace(run(t, repo, "rev-parse", hash+":"+path))
		if got := identityOf(t, content, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"a", "apps/b", "apps/run", "apps/deep/er/c"} {
		check(snapshot, name, "file", name)
	}
	for _, name := range []string{"apps", "apps/deep", "apps/deep/er"} {
		check(snapshot, name, "folder", name)
	}
	check(snapshot, ".", "folder", "")
	check(snapshot, "apps/link/er/c", "file", "apps/deep/er/c")
	check(snapshot, "apps/link", "folder", "apps/deep")
	folder, err := fs.Sub(snapshot, "apps")
	must(t, err)
	check(folder, "deep", "folder", "apps/deep")
}

func TestIdentitiesOfOneSourceAreThoseOfAnother(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1"), "apps/b": []byte("1"), "apps/deep/c": []byte("1"), "other/d": []byte("1")})
	s := newSource(t, repo.URL(), git.Options{})
	first := fetch(t, s, source.Revision{})
	commit(t, repo, map[string][]byte{"apps/deep/c": []byte("2")})
	second := fetch(t, s, first.Revision) // of what it has, and of what is new
	fresh := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	for name, changed := range map[string]bool{
		".": true, "apps": true, "apps/deep": true, "apps/deep/c": true, "a": false, "apps/b": false, "other": false, "other/d": false,
	} {
		was, is := identityOf(t, first, name), identityOf(t, second, name)
		if (was != is) != changed {
			t.Errorf("%s: %s became %s", name, was, is)
		}
		if same := identityOf(t, fresh, name); same != is {
			t.Errorf("%s: one Source says %s, and another %s", name, is, same)
		}
	}
}

// What a submodule has is in no snapshot, and which commit of it is meant is in the folder's identity.
func TestFolderWithSubmoduleHasAnIdentity(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("a"), "apps/b": []byte("b")})
	blob := strings.Fields(run(t, repo, "ls-tree", hash))[2]
	run(t, repo, "update-index", "--add", "--cacheinfo", "100644,"+blob+",mixed/a",
		"--cacheinfo", "160000,"+hash+",mixed/module", "--cacheinfo", "160000,"+hash+",alone/module")
	tree := strings.TrimSpace(run(t, repo, "write-tree"))
	run(t, repo, "update-ref", "refs/heads/main", strings.TrimSpace(run(t, repo, "commit-tree", "-m", "x", tree)))
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	if got, want := identityOf(t, snapshot, "."), "folder:git-sha1:"+tree; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := identityOf(t, snapshot, "mixed"); got != "folder:git-sha1:"+strings.TrimSpace(run(t, repo, "rev-parse", tree+":mixed")) {
		t.Errorf("got %s", got)
	}
	if got, err := source.Identity(snapshot, "alone"); err == nil {
		t.Errorf("a folder that is not there has the identity %s", got)
	}
}
