package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

// openCache returns the cache in a folder, as another process would open it.
func openCache(t *testing.T, dir string) *bucket.Cache {
	t.Helper()
	c, err := bucket.OpenCache(dir, bucket.CacheOptions{})
	must(t, err)
	return c
}

// eachCache runs a test with a cache of each kind. again returns the cache as another process would have it.
func eachCache(t *testing.T, test func(t *testing.T, again func() *bucket.Cache)) {
	t.Run("memory", func(t *testing.T) {
		c := bucket.NewCache(bucket.CacheOptions{})
		test(t, func() *bucket.Cache { return c })
	})
	t.Run("folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "new", "cache")
		test(t, func() *bucket.Cache { return openCache(t, dir) })
	})
}

// cachedSource returns a source with a cache, where nothing may go wrong.
func cachedSource(t *testing.T, opts bucket.Options, c *bucket.Cache) *bucket.Source {
	t.Helper()
	opts.Cache = c
	if opts.OnCacheError == nil {
		opts.OnCacheError = func(err error) { t.Error(err) }
	}
	return newSource(t, opts)
}

func TestSourcesWithACacheConform(t *testing.T) {
	eachCache(t, func(t *testing.T, again func() *bucket.Cache) {
		sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
			b := testbed.S3(t)
			opts := options(b)
			return sourcetest.Origin{
				New:   func() (source.Source, error) { return cachedSource(t, opts, again()), nil },
				Write: func(ctx context.Context, files map[string][]byte) error { return put(ctx, b, files) },
			}
		})
	})
}

func TestACacheThatIsTooSmallIsNoObstacle(t *testing.T) {
	small := bucket.CacheOptions{MaxBytes: 20_000}
	for name, open := range map[string]func(t *testing.T) (*bucket.Cache, error){
		"memory": func(*testing.T) (*bucket.Cache, error) { return bucket.NewCache(small), nil },
		"folder": func(t *testing.T) (*bucket.Cache, error) { return bucket.OpenCache(t.TempDir(), small) },
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
				d := &memoryDriver{objects: make(map[string]string)}
				c, err := open(t)
				must(t, err)
				return sourcetest.Origin{
					New: func() (source.Source, error) { return bucket.New(bucket.Options{Driver: d, Cache: c}) },
					Write: func(_ context.Context, files map[string][]byte) error {
						d.mu.Lock()
						defer d.mu.Unlock()
						for name, body := range files {
							if d.objects[name] = string(body); body == nil {
								delete(d.objects, name)
							}
						}
						return nil
					},
				}
			})
		})
	}
}

// A countedBucket holds sources to a budget.
type countedBucket struct {
	*testbed.Bucket
	testbed.Recorder
	opts bucket.Options
}

func newCountedBucket(t *testing.T) *countedBucket {
	c := &countedBucket{Bucket: testbed.S3(t)}
	c.opts = options(c.Bucket)
	c.opts.Transport = &c.Recorder
	return c
}

func (c *countedBucket) expect(t *testing.T, when string, lists, gets int) {
	t.Helper()
	lines := c.Take()
	l := testbed.Count(lines, "GET /"+c.Name+"/?")
	if g := testbed.Count(lines, "GET /"+c.Name+"/") - l; l != lists || g != gets || len(lines) != lists+gets {
		t.Errorf("%s: %d LISTs and %d GETs, want %d and %d: %q", when, l, g, lists, gets, lines)
	}
}

func TestSourcesWithOneCacheFetchOnce(t *testing.T) {
	eachCache(t, func(t *testing.T, again func() *bucket.Cache) {
		c := newCountedBucket(t)
		large := bytes.Repeat([]byte("large"), 1<<20)
		must(t, put(t.Context(), c.Bucket, map[string][]byte{
			"a": []byte("a"), "b/c": []byte("c"), "large": large, "skipped": []byte("s"),
			source.IgnoreFile: []byte("/skipped\n"), "b/" + source.IgnoreFile: []byte("x\n"),
		}))
		must(t, c.Put(t.Context(), "empty", nil))
		one, two := cachedSource(t, c.opts, again()), cachedSource(t, c.opts, again())
		first := fetch(t, one, source.Revision{})
		c.expect(t, "first", 1, 6)
		for i, s := range []*bucket.Source{two, cachedSource(t, c.opts, again())} {
			snapshot := fetch(t, s, source.Revision{})
			c.expect(t, fmt.Sprint("source ", i+2), 1, 0)
			if snapshot.Revision != first.Revision || read(t, snapshot, "large") != string(large) || read(t, snapshot, "b/c") != "c" {
				t.Error("content is mixed up")
			}
		}
		must(t, put(t.Context(), c.Bucket, map[string][]byte{"b/c": []byte("C"), "large": large[1:]}))
		second := fetch(t, two, first.Revision)
		c.expect(t, "two keys changed", 1, 2)
		fetch(t, one, first.Revision)
		c.expect(t, "and one knows", 1, 0)
		if read(t, second, "large") != string(large[1:]) || read(t, first, "large") != string(large) || read(t, second, "b/c") != "C" {
			t.Error("content is mixed up")
		}
		prefixed := c.opts
		prefixed.Prefix = "b"
		if got := read(t, fetch(t, cachedSource(t, prefixed, again()), source.Revision{}), "c"); got != "C" {
			t.Errorf("got %q", got)
		}
		c.expect(t, "by another prefix", 1, 0)
	})
}

func TestBucketsInOneCacheStayApart(t *testing.T) {
	eachCache(t, func(t *testing.T, again func() *bucket.Cache) {
		for i := range 2 {
			c := newCountedBucket(t)
			must(t, put(t.Context(), c.Bucket, map[string][]byte{"a": []byte("same"), "twin": []byte("same")}))
			fetch(t, cachedSource(t, c.opts, again()), source.Revision{})
			c.expect(t, fmt.Sprint("bucket ", i), 1, 2)
		}
	})
}

// A gatedDriver waits with each Get for the gate to open.
type gatedDriver struct {
	bucket.Driver
	waiting chan struct{}
	open    chan struct{}
}

func (d gatedDriver) Get(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	d.waiting <- struct{}{}
	select {
	case <-d.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return d.Driver.Get(ctx, o)
}

func TestSourcesFetchOnceAtTheSameTime(t *testing.T) {
	eachCache(t, func(t *testing.T, again func() *bucket.Cache) {
		store := &memoryDriver{objects: map[string]string{}}
		for i := range 50 {
			store.objects[fmt.Sprint(i)] = strings.Repeat(fmt.Sprint(i), 30_000) // some are large
		}
		gate := gatedDriver{store, make(chan struct{}, 1000), make(chan struct{})}
		c := again()
		var group sync.WaitGroup
		for range 4 {
			s := cachedSource(t, bucket.Options{Driver: gate, Concurrency: 50}, c)
			group.Go(func() {
				snapshot, err := s.Fetch(t.Context(), source.Revision{})
				if err != nil {
					t.Error(err)
					return
				}
				for name, want := range store.objects {
					if read(t, snapshot, name) != want {
						t.Errorf("%s is something else", name)
					}
				}
			})
		}
		for range 50 {
			<-gate.waiting // so each is being fetched by one or another
		}
		close(gate.open)
		group.Wait()
		if store.gets != 50 {
			t.Errorf("%d GETs, want 50", store.gets)
		}
	})
}

func TestAnEndedContextEndsNoOtherFetch(t *testing.T) {
	eachCache(t, func(t *testing.T, again func() *bucket.Cache) {
		store := &memoryDriver{objects: map[string]string{"a": "a"}}
		gate := gatedDriver{store, make(chan struct{}, 1000), make(chan struct{})}
		c := again()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := cachedSource(t, bucket.Options{Driver: gate}, c).Fetch(ctx, source.Revision{})
			ended <- err
		}()
		<-gate.waiting
		others := make(chan error)
		for range 3 {
			go func() {
				snapshot, err := cachedSource(t, bucket.Options{Driver: gate}, c).Fetch(t.Context(), source.Revision{})
				if err == nil && read(t, snapshot, "a") != "a" {
					t.Error("content is mixed up")
				}
				others <- err
			}()
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-gate.waiting
		close(gate.open)
		for range 3 {
			must(t, <-others)
		}
		if store.gets != 1 || len(gate.waiting) > 0 {
			t.Errorf("%d GETs came through, and %d more began", store.gets, len(gate.waiting))
		}
	})
}

func TestUnusableCacheIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := newCountedBucket(t)
	must(t, put(t.Context(), c.Bucket, map[string][]byte{"a": []byte("a"), "b": []byte("b"), "large": make([]byte, 3<<20)}))
	var mu sync.Mutex
	var told []error
	opts := c.opts
	opts.OnCacheError = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	}
	cache := openCache(t, dir)
	must(t, os.RemoveAll(dir))
	must(t, os.WriteFile(dir, nil, 0o600))
	for i := range 2 {
		snapshot := fetch(t, cachedSource(t, opts, cache), source.Revision{})
		c.expect(t, "without a folder", 1, 3)
		if len(read(t, snapshot, "large")) != 3<<20 || read(t, snapshot, "a") != "a" {
			t.Error("content is mixed up")
		}
		if len(told) != i+1 {
			t.Fatalf("got %v, want one error for each fetch", told)
		}
		checkError(t, told[i], nil, dir)
	}
	_, err := bucket.OpenCache(dir, bucket.CacheOptions{})
	checkError(t, err, nil, dir)
	must(t, os.Remove(dir))
	fetch(t, cachedSource(t, opts, cache), source.Revision{})
	c.Take()
	fetch(t, cachedSource(t, opts, cache), source.Revision{})
	c.expect(t, "with a folder", 1, 0)
	if len(told) != 2 {
		t.Errorf("the folder can be made again: got %v", told[2:])
	}
	// Nobody has to listen.
	must(t, os.RemoveAll(dir))
	must(t, os.WriteFile(dir, nil, 0o600))
	opts.Cache, opts.OnCacheError = cache, nil
	fetch(t, newSource(t, opts), source.Revision{})
}
