package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/internal/bench/objects"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// Sizes of objects in bytes.
const (
	smallObject = 2 << 10 // a manifest
	largeObject = 5 << 20 // below what clients put, or get, in parts
)

// A stock is what a bucket has.
type stock struct {
	name        string
	count, size int
}

// A bucketWork is one of the area.
type bucketWork struct {
	name, kind string // as it is printed, and its family
	does       string // see [objects.Job]
	stock      stock
}

// Families of works that are of an n.
const (
	firstFew   = "first n/10"
	firstAll   = "first n"
	firstLarge = "first large"
)

// bucketWorks are in the order in which they are done and printed.
func bucketWorks(n int) []bucketWork {
	few := stock{name: "few", count: max(n/10, 1), size: smallObject}
	all := stock{name: "all", count: n, size: smallObject}
	large := stock{name: "large", count: max(n/100, 1), size: largeObject}
	return []bucketWork{
		{fmt.Sprintf("first %d", few.count), firstFew, objects.First, few},
		{firstLarge, firstLarge, objects.First, large},
		{fmt.Sprintf("first %d", all.count), firstAll, objects.First, all},
		{objects.Unchanged, objects.Unchanged, objects.Unchanged, all},
		{objects.OneChanged, objects.OneChanged, objects.OneChanged, all},
	}
}

// A filled bucket is on a server.
type filled struct {
	stock
	bucket  *testbed.Bucket
	sums    map[string][sha256.Size]byte // of what was put, by key
	changes int
}

// fill makes the bucket, with the same objects each time.
func fill(ctx context.Context, server *testbed.S3Server, s stock) (*filled, error) {
	b, err := server.NewBucket(ctx, s.name)
	if err != nil {
		return nil, err
	}
	f := &filled{stock: s, bucket: b, sums: make(map[string][sha256.Size]byte)}
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(objects.Concurrency)
	for i := range s.count {
		group.Go(func() error {
			body := f.body(i, 0)
			mu.Lock()
			f.sums[f.key(i)] = sha256.Sum256(body)
			mu.Unlock()
			return b.Put(inner, f.key(i), body)
		})
	}
	return f, group.Wait()
}

// key puts twenty objects in a folder.
func (f *filled) key(i int) string { return fmt.Sprintf("apps/team-%04d/app-%06d.yaml", i/20, i) }

// body is what nobody can make smaller. Each revision of an object has another size, for two that are put within a second
// and have one size are the same to those who go by time.
func (f *filled) body(i, revision int) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(i))
	binary.LittleEndian.PutUint64(seed[8:], uint64(revision))
	body := make([]byte, f.size+revision)
	_, _ = rand.NewChaCha8(seed).Read(body) // it never fails
	return body
}

// change puts the next revision of the object in the middle.
func (f *filled) change(ctx context.Context) error {
	f.changes++
	i := f.count / 2
	body := f.body(i, f.changes)
	f.sums[f.key(i)] = sha256.Sum256(body)
	return f.bucket.Put(ctx, f.key(i), body)
}
