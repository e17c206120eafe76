package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// A Source is a repository, and what of it is wanted. Several goroutines may use it at once. It keeps the objects of the
// commit that was fetched last in memory.
type Source struct {
	base      url.URL // without credentials
	opts      Options // without credentials
	client    *http.Client
	authorize func(*http.Request) // hides the credentials from whatever prints a Source
	redact    func(string) string

	mu   sync.Mutex
	last *checkout
}

var _ source.Source = (*Source)(nil)

// New returns the repository at an http:// or https:// URL. It connects to nothing.
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
	u, user, err := parseURL(repository)
	if err != nil {
		return nil, err
	}
	if user != nil && opts.Username+opts.Password != "" {
		return nil, errors.New("both the URL and Options have credentials")
	}
	name, password := opts.Username, opts.Password
	if user != nil {
		name = user.Username()
		password, _ = user.Password()
	}
	opts.Username, opts.Password = "", ""
	opts.Limits = opts.Limits.WithDefaults()
	s := &Source{base: *u, opts: opts}
	s.authorize = func(r *http.Request) {
		if name+password != "" {
			r.SetBasicAuth(name, password)
		}
	}
	s.redact = func(text string) string {
		for _, secret := range []string{password, name} {
			if secret != "" {
				text = strings.ReplaceAll(text, secret, "(redacted)")
			}
		}
		return text
	}
	s.client, err = newClient(opts)
	return s, err
}

// Format implements [fmt.Formatter] by String.
func (s *Source) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// String returns the repository's URL, without credentials.
func (s *Source) String() string { return source.RedactURL(s.base.String()) }

// Fetch implements [source.Source]. If known is current, that costs one request, and none where only a commit is asked for.
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.opts.Commit != "" && s.opts.Branch == "" && known.Current(revision("", plumbing.NewHash(s.opts.Commit))) {
		return nil, source.ErrNotModified // a hash stands for one thing forever
	}
	remote, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	tip, err := resolve(remote.references, s.opts)
	if err != nil {
		return nil, err
	}
	now := revision(tip.name, tip.commit)
	if known.Current(now) {
		return nil, source.ErrNotModified
	}
	content, err := s.content(ctx, remote, tip)
	if err != nil {
		return nil, err
	}
	return source.NewSnapshot(content, now), nil
}

func revision(name string, commit plumbing.Hash) source.Revision {
	return source.Revision{Name: name, Digest: digest.NewDigestFromEncoded("sha1", commit.String())}
}

// content returns the tip's files, downloading what the last checkout has not.
func (s *Source) content(ctx context.Context, remote *remote, tip tip) (fs.FS, error) {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != nil && last.commit == tip.commit {
		return last.files, nil
	}
	next, err := s.download(ctx, remote, tip, last)
	if last != nil && errors.Is(err, errIncomplete) {
		// The server left out what it thinks we have. Everything then.
		next, err = s.download(ctx, remote, tip, nil)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last = next
	s.mu.Unlock()
	return next.files, nil
}

func (s *Source) download(ctx context.Context, remote *remote, tip tip, last *checkout) (*checkout, error) {
	var have objects
	var common *plumbing.Hash
	if last != nil {
		have, common = last.objects, &last.commit
	}
	pack, err := remote.pack(ctx, tip.want, common)
	if err != nil {
		return nil, describe(tip, err)
	}
	defer pack.Close() // everything that matters has been read
	fresh, err := readPack(ctx, pack, have, s.opts.Limits)
	if err = pack.blame(err); err != nil {
		return nil, describe(tip, err)
	}
	return newCheckout(ctx, tip.commit, fresh, have, s.opts.Limits)
}

// describe says more about a refusal to hand out a commit.
func describe(tip tip, err error) error {
	if refused := new(remoteError); tip.pinned && errors.As(err, &refused) && strings.Contains(refused.text, "not our ref") {
		return fmt.Errorf("commit %s: %w: there is none, or the server gives tips of branches and tags only: %w",
			tip.commit, source.ErrNotFound, err)
	}
	return err
}
