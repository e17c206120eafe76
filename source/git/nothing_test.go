package git_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// commitModule makes a commit that has a submodule under a path, beside what main has.
func commitModule(t *testing.T, repo *testbed.Repository, branch, path string) {
	t.Helper()
	hash := run(t, repo, "rev-parse", "main")
	run(t, repo, "read-tree", "--empty")
	if branch == "beside" {
		run(t, repo, "read-tree", "main")
	}
	run(t, repo, "update-index", "--add", "--cacheinfo", "160000,"+hash+","+path)
	made := run(t, repo, "commit-tree", "-m", "x", run(t, repo, "write-tree"))
	run(t, repo, "update-ref", "refs/heads/"+branch, made)
	run(t, repo, "read-tree", "main")
}

// Of an empty snapshot it would follow that all that was applied is to be pruned.
func TestNothingIsNotFound(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"apps/web/a.yaml": []byte("1"), "docs/page.md": []byte("1"),
		"mine/a": []byte("1"), "mine/.sourceignore": []byte("*\n")})
	commitModule(t, repo, "module", "mods/sub")
	commitModule(t, repo, "beside", "mods/sub")
	run(t, repo, "read-tree", "--empty")
	run(t, repo, "update-ref", "refs/heads/empty", run(t, repo, "commit-tree", "-m", "x", run(t, repo, "write-tree")))
	ignored := "has no files, or none that is not ignored"
	for name, tt := range map[string]struct {
		opts git.Options
		text string
	}{
		"empty commit":        {git.Options{Branch: "empty"}, ignored},
		"empty, a path":       {git.Options{Branch: "empty", Paths: []string{"apps"}}, `"apps"`},
		"all ignored":         {git.Options{Ignore: "*"}, ignored},
		"path ignored":        {git.Options{Paths: []string{"apps"}, Ignore: "*.yaml"}, `"apps" ` + ignored},
		"path itself ignored": {git.Options{Paths: []string{"apps"}, Ignore: "/apps/"}, `"apps" ` + ignored},
		"one of two":          {git.Options{Paths: []string{"apps", "docs"}, Ignore: "*.md"}, `"docs" ` + ignored},
		"above it ignored":    {git.Options{Paths: []string{"apps/web"}, Ignore: "/apps"}, `"apps/web" ` + ignored},
		"file ignored":        {git.Options{Paths: []string{"docs/page.md"}, Ignore: "*.md"}, `"docs/page.md" ` + ignored},
		"by its own file":     {git.Options{Paths: []string{"mine"}}, `"mine" ` + ignored},
		"only a submodule":    {git.Options{Branch: "module"}, "but for submodules, which Options.Submodules fetches"},
		"path is a submodule": {git.Options{Branch: "beside", Paths: []string{"mods/sub"}}, `"mods/sub" is a submodule, which Options.Submodules fetches`},
		"has a submodule":     {git.Options{Branch: "beside", Paths: []string{"apps", "mods"}}, `"mods" has nothing that is not in a submodule`},
		"below a submodule":   {git.Options{Branch: "beside", Paths: []string{"mods/sub/a"}}, `"mods/sub/a"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, url := range []string{repo.URL(), repo.DaemonURL()} {
				s := newSource(t, url, tt.opts)
				for range 2 {
					snapshot, err := s.Fetch(t.Context(), source.Revision{})
					checkError(t, err, source.ErrNotFound, tt.text)
					if snapshot != nil || strings.Count(err.Error(), "Options.Paths") > 1 {
						t.Errorf("got %v, %v", snapshot, err)
					}
				}
			}
		})
	}
}

// What is below a submodule is told apart from what does not exist, also where its folder has nothing else.
func TestBelowASubmoduleIsNotFetched(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"apps/a": []byte("1")})
	commitModule(t, repo, "beside", "mods/sub")
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{Branch: "beside"}), source.Revision{})
	for name, want := range map[string]error{"mods": source.ErrNotFetched, "mods/sub": source.ErrNotFetched,
		"mods/sub/a/b": source.ErrNotFetched, "apps/none": fs.ErrNotExist, "none": fs.ErrNotExist} {
		_, err := snapshot.Stat(name)
		if !errors.Is(err, want) || want == source.ErrNotFetched && !strings.Contains(err.Error(), "Options.Submodules") {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if entries, err := snapshot.ReadDir("."); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
}

// What is ignored is no error where something is left.
func TestSomethingIsFound(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"apps/a.yaml": []byte("1"), "apps/a.md": []byte("1"), "docs/a.md": []byte("1")})
	for _, opts := range []git.Options{{Ignore: "*.md"}, {Paths: []string{"apps"}, Ignore: "*.md"}} {
		snapshot := fetch(t, newSource(t, repo.URL(), opts), source.Revision{})
		if got := listing(t, snapshot); len(got) != 1 {
			t.Errorf("got %q", got)
		}
	}
}
