package git_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A tag comes with its commit, and where a cache has that from a source that verifies nothing, by itself.
func TestVerifyOfATagWithPaths(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSignedRepo(t, server)
			run(t, r.Repository, "repack", "-adfq")
			shared := git.NewCache(git.CacheOptions{})
			for i, cache := range []*git.Cache{nil, shared} {
				opts := git.Options{Tag: "v1.0.0", Paths: []string{"branch"}, Cache: cache}
				if cache != nil {
					fetch(t, newSource(t, r.URL(), opts), source.Revision{})
				}
				opts.Verify = r.verification("commit, tag")
				for _, url := range []string{r.URL(), r.SSHURL()} {
					opts.KnownHosts = r.KnownHosts()
					snapshot := fetch(t, newSource(t, url, opts), source.Revision{})
					want := []source.Signature{r.signed(object.Tag, "v1.0.0"), r.signed(object.Commit, "main")}
					if !slices.Equal(snapshot.Signatures, want) {
						t.Errorf("%d: got %+v, want %+v", i, snapshot.Signatures, want)
					}
					if got := readFile(t, snapshot, "branch"); got != "main" {
						t.Errorf("%d: got %q", i, got)
					}
				}
				for _, tag := range []string{"v2.0.0", "plain", "strange"} {
					opts.Tag = tag
					checkUnverified(t, newSource(t, r.URL(), opts), nil, fmt.Sprintf("tag %q", tag))
				}
			}
		})
	}
}

// A commit in a branch's history is found by going back, on servers that give nothing by its hash, and verified too.
func TestVerifyOfAnOldCommit(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSignedRepo(t, server)
			for i := range 4 {
				commit(t, r.Repository, map[string][]byte{"v": fmt.Append(nil, i)})
			}
			unsigned := run(t, r.Repository, "rev-parse", "main~2")
			opts := git.Options{Branch: "main", Commit: r.objects["main"], Verify: r.verification("commit")}
			snapshot := fetch(t, newSource(t, r.URL(), opts), source.Revision{})
			if !slices.Equal(snapshot.Signatures, []source.Signature{r.signed(object.Commit, "main")}) {
				t.Errorf("got %+v", snapshot.Signatures)
			}
			opts.Commit = unsigned
			checkUnverified(t, newSource(t, r.URL(), opts), source.ErrUnsigned, unsigned)
		})
	}
}
