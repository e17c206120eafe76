package git_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// Another source has brought the commit while it was the tip, with other paths. A server that does not give it by its hash
// is asked for the history then, as where nothing of it is here.
func TestPinnedCommitOfWhichOnlyOtherPathsAreHere(t *testing.T) {
	everyWay(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options) {
		hash := commit(t, repo, map[string][]byte{"a/x": []byte("1"), "b/y": []byte("2")})
		opts.Cache, opts.Branch, opts.Paths = git.NewCache(git.CacheOptions{}), "main", []string{"a"}
		fetch(t, newSource(t, url, opts), source.Revision{})
		commit(t, repo, map[string][]byte{"a/x": []byte("3")})
		opts.Commit, opts.Paths = hash, []string{"b"}
		snapshot := fetch(t, newSource(t, url, opts), source.Revision{})
		if got := readFile(t, snapshot, "b/y"); got != "2" {
			t.Errorf("got %q", got)
		}
	})
}

// postless lets no POST through, as if the network was gone after the list of references.
type postless struct{ http.RoundTripper }

func (p postless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return p.RoundTripper.RoundTrip(r)
}

// Who takes something for gone must not do so where the network was.
func TestPinnedCommitIsNotMissingWhereTheNetworkIs(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	for name, hash := range map[string]string{"tip": run(t, repo, "rev-parse", "main"), "none": strings.Repeat("1", 40)} {
		for _, head := range []string{"refs/heads/main", "refs/heads/none"} {
			run(t, repo, "symbolic-ref", "HEAD", head)
			for _, paths := range [][]string{nil, {"a"}} {
				opts := git.Options{Commit: hash, Paths: paths, Transport: postless{http.DefaultTransport}}
				_, err := newSource(t, repo.URL(), opts).Fetch(t.Context(), source.Revision{})
				if checkError(t, err, nil, "refused"); errors.Is(err, source.ErrNotFound) {
					t.Errorf("%s with HEAD %s: got %v", name, head, err)
				}
			}
		}
	}
}
