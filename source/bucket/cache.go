package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket/internal/cache"
)

// A Cache keeps the content of objects that were fetched, so that the next fetch brings only what is new, and so that
// several sources on one bucket fetch it once, also when they do so at the same time. Several goroutines may use it at once.
//
// Content is found by what a listing says: the bucket, as [Driver]'s String names it, key, ETag and size, and a digest of
// Options.CustomerKey where there is one. So whoever may list a bucket through a Cache gets what another Source has read of
// it, even without the permission to read that. Where that must not be, sources have a Cache each.
type Cache struct {
	contents cache.Cache
	flights  cache.Flights
}

// CacheOptions bound a cache; the zero value works.
type CacheOptions struct {
	// MaxBytes is how much is kept. In a folder, each object counts in blocks of 4 KiB. Default: DefaultCacheBytes. An object
	// that is larger is not kept.
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
func NewCache(opts CacheOptions) *Cache { return &Cache{contents: cache.Memory(opts.maxBytes())} }

// OpenCache returns a cache in a folder, which is made where it is missing. Several processes may use it at once, and it
// outlives them. What was damaged is noticed, told to Options.OnCacheError and fetched again; but whoever may write to the
// folder can put content there, so it has to be this user's alone.
//
// Objects of more than a megabyte go to the folder as they come, and a Snapshot reads them from there, one at a time, whenever
// somebody opens them. They stay there for it also when they leave the cache: as open files, of which there are 256 at most,
// and further ones as hard links. Where they are changed or removed all the same, reading one is an error.
func OpenCache(dir string, opts CacheOptions) (*Cache, error) {
	if dir == "" { // which would be the working folder
		return nil, &source.Error{Op: "opening the cache", Err: errors.New("the folder's name is empty")}
	}
	contents, err := cache.Folder(dir, opts.maxBytes())
	if err != nil {
		return nil, &source.Error{Op: "opening the cache", Origin: dir, Err: err}
	}
	return &Cache{contents: contents}, nil
}

// Format implements [fmt.Formatter].
func (c *Cache) Format(f fmt.State, _ rune) { fmt.Fprint(f, "bucket.Cache") }

// cachePlace is what the keys of one bucket's content begin with.
func cachePlace(driver Driver, opts Options) [sha256.Size]byte {
	var customerKey [sha256.Size]byte
	if len(opts.CustomerKey) > 0 {
		customerKey = sha256.Sum256(opts.CustomerKey)
	}
	place := driver.String()
	if opts.AnyETag { // its content was held against less
		place += " any ETag"
	}
	return sha256.Sum256(append(customerKey[:], place...))
}

// cacheKey is of what the listing says of the object. The key's length is in it, so that no two objects make one text.
func (s *Source) cacheKey(o Object) cache.Key {
	text := append([]byte(nil), s.cachePlace[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(o.Size))
	text = binary.BigEndian.AppendUint64(text, uint64(len(o.Key)))
	return sha256.Sum256(append(append(text, o.Key...), o.ETag...))
}

// body returns an object's content, out of the cache or by the driver.
func (s *Source) body(ctx context.Context, o Object) (*cache.Body, error) {
	key := s.cacheKey(o)
	return s.cache.flights.Do(ctx, key, func() (*cache.Body, error) {
		body, err := s.cache.contents.Get(key)
		if err != nil {
			s.tell(err)
		}
		if body != nil && body.Size() == o.Size {
			return body, nil
		}
		return s.get(ctx, o, key)
	})
}

// take reads an object that has begun to come. It is nil without an error where the cache began to keep it and could not, and
// part of it is gone: then it has to come again, for memory.
func (s *Source) take(ctx context.Context, key cache.Key, o Object, stream io.Reader) (*cache.Body, error) {
	body, err := s.cache.contents.Put(ctx, key, o.Size, stream)
	if problem := new(cache.KeepError); errors.As(err, &problem) {
		s.tell(problem)
		return body, nil
	}
	return body, err
}

func takeInMemory(_ context.Context, _ cache.Key, o Object, stream io.Reader) (*cache.Body, error) {
	return cache.Read(stream, o.Size)
}

// tell reports what went wrong with the cache, the first time in a fetch.
func (s *Source) tell(problem error) {
	s.mu.Lock()
	told := s.told
	s.told = true
	s.mu.Unlock()
	if !told && s.opts.OnCacheError != nil {
		s.opts.OnCacheError(&source.Error{Op: "keeping content of", Origin: s.String(), Err: s.clean(problem)})
	}
}
