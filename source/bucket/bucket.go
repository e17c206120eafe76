package bucket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket/internal/cache"
)

// A Source is a folder of a bucket, or all of it. Several goroutines may use it at once.
type Source struct {
	driver Driver
	opts   Options // without credentials
	rules  source.IgnoreRules
	cache  *Cache // one that keeps nothing where there is none
	// cachePlace is in the keys of what the cache has of this bucket.
	cachePlace [32]byte

	mu   sync.Mutex
	told bool // of what went wrong with the cache, since the last fetch began
	last contents
	// ignoreFiles are those of the last listing, and some of earlier ones.
	ignoreFiles contents
	pageStarts  []string // keys after which the pages of the last listing began
	unordered   bool     // the store does not list by them
}

var _ source.Source = (*Source)(nil)

// New returns a bucket as a Source. It connects to nothing. A Source is to be kept from one fetch to the next: it holds the
// last content, so that only what is new is read, what credentials it was given, and for ten seconds two connections.
func New(opts Options) (*Source, error) {
	s, err := configure(opts)
	if err != nil {
		bucket := opts.Bucket
		if strings.Contains(bucket, "://") { // somebody's mistake, perhaps with a password
			bucket = source.RedactURL(bucket)
		}
		origin := strings.TrimSuffix(source.RedactURL(opts.Endpoint), "/") + "/" + bucket
		return nil, &source.Error{Op: "configuring", Origin: origin, Err: err}
	}
	return s, nil
}

func configure(opts Options) (*Source, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	rules, err := source.ParseIgnore(opts.Ignore, opts.Limits)
	if err != nil {
		return nil, err
	}
	driver := opts.Driver
	if driver == nil {
		if driver, err = newS3(opts); err != nil {
			return nil, err
		}
	}
	contents := opts.Cache
	if contents == nil {
		contents = &Cache{contents: cache.Memory(0)}
	}
	return &Source{driver: driver, opts: opts.plain(), rules: rules, cache: contents, cachePlace: cachePlace(driver, opts)}, nil
}

// Format implements [fmt.Formatter] by String.
func (s *Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// String returns endpoint, bucket and prefix as a URL.
func (s *Source) String() string { return s.driver.String() + "/" + s.opts.Prefix }

// How often a bucket is listed whose objects change while they are read.
const maxListings = 5

// Fetch implements [source.Source]. If known is current, that costs one request for every thousand keys, which are sent at
// once where the Source has listed the bucket before.
//
// Known has to be from a Source of the same Options, but for AsOf and Before, for it names keys and ETags, and not what was
// made of them. After a change of Options the first Fetch gets the zero Revision.
func (s *Source) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	defer s.use()()
	snapshot, err := s.fetch(ctx, known)
	if err == nil || err == source.ErrNotModified {
		return snapshot, err
	}
	return nil, s.failed(ctx, "fetching", err)
}

// use says that the driver is in use, until what it returns is called.
func (s *Source) use() (end func()) {
	if d, ok := s.driver.(*s3); ok {
		return d.use()
	}
	return func() {}
}

func (s *Source) failed(ctx context.Context, op string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return &source.Error{Op: op, Origin: s.String(), Err: s.clean(err)}
}

// clean hides what the driver knows to be secret, and the store may have put into names.
func (s *Source) clean(err error) error {
	if d, ok := s.driver.(*s3); ok {
		return d.cleanNames(err)
	}
	return err
}

func (s *Source) fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	s.mu.Lock()
	have := s.last
	s.told = false
	s.mu.Unlock()
	var moved error
	for range maxListings {
		listing, err := s.list(ctx)
		if errors.Is(err, ErrMoved) {
			moved = err // it was an ignore file
			continue
		}
		if err != nil {
			return nil, err
		}
		if known.Current(listing.revision) {
			return nil, source.ErrNotModified
		}
		all, err := s.download(ctx, listing, have)
		if err != nil {
			// What did arrive need not arrive again.
			s.add(listing, all)
			have = all
		}
		if errors.Is(err, ErrMoved) {
			moved = err
			continue
		}
		if err != nil {
			return nil, err
		}
		s.keep(all)
		return s.snapshot(listing, all)
	}
	return nil, &source.TemporaryError{Err: moved}
}

// add puts to what came before a failure what there is besides: another fetch may have brought it meanwhile.
func (s *Source) add(l listing, some contents) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range l.objects {
		if body := s.last.at(o); body != nil && some.at(o) == nil {
			some[o.content()] = body
		}
	}
	s.last = some
}

func (s *Source) keep(all contents) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = all
}
