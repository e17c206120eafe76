package git_test

import (
	"fmt"
	"testing"

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
