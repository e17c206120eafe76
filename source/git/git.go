package git

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/cache"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/git/internal/transport"
)

// A Source is a repository, and what of it is wanted. Several goroutines may use it at once. It keeps the content that was
// fetched last in memory.
type Source struct {
	url       url.URL // without credentials
	opts      Options // without credentials
	scope     scope
	rules     source.IgnoreRules
	choice    *chooser
	verifier  *verifier
	transport transport.Transport
	objects   cache.Cache
	key       string // what sources share objects by
	module    module
	turn      chan struct{} // holds a value while a goroutine fetches content

	mu       sync.Mutex
	last     *checkout
	verified tip // what was verified last without its content
	refused  refusals
	doubted  refusals // may turn out to be refused
}

var _ source.Source = (*Source)(nil)

// New returns the repository at an http://, https://, ssh:// or git:// URL, or at user@host:path, which is SSH too. It
// connects to nothing.
func New(repository string, opts Options) (*Source, error) {
	s, err := configure(repository, opts)
	if err != nil {
		return nil, &source.Error{Op: "configuring", Origin: source.RedactURL(repository), Err: err}
	}
	return s, nil
}

func configure(repository string, opts Options) (*Source, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	opts = opts.own()
	u, user, err := parseURL(repository)
	if err != nil {
		return nil, err
	}
	if err := opts.suit(u.Scheme); err != nil {
		return nil, err
	}
	credentials, err := opts.credentials(user)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !opts.AllowPlainHTTP && (user != nil || opts.hasCredentials()) {
		return nil, errors.New("credentials would go over plain HTTP, where everybody on the way can read them: " +
			"use https://, or set Options.AllowPlainHTTP")
	}
	opts.Limits = opts.Limits.WithDefaults()
	s := &Source{url: *u, opts: opts.plain(), key: cacheKey(*u, opts.Username), turn: make(chan struct{}, 1)}
	s.module.access = &access{url: *u, asks: opts.Credentials != nil, Options: transport.Options{
		CA: opts.CA, ClientCertificate: opts.ClientCertificate, ClientKey: opts.ClientKey, RoundTripper: opts.Transport,
		Proxy: opts.Proxy, KnownHosts: opts.KnownHosts, AllowPlainHTTP: opts.AllowPlainHTTP, StallTimeout: opts.StallTimeout,
		Credentials: credentials, CredentialsFrom: opts.credentialsFrom(user),
	}}
	if s.transport, err = s.module.access.transport(); err != nil {
		return nil, err
	}
	s.objects = cache.Memory(opts.Limits.MaxBytes)
	if opts.Cache != nil {
		s.objects = opts.Cache.objects
	}
	return s, s.choose(opts)
}

// choose reads the options that say what is wanted.
func (s *Source) choose(opts Options) error {
	var err error
	if s.scope, err = newScope(opts.Paths); err != nil {
		return err
	}
	if s.rules, err = source.ParseIgnore(opts.Ignore, opts.Limits); err != nil {
		return err
	}
	if s.choice, err = newChooser(opts); err != nil {
		return err
	}
	s.verifier, err = newVerifier(opts.Verify)
	return err
}

// Format implements [fmt.Formatter] by String.
func (s *Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// String returns the repository's URL, without credentials.
func (s *Source) String() string { return source.RedactURL(s.url.String()) }

// Fetch implements [source.Source]. If known is current, that costs one request, and none where only a commit is asked for.
// With Options.Verify set, a revision that this Source has not verified yet is verified first, for which the signed objects
// are fetched: somebody else may have fetched it unverified.
//
// The errors are of type [*source.Error]. Where the server is busy, fails, stalls or is not reached, there is a
// [*source.TemporaryError] in them.
func (s *Source) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	snapshot, err := s.fetch(ctx, known)
	if err == nil || err == source.ErrNotModified {
		return snapshot, err
	}
	ended := endOf(ctx)
	if ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	if err = s.transport.Clean(err); ended == nil && isTemporary(err) {
		err = &source.TemporaryError{Err: err}
	}
	return nil, &source.Error{Op: "fetching", Origin: s.String(), Err: err}
}

// endOf is the context's error. To connect ends with the deadline itself, which may be a moment before the context does.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (s *Source) fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if tip, ok := s.choice.needsNone(known); ok && s.hasVerified(tip) {
		return nil, source.ErrNotModified // a hash stands for one thing forever
	}
	remote, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer remote.close()
	tip, err := s.choice.choose(remote.refs)
	if err != nil {
		return nil, err
	}
	now := revision(tip.name, tip.commit)
	if known.Current(now) {
		if err := s.confirm(ctx, remote, tip); err != nil {
			return nil, err
		}
		return nil, source.ErrNotModified
	}
	content, err := s.content(ctx, remote, tip)
	if err != nil {
		return nil, err
	}
	snapshot := source.NewSnapshot(content.files, now)
	snapshot.Signatures = slices.Clone(content.signatures) // the content is for others, too
	return snapshot, nil
}

func revision(name string, commit object.Hash) source.Revision {
	return source.Revision{Name: name, Digest: digest.NewDigestFromEncoded("sha1", commit.String())}
}

// latest returns the last checkout if it is of the tip.
func (s *Source) latest(t tip) *checkout {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A signature is of the tag too, which may have changed, and counts for one name.
	if s.last == nil || s.last.commit != t.commit || s.verifier.tag && (s.last.want != t.want || s.last.tag != t.tag) {
		return nil
	}
	return s.last
}

// lastNeeded is how many objects the last checkout needed.
func (s *Source) lastNeeded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return 0
	}
	return s.last.needed
}

// content returns the tip's files, downloading what is not here.
func (s *Source) content(ctx context.Context, remote *remote, tip tip) (*checkout, error) {
	if last := s.latest(tip); last != nil {
		return last, nil
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if last := s.latest(tip); last != nil {
		return last, nil // another goroutine has fetched it meanwhile
	}
	g := s.gathering(remote, tip)
	g.visits, g.needed = s.newVisits(), s.lastNeeded()
	w, err := g.locked(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.addElsewhere(ctx, w); err != nil {
		return nil, err
	}
	made := &checkout{commit: tip.commit, want: tip.want, tag: tip.tag, files: w.files.FS(), signatures: g.signatures}
	if err := w.present(tip.commit, made.files); err != nil {
		return nil, err
	}
	made.visited, made.needed, made.stored = g.visits.now, len(w.needed), g.stored
	s.mu.Lock()
	s.last = made
	s.mu.Unlock()
	return made, nil
}

// enter waits until no other goroutine fetches content.
func (s *Source) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another fetch of the same source: %w", ctx.Err())
	}
}

func (s *Source) gathering(remote *remote, tip tip) *gathering {
	repository := s.objects.Repository(s.key)
	return &gathering{Source: s, remote: remote, tip: tip, repository: repository, fresh: make(object.Set)}
}

// locked gathers while nobody else fetches from the repository.
func (g *gathering) locked(ctx context.Context) (*walk, error) {
	unlock, err := g.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return g.gather(ctx)
}
