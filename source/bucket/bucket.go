package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/gitopskit/gitopskit/source"
)

// A Source is a folder of a bucket, or all of it. Several goroutines may use it at once. It keeps what was fetched last in
// memory.
type Source struct {
	endpoint url.URL
	opts     Options // without credentials
	client   *minio.Core
	redact   func(string) string // of what a server says

	mu   sync.Mutex
	last contents
}

var _ source.Source = (*Source)(nil)

// New returns a bucket as a Source. It connects to nothing.
func New(opts Options) (*Source, error) {
	s, err := configure(opts)
	if err != nil {
		origin := strings.TrimSuffix(source.RedactURL(opts.Endpoint), "/") + "/" + opts.Bucket
		return nil, &source.Error{Op: "configuring", Origin: origin, Err: err}
	}
	return s, nil
}

func configure(opts Options) (*Source, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	endpoint, err := opts.endpoint()
	if err != nil {
		return nil, err
	}
	if opts.Prefix = strings.TrimSuffix(opts.Prefix, "/"); opts.Prefix != "" {
		opts.Prefix += "/"
	}
	opts.Limits = opts.Limits.WithDefaults()
	opts.Concurrency = cmp.Or(max(opts.Concurrency, 0), DefaultConcurrency)
	client, err := newClient(endpoint, opts)
	redact := redactor(opts.SecretKey, opts.SessionToken, opts.AccessKey)
	opts.AccessKey, opts.SecretKey, opts.SessionToken = "", "", ""
	return &Source{endpoint: *endpoint, opts: opts, client: client, redact: redact}, err
}

func redactor(secrets ...string) func(string) string {
	return func(text string) string {
		for _, secret := range secrets {
			if secret != "" {
				text = strings.ReplaceAll(text, secret, "(redacted)")
			}
		}
		return text
	}
}

// Format implements [fmt.Formatter] by String.
func (s *Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// String returns endpoint, bucket and prefix as a URL.
func (s *Source) String() string {
	u := s.endpoint
	u.Path = "/" + s.opts.Bucket + "/" + s.opts.Prefix
	return u.String()
}

// errMoved means that an object is not any more what the listing said.
var errMoved = errors.New("objects kept changing while they were read")

// How often a bucket is listed whose objects change while they are read.
const maxListings = 5

// Fetch implements [source.Source]. If known is current, that costs one request for every thousand keys.
func (s *Source) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	snapshot, err := s.fetch(ctx, known)
	if err == nil || err == source.ErrNotModified {
		return snapshot, err
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return nil, &source.Error{Op: "fetching", Origin: s.String(), Err: err}
}

func (s *Source) fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	s.mu.Lock()
	have := s.last
	s.mu.Unlock()
	for range maxListings {
		listing, err := s.list(ctx)
		if err != nil {
			return nil, err
		}
		if known.Current(listing.revision) {
			return nil, source.ErrNotModified
		}
		all, err := s.download(ctx, listing.objects, have)
		if errors.Is(err, errMoved) {
			have = all // what did arrive need not arrive again
			continue
		}
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.last = all
		s.mu.Unlock()
		return s.snapshot(listing, all)
	}
	return nil, errMoved
}

// describe sorts a server's refusals into the errors that callers branch on.
func (s *Source) describe(err error) error {
	answer := minio.ErrorResponse{}
	if !errors.As(err, &answer) {
		if errors.Is(err, http.ErrSchemeMismatch) {
			return fmt.Errorf("the server speaks plain HTTP: write http:// before Options.Endpoint, or set Insecure: %w", err)
		}
		return err
	}
	text := s.redact(answer.Error())
	said := fmt.Sprintf("the server answers %d %.100q: %q", answer.StatusCode, answer.Code, text[:min(len(text), 500)])
	switch {
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %s", source.ErrUnauthorized, said)
	case answer.Code == minio.NoSuchBucket || answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("bucket %q: %w: %s", s.opts.Bucket, source.ErrNotFound, said)
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Errorf("redirects are not followed; perhaps Options.Region is another one: %s", said)
	}
	return errors.New(said)
}
