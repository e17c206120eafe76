package bucket_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log"
	"strings"
	"sync"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A mapStore is the smallest store there is: contents by key. Whatever changes with the content may be an ETag.
type mapStore struct{ contents sync.Map }

func (m *mapStore) String() string { return "map://fleet" }

func (m *mapStore) List(_ context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	return func(yield func(bucket.Object, error) bool) {
		m.contents.Range(func(key, content any) bool {
			o := bucket.Object{Key: key.(string), ETag: m.etag(content.(string)), Size: int64(len(content.(string)))}
			return !strings.HasPrefix(o.Key, list.Prefix) || yield(o, nil)
		})
	}
}

func (m *mapStore) Get(_ context.Context, o bucket.Object) (io.ReadCloser, error) {
	content, ok := m.contents.Load(o.Key)
	if !ok || m.etag(content.(string)) != o.ETag {
		return nil, bucket.ErrMoved
	}
	return io.NopCloser(strings.NewReader(content.(string))), nil
}

func (m *mapStore) etag(content string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
}

// Another kind of store takes two methods. One that keeps versions lists them where List.Versions is set.
func ExampleDriver() {
	store := &mapStore{}
	store.contents.Store("prod/web.yaml", "kind: Deployment")
	origin, err := bucket.New(bucket.Options{Driver: store, Prefix: "prod"})
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := origin.Fetch(context.Background(), source.Revision{})
	if err != nil {
		log.Fatal(err)
	}
	defer snapshot.Close()
	content, err := fs.ReadFile(snapshot, "web.yaml")
	fmt.Println(origin, string(content), err)
	// Output: map://fleet/prod/ kind: Deployment <nil>
}
