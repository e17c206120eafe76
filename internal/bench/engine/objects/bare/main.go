// The program of the bare loop: what minio-go and the server can do, with nothing checked.
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"testing/fstest"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/objects"
)

func main() { objects.Main(open) }

// A loop is one job.
type loop struct {
	objects.Job
	client *minio.Core
	kept   *contents // of the last time
}

func open(ctx context.Context, j objects.Job) (*fetch.Fetch, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = objects.Concurrency
	client, err := minio.NewCore(j.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(j.AccessKey, j.SecretKey, ""),
		Region: objects.Region, Transport: transport})
	if err != nil {
		return nil, err
	}
	l := &loop{Job: j, client: client, kept: &contents{}}
	if j.Work != objects.First {
		if _, err := l.changed(ctx); err != nil {
			return nil, err
		}
	}
	do := map[string]func(context.Context) (fs.FS, error){
		objects.First: l.changed, objects.Unchanged: l.unchanged, objects.OneChanged: l.changed,
	}[j.Work]
	return &fetch.Fetch{Run: do}, nil
}

// list returns what the bucket has.
func (l *loop) list(ctx context.Context) (all []minio.ObjectInfo, err error) {
	owner := false
	for info := range l.client.ListObjectsIter(ctx, l.Bucket, minio.ListObjectsOptions{Recursive: true, FetchOwner: &owner}) {
		if info.Err != nil {
			return nil, info.Err
		}
		all = append(all, info)
	}
	return all, nil
}

// unchanged is only the listing: nobody looks what is in it.
func (l *loop) unchanged(ctx context.Context) (fs.FS, error) {
	all, err := l.list(ctx)
	if err == nil && len(all) != len(l.kept.infos) {
		err = fmt.Errorf("%d objects are listed after %d", len(all), len(l.kept.infos))
	}
	return nil, err
}

// changed reads the objects whose ETag is not what it was at the same place of the listing: no key comes or goes.
func (l *loop) changed(ctx context.Context) (fs.FS, error) {
	infos, err := l.list(ctx)
	if err != nil {
		return nil, err
	}
	now := &contents{infos: infos, bodies: make([][]byte, len(infos))}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(objects.Concurrency)
	for i, info := range infos {
		if i < len(l.kept.infos) && l.kept.infos[i].ETag == info.ETag {
			now.bodies[i] = l.kept.bodies[i]
			continue
		}
		group.Go(func() (err error) {
			now.bodies[i], err = l.get(inner, info)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	l.kept = now
	return now, nil
}

func (l *loop) get(ctx context.Context, info minio.ObjectInfo) ([]byte, error) {
	stream, _, _, err := l.client.GetObject(ctx, l.Bucket, info.Key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	body := make([]byte, info.Size)
	if _, err := io.ReadFull(stream, body); err != nil {
		return nil, fmt.Errorf("%s: %w", info.Key, err)
	}
	_, _ = io.Copy(io.Discard, stream) // its end, without which the connection is not used again
	return body, nil
}

// contents become a file system when they are looked at, and nothing is measured any more.
type contents struct {
	infos  []minio.ObjectInfo
	bodies [][]byte

	once  sync.Once
	files fstest.MapFS
}

// Open implements [fs.FS].
func (c *contents) Open(name string) (fs.File, error) {
	c.once.Do(func() {
		c.files = make(fstest.MapFS)
		for i, info := range c.infos {
			c.files[info.Key] = &fstest.MapFile{Data: c.bodies[i], Mode: 0o444}
		}
	})
	return c.files.Open(name)
}
