// The program of Flux's package for Git.
package main

import (
	"context"
	"io/fs"
	"net/url"

	"github.com/fluxcd/pkg/git"
	"github.com/fluxcd/pkg/git/gogit"
	"github.com/fluxcd/pkg/git/repository"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

func main() { fetch.Main(open) }

// open prepares nothing, for every fetch is a new clone: the package's client says of itself that it works from a clean
// clone always, since its protocol is not fit to fetch into one that is there.
func open(_ context.Context, j fetch.Job) (*fetch.Fetch, error) {
	u, err := url.Parse(j.URL)
	if err != nil {
		return nil, err
	}
	auth, err := git.NewAuthOptions(*u, nil)
	if err != nil {
		return nil, err
	}
	return &fetch.Fetch{Run: func(ctx context.Context) (fs.FS, error) {
		options, files := storage(j)
		client, err := gogit.NewClient(j.Folder, auth, append(options, gogit.WithSingleBranch(true))...)
		if err != nil {
			return nil, err
		}
		defer client.Close() // it does nothing
		commit, err := client.Clone(ctx, j.URL, config(j))
		if err != nil || !git.IsConcreteCommit(*commit) {
			return nil, err
		}
		return files, nil
	}}, nil
}

// config is as source-controller makes it: shallow always, and with the commit that it knows, which costs it a request more
// where there is a new one. The package does not look at it for a range of versions or a commit, nor does a commit get a
// shallow clone. Where a path is wanted, only the work tree is limited to it.
func config(j fetch.Job) repository.CloneConfig {
	c := repository.CloneConfig{ShallowClone: true, CheckoutStrategy: repository.CheckoutStrategy{Branch: fetch.Branch}}
	switch j.Work {
	case fetch.NothingNew, fetch.NewCommit:
		c.LastObservedCommit = fetch.Branch + "@sha1:" + j.Commit
	case fetch.Path:
		c.SparseCheckoutDirectories = []string{j.Path}
	case fetch.SemVer:
		c.CheckoutStrategy = repository.CheckoutStrategy{SemVer: j.Range}
	case fetch.OldCommit:
		c.Commit = j.Commit
	}
	return c
}
