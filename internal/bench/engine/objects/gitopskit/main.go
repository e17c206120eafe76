// The program of gitopskit itself.
package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/objects"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

func main() { objects.Main(open) }

// open makes a Source. Where it is to know what is there, it is one that has fetched all, as one in a program that runs for
// long has.
func open(ctx context.Context, j objects.Job) (*fetch.Fetch, error) {
	origin, err := bucket.New(bucket.Options{Endpoint: "http://" + j.Endpoint, Bucket: j.Bucket, Region: objects.Region,
		AccessKey: j.AccessKey, SecretKey: j.SecretKey, Concurrency: objects.Concurrency,
		Limits: source.Limits{MaxFiles: 2_000_000, MaxBytes: 1 << 40}}) // whatever the command line asks for
	if err != nil {
		return nil, err
	}
	var known source.Revision
	if j.Work != objects.First {
		before, err := origin.Fetch(ctx, source.Revision{})
		if err != nil {
			return nil, err
		}
		known = before.Revision
		if err := before.Close(); err != nil {
			return nil, err
		}
	}
	return &fetch.Fetch{Run: func(ctx context.Context) (fs.FS, error) {
		snapshot, err := origin.Fetch(ctx, known)
		if errors.Is(err, source.ErrNotModified) {
			return nil, nil
		}
		if err != nil {
			return nil, err // and not a nil snapshot in an interface
		}
		return snapshot, nil
	}}, nil
}
