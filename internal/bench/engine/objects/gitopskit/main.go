// The program of gitopskit itself.
package main

import (
	"context"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/fetch/origin"
	"github.com/gitopskit/gitopskit/internal/bench/objects"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

func main() { objects.Main(open) }

// open makes a Source. Where it is to know what is there, it is one that has fetched all, as one in a program that runs for
// long has.
func open(ctx context.Context, j objects.Job) (*fetch.Fetch, error) {
	from, err := bucket.New(bucket.Options{Endpoint: "http://" + j.Endpoint, Bucket: j.Bucket, Region: objects.Region,
		AccessKey: j.AccessKey, SecretKey: j.SecretKey, Concurrency: objects.Concurrency,
		Limits: source.Limits{MaxFiles: 2_000_000, MaxBytes: 1 << 40}}) // whatever the command line asks for
	if err != nil {
		return nil, err
	}
	var known source.Revision
	if j.Work != objects.First {
		if known, err = origin.Known(ctx, from); err != nil {
			return nil, err
		}
	}
	return origin.Fetch(from, known), nil
}
