package bucket_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

// A memoryDriver is a store of another kind.
type memoryDriver struct {
	mu      sync.Mutex
	objects map[string]string // contents by key
	lists   int
	gets    int
}

func (d *memoryDriver) String() string { return "memory://fleet" }

func (d *memoryDriver) List(_ context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists++
	objects := maps.Clone(d.objects)
	return func(yield func(bucket.Object, error) bool) {
		for key, body := range objects {
			if strings.HasPrefix(key, list.Prefix) && !yield(bucket.Object{Key: key, ETag: etag(body), Size: int64(len(body))}, nil) {
				return
			}
		}
	}
}

func etag(body string) string { return fmt.Sprintf("%x", md5.Sum([]byte(body))) }

func (d *memoryDriver) Get(_ context.Context, o bucket.Object) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gets++
	body, ok := d.objects[o.Key]
	if !ok || etag(body) != o.ETag {
		return nil, bucket.ErrMoved
	}
	return io.NopCloser(strings.NewReader(body)), nil
}

func TestAnotherDriverConforms(t *testing.T) {
	sourcetest.Test(t, func(*testing.T) sourcetest.Origin {
		d := &memoryDriver{objects: make(map[string]string)}
		return sourcetest.Origin{
			New: func() (source.Source, error) { return bucket.New(bucket.Options{Driver: d}) },
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
}

func TestDriverIsAskedForWhatIsNew(t *testing.T) {
	d := &memoryDriver{objects: map[string]string{"a/1": "1", "a/2": "2", "b/3": "3"}}
	s := newSource(t, bucket.Options{Driver: d, Prefix: "a"})
	first := fetch(t, s, source.Revision{})
	if got := names(t, first); !slices.Equal(got, []string{"1", "2"}) || d.lists != 1 || d.gets != 2 {
		t.Errorf("got %q by %d and %d calls", got, d.lists, d.gets)
	}
	if got, want := s.String(), "memory://fleet/a/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d.objects["a/2"] = "two"
	fetch(t, s, first.Revision)
	if d.lists != 2 || d.gets != 3 {
		t.Errorf("got %d and %d calls", d.lists, d.gets)
	}
	_, err := bucket.New(bucket.Options{Driver: d, Bucket: "fleet"})
	checkError(t, err, nil, "Options.Driver excludes")
}

// An endingDriver's listings just end where the context does, as minio-go's do.
type endingDriver struct {
	*memoryDriver
	end func()
}

func (d endingDriver) List(ctx context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		for o, err := range d.memoryDriver.List(ctx, list) {
			if !yield(o, err) {
				return
			}
			if d.end(); ctx.Err() != nil {
				return
			}
		}
	}
}

func TestAListingThatEndsWithTheContextIsNoListing(t *testing.T) {
	d := &endingDriver{&memoryDriver{objects: map[string]string{"a": "1", "b": "2", "c": "3"}}, func() {}}
	s := newSource(t, bucket.Options{Driver: d})
	fetch(t, s, source.Revision{})
	ctx, cancel := context.WithCancel(t.Context())
	d.end = cancel
	_, err := s.Fetch(ctx, source.Revision{})
	if err == nil {
		t.Fatal("a part of the bucket is a snapshot")
	}
	checkError(t, err, context.Canceled, "listing")
	if _, err := s.History(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("the history: got %v", err)
	}
}

func TestADriverExcludesWhatIsForS3(t *testing.T) {
	for name, change := range map[string]func(*bucket.Options){
		"Region":      func(o *bucket.Options) { o.Region = "x" },
		"Style":       func(o *bucket.Options) { o.Style = bucket.StylePath },
		"Insecure":    func(o *bucket.Options) { o.Insecure = true },
		"CA":          func(o *bucket.Options) { o.CA = []byte("x") },
		"Proxy":       func(o *bucket.Options) { o.Proxy = "none" },
		"CustomerKey": func(o *bucket.Options) { o.CustomerKey = []byte("x") },
		"AnyETag":     func(o *bucket.Options) { o.AnyETag = true },
		"Transport":   func(o *bucket.Options) { o.Transport = http.DefaultTransport },
	} {
		opts := bucket.Options{Driver: &memoryDriver{}}
		change(&opts)
		_, err := bucket.New(opts)
		if err == nil {
			t.Errorf("%s is without effect, and nobody says so", name)
			continue
		}
		checkError(t, err, nil, "Options.Driver excludes")
	}
}

// A namelessDriver lists no ETags.
type namelessDriver struct{ *memoryDriver }

func (d namelessDriver) List(ctx context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		for o, err := range d.memoryDriver.List(ctx, list) {
			if o.Key == source.IgnoreFile {
				o.ETag = ""
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (d namelessDriver) Get(_ context.Context, o bucket.Object) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(d.objects[o.Key])), nil
}

func TestIgnoreFilesNeedAnETagToo(t *testing.T) {
	d := namelessDriver{&memoryDriver{objects: map[string]string{source.IgnoreFile: "*.md", "a": "1"}}}
	_, err := newSource(t, bucket.Options{Driver: d}).Fetch(t.Context(), source.Revision{})
	if err == nil {
		t.Fatal("what it says next would not be seen")
	}
	checkError(t, err, nil, "no ETag")
}
