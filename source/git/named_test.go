package git_test

import (
	"fmt"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// git show-ref and the pages of hosts tell a tag's own hash, which is not its commit's.
func TestATagsHashIsNoCommits(t *testing.T) {
	for _, kind := range []string{"able", "version 0, able less"} {
		r := newSignedRepo(t, servers[kind])
		for _, name := range []string{"plain", "outer"} {
			for _, opts := range []git.Options{{}, {Tag: name}, {Branch: "main"}, {Paths: []string{"apps"}}, {Verify: r.verification("commit")}} {
				opts.Commit = r.objects[name]
				for _, url := range []string{r.URL(), r.DaemonURL()} {
					s := newSource(t, url, opts)
					want := fmt.Sprintf("Options.Commit %s is the annotated tag %q, of the commit %s: give the commit", opts.Commit, name, r.objects["main"])
					_, err := s.Fetch(t.Context(), source.Revision{})
					checkError(t, err, nil, want)
					known, err := source.ParseRevision("sha1:" + opts.Commit)
					must(t, err)
					if opts.Verify.Commit {
						_, err = s.Fetch(t.Context(), known)
						checkError(t, err, nil, want)
					}
				}
			}
		}
	}
}

// A name that leads nowhere is told with what there is.
func TestWrongNames(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"apps/web/a": []byte("1"), "apps/db/b": []byte("1"), "file": []byte("1")})
	run(t, repo, "branch", "staging", "main")
	run(t, repo, "tag", "v1.0.0", "main")
	for name, tt := range map[string]struct {
		opts          git.Options
		overHTTP, all string // what the errors have
	}{
		"branch":         {git.Options{Branch: "mian"}, `branch "mian": not found among 2 branches; HEAD is "main"`, `branch "mian": not found`},
		"HEAD's branch":  {git.Options{Branch: "mian"}, "", `; HEAD is "main"`},
		"tag as branch":  {git.Options{Branch: "v1.0.0"}, "", `; HEAD is "main"; there is a tag of this name, for Options.Tag`},
		"tag":            {git.Options{Tag: "v2"}, `tag "v2": not found among 1 tag`, `tag "v2": not found`},
		"branch as tag":  {git.Options{Tag: "staging"}, "", "; there is a branch of this name, for Options.Branch"},
		"reference":      {git.Options{Reference: "refs/pull/1/head"}, "", `reference "refs/pull/1/head": not found`},
		"root":           {git.Options{Paths: []string{"app"}}, "", `Options.Paths: "app": the repository's root has no "app": not found`},
		"below root":     {git.Options{Paths: []string{"app/web"}}, "", `Options.Paths: "app/web": the repository's root has no "app": not found`},
		"folder":         {git.Options{Paths: []string{"apps/wbe"}}, "", `Options.Paths: "apps/wbe": "apps" has no "wbe": not found`},
		"deeper":         {git.Options{Paths: []string{"apps/wbe/a", "file"}}, "", `"apps" has no "wbe": not found`},
		"below a file":   {git.Options{Paths: []string{"apps/web/a/b"}}, "", `Options.Paths: "apps/web/a/b": "apps/web/a" is not a folder: not found`},
		"pattern":        {git.Options{Paths: []string{"apps/*"}}, "", `"apps" has no "*": not found; these are names, and no patterns`},
		"other patterns": {git.Options{Paths: []string{"[a]pps"}}, "", `no patterns`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, url := range urlsOf(repo) {
				tt.opts.KnownHosts = repo.KnownHosts()
				_, err := newSource(t, url, tt.opts).Fetch(t.Context(), source.Revision{})
				checkError(t, err, source.ErrNotFound, tt.all)
				if url == repo.URL() {
					checkError(t, err, source.ErrNotFound, tt.overHTTP)
				}
			}
		})
	}
}

func TestFullNamesAreReferences(t *testing.T) {
	for name, tt := range map[string]struct {
		opts git.Options
		text string
	}{
		"branch":      {git.Options{Branch: "refs/heads/main"}, `the full name "refs/heads/main" of a reference is in Options.Branch: set Options.Branch to "main"`},
		"tag":         {git.Options{Tag: "refs/tags/v1"}, `set Options.Tag to "v1"`},
		"wrong field": {git.Options{Branch: "refs/tags/v1"}, `set Options.Tag to "v1"`},
		"other":       {git.Options{Tag: "refs/pull/7/head"}, `set Options.Reference to "refs/pull/7/head"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.New("https://example.com/a.git", tt.opts)
			checkError(t, err, nil, tt.text)
		})
	}
}

func TestRangesWithoutATagTellWhatThereIs(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	check := func(opts git.Options, text string) {
		t.Helper()
		for _, url := range urlsOf(repo) {
			opts.KnownHosts = repo.KnownHosts()
			_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, text)
		}
	}
	check(git.Options{SemVer: "1.x"}, `a tag within the range "1.x": not found among 0 tags`)
	run(t, repo, "tag", "v1", "main")
	check(git.Options{SemVer: "1.x"}, "among 1 tag and none is a version, which has three numbers")
	for _, tag := range []string{"web/v1.2.0", "web/v1.10.0", "web/next", "v3.0.0-rc.1", "v2.1.0"} {
		run(t, repo, "tag", tag, "main")
	}
	check(git.Options{SemVer: ">=4"}, `among 6 tags and 2 are versions, the highest "3.0.0-rc.1"; prereleases count with Options.Prereleases`)
	check(git.Options{SemVer: ">=4", Prereleases: true}, `the highest "3.0.0-rc.1"`)
	check(git.Options{SemVer: "2.x", TagPattern: "^web/(.*)$"}, `among 6 tags, of which 3 match Options.TagPattern and 2 are versions, the highest "1.10.0"`)
	check(git.Options{SemVer: "2.x", TagPattern: "^api/(.*)$"}, `among 6 tags, of which 0 match Options.TagPattern and none is a version`)
}
