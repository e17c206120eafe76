// The program of gitopskit itself.
package main

import (
	"context"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/fetch/origin"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/opencontainers/go-digest"
)

func main() { fetch.Main(open) }

// open makes a Source. Where a new commit is to come, it is one that has fetched the commit before, as one in a program
// that runs for long has.
func open(ctx context.Context, j fetch.Job) (*fetch.Fetch, error) {
	from, err := git.New(j.URL, options(j))
	if err != nil {
		return nil, err
	}
	var known source.Revision
	switch j.Work {
	case fetch.NothingNew:
		known = source.Revision{Name: fetch.Branch, Digest: digest.NewDigestFromEncoded("sha1", j.Commit)}
	case fetch.NewCommit:
		if known, err = origin.Known(ctx, from); err != nil {
			return nil, err
		}
	}
	return origin.Fetch(from, known), nil
}

// options name what a job wants, as a consumer would.
func options(j fetch.Job) git.Options {
	o := git.Options{Branch: fetch.Branch}
	switch j.Work {
	case fetch.OldCommit:
		o.Commit = j.Commit
	case fetch.Path:
		o.Paths = []string{j.Path}
	case fetch.SemVer:
		o.Branch, o.SemVer = "", j.Range
	}
	return o
}
