package git

import (
	"context"
	"errors"
	"fmt"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/cache"
	"github.com/gitopskit/gitopskit/source/git/internal/transport"
)

// A Cache keeps the objects of commits that were fetched, so that the next commit brings only what is new, and so that
// several sources on one repository, which is what they have the same URL for, fetch it once. No source gets an object out
// of another repository. Several goroutines may use it at once.
type Cache struct {
	objects cache.Cache
	shared  bool // with other processes, which may stop with a lock in their hands
}

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
func NewCache(opts CacheOptions) *Cache { return &Cache{objects: cache.Memory(opts.maxBytes())} }

// OpenCache returns a cache in a folder, which is made where it is missing. Several processes may use it at once, and it
// outlives them. Nothing in it is trusted: what was damaged is fetched again.
//
// While one fetches content of a repository, others that want some of the same repository wait, to have what it brings. They
// wait for up to Options.StallTimeout, since the one may be suspended or slow; then they tell Options.OnCacheError, and
// fetch without the cache.
func OpenCache(dir string, opts CacheOptions) (*Cache, error) {
	if dir == "" { // which would be the working folder
		return nil, &source.Error{Op: "opening the cache", Err: errors.New("the folder's name is empty")}
	}
	objects, err := cache.Folder(dir, opts.maxBytes())
	if err != nil {
		return nil, &source.Error{Op: "opening the cache", Origin: dir, Err: err}
	}
	return &Cache{objects: objects, shared: true}, nil
}

// lock takes the repository's lock. Without it there is no cache.
func (g *gathering) lock(ctx context.Context) (unlock func(), err error) {
	if g.opts.Cache == nil || !g.opts.Cache.shared {
		return g.repository.Lock(ctx)
	}
	patience := g.opts.StallTimeout
	if patience <= 0 {
		patience = transport.DefaultStallTimeout
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	unlock, err = g.repository.Lock(waiting)
	if err == nil || ctx.Err() != nil {
		return unlock, err
	}
	g.tell("fetching without the cache from", fmt.Errorf("%w after %v, which Options.StallTimeout sets", err, patience))
	g.repository = cache.Memory(0).Repository(g.key)
	return func() {}, nil
}

// tell is for what is no reason to fail.
func (g *gathering) tell(op string, err error) {
	if g.opts.OnCacheError != nil {
		g.opts.OnCacheError(&source.Error{Op: op, Origin: g.String(), Err: err})
	}
}

// Format implements [fmt.Formatter].
func (c *Cache) Format(f fmt.State, _ rune) { fmt.Fprint(f, "git.Cache") }
