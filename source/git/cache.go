package git

import (
	"fmt"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/cache"
)

// A Cache keeps the objects of commits that were fetched, so that the next commit brings only what is new, and so that
// several sources on one repository, which is what they have the same URL for, fetch it once. No source gets an object out
// of another repository. Several goroutines may use it at once.
type Cache struct{ objects cache.Cache }

// CacheOptions bound a cache; the zero value works.
type CacheOptions struct {
	// MaxBytes is how much is kept. Default: DefaultCacheBytes. A commit whose objects are larger is not kept.
	MaxBytes int64
}

// DefaultCacheBytes is what CacheOptions.MaxBytes means where it is zero or less.
const DefaultCacheBytes int64 = 512 << 20

func (o CacheOptions) maxBytes() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return DefaultCacheBytes
}

// NewCache returns a cache in memory.
func NewCache(opts CacheOptions) *Cache { return &Cache{cache.Memory(opts.maxBytes())} }

// OpenCache returns a cache in a folder, which is made where it is missing. Several processes may use it at once, and it
// outlives them. Nothing in it is trusted: what was damaged is fetched again.
func OpenCache(dir string, opts CacheOptions) (*Cache, error) {
	objects, err := cache.Folder(dir, opts.maxBytes())
	if err != nil {
		return nil, &source.Error{Op: "opening the cache", Origin: dir, Err: err}
	}
	return &Cache{objects}, nil
}

// Format implements [fmt.Formatter].
func (c *Cache) Format(f fmt.State, _ rune) { fmt.Fprint(f, "git.Cache") }
