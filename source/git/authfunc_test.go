package git_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// A giver gives credentials one after the other, the last one again and again, and remembers what it was asked.
type giver struct {
	give []git.Credential
	err  error // instead, when the list is empty

	mu    sync.Mutex
	asked []git.CredentialRequest
}

func (g *giver) credential(_ context.Context, r git.CredentialRequest) (git.Credential, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, r)
	if len(g.give) == 0 {
		return git.Credential{}, g.err
	}
	given := g.give[0]
	if len(g.give) > 1 || g.err != nil {
		g.give = g.give[1:]
	}
	return given, nil
}

// take returns whether each question since the last call said that there was a refusal, and checks that it named the URL.
func (g *giver) take(t *testing.T, url string) []bool {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	var refused []bool
	for _, r := range g.asked {
		refused = append(refused, r.Refused)
		if r.URL != url {
			t.Errorf("was asked for the credentials of %q, want %q", r.URL, url)
		}
	}
	g.asked = nil
	return refused
}

// loginWays are a server's ways in, with a function that makes a credential of a password.
func loginWays(
	t *testing.T,
	f func(t *testing.T, repo *testbed.Repository, url string, opts git.Options, as func(string) git.Credential),
) {
	for name, as := range map[string]func(string) git.Credential{
		"https": func(p string) git.Credential { return git.Credential{Username: "reader", Password: p} },
		"ssh":   func(p string) git.Credential { return git.Credential{Username: "reader", Password: p} },
		"token": func(p string) git.Credential { return git.Credential{Token: p} },
	} {
		t.Run(name, func(t *testing.T) {
			server := testbed.GitOptions{User: "reader", Password: "right"}
			if name == "token" {
				server = testbed.GitOptions{Token: "right"}
			}
			repo := testbed.GitWith(t, server)
			commit(t, repo, map[string][]byte{"a": []byte("1")})
			url, opts := repo.HTTPSURL(), git.Options{CA: repo.CA}
			if name == "ssh" {
				url, opts = repo.SSHURL(), git.Options{KnownHosts: repo.KnownHosts()}
			}
			f(t, repo, url, opts, as)
		})
	}
}

func TestCredentialsAreAskedForOnce(t *testing.T) {
	loginWays(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options, as func(string) git.Credential) {
		g := &giver{give: []git.Credential{as("right")}}
		opts.Credentials = g.credential
		s := newSource(t, url, opts)
		if got := g.take(t, url); len(got) > 0 {
			t.Errorf("New asked %v", got)
		}
		known := fetch(t, s, source.Revision{}).Revision
		commit(t, repo, map[string][]byte{"a": []byte("2")})
		fetch(t, s, known)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { _, _ = s.Fetch(t.Context(), source.Revision{}) })
		}
		all.Wait()
		if got := g.take(t, url); !slices.Equal(got, []bool{false}) {
			t.Errorf("six fetches asked %v, want once", got)
		}
	})
}

func TestTokensThatExpireAreRenewed(t *testing.T) {
	loginWays(t, func(t *testing.T, _ *testbed.Repository, url string, opts git.Options, as func(string) git.Credential) {
		late, soon := as("right"), as("right")
		late.Expires, soon.Expires = time.Now().Add(time.Hour), time.Now()
		g := &giver{give: []git.Credential{soon, late}}
		opts.Credentials = g.credential
		s := newSource(t, url, opts)
		known := fetch(t, s, source.Revision{}).Revision
		for range 3 {
			if _, err := s.Fetch(t.Context(), known); err != source.ErrNotModified {
				t.Errorf("got %v", err)
			}
		}
		if got := g.take(t, url); !slices.Equal(got, []bool{false, false}) {
			t.Errorf("was asked %v, want twice, without a refusal", got)
		}
	})
}

func TestRefusedCredentialsAreAskedForAgain(t *testing.T) {
	loginWays(t, func(t *testing.T, _ *testbed.Repository, url string, opts git.Options, as func(string) git.Credential) {
		g := &giver{give: []git.Credential{as("hunter2"), as("right")}}
		opts.Credentials = g.credential
		s := newSource(t, url, opts)
		known := fetch(t, s, source.Revision{}).Revision
		if got := g.take(t, url); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("was asked %v, want once more after the refusal", got)
		}
		if _, err := s.Fetch(t.Context(), known); err != source.ErrNotModified {
			t.Errorf("got %v", err)
		}
		if got := g.take(t, url); len(got) > 0 {
			t.Errorf("was asked again: %v", got)
		}
	})
}

// A function is asked at most twice a fetch, and anew by the next one.
func TestRefusedForGood(t *testing.T) {
	loginWays(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options, as func(string) git.Credential) {
		g := &giver{give: []git.Credential{as("hunter2"), as("hunter2!"), as("right")}}
		opts.Credentials = g.credential
		s := newSource(t, url, opts)
		_, err := s.Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrUnauthorized, "")
		if got := g.take(t, url); !slices.Equal(got, []bool{false, true}) {
			t.Errorf("was asked %v", got)
		}
		if got := repo.TakeRequests(); len(got) > 2 {
			t.Errorf("got requests %q", got)
		}
		fetch(t, s, source.Revision{})
		if got := g.take(t, url); !slices.Equal(got, []bool{false}) {
			t.Errorf("the next fetch asked %v", got)
		}
	})
}

func TestErrorsOfTheCredentialsFunctionAreWrapped(t *testing.T) {
	errVault := errors.New("the vault is sealed")
	loginWays(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options, as func(string) git.Credential) {
		opts.Credentials = (&giver{err: errVault}).credential
		repo.TakeRequests()
		_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, errVault, "asking for credentials: the vault is sealed")
		if errors.Is(err, source.ErrUnauthorized) {
			t.Errorf("nobody was refused: %v", err)
		}
		if got := repo.TakeRequests(); len(got) > 0 {
			t.Errorf("got requests %q", got)
		}
		opts.Credentials = (&giver{give: []git.Credential{as("hunter2")}, err: errVault}).credential
		_, err = newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, errVault, "the vault is sealed")
		checkError(t, err, source.ErrUnauthorized, "")
	})
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	c := git.Credential{Username: "planted1", Password: "planted2", Token: "planted3", PrivateKey: []byte("planted4"),
		Passphrase: []byte("planted5"), Expires: time.Now()}
	opts := git.Options{Username: "planted1", Password: "planted2", Token: "planted3", PrivateKey: []byte("planted4"),
		Passphrase: []byte("planted5"), ClientKey: []byte("planted6"), Proxy: "http://planted7:planted8@example.com"}
	var log strings.Builder
	for _, value := range []any{c, &c, []git.Credential{c}, struct{ C git.Credential }{c}, opts, &opts, struct{ O git.Options }{opts}} {
		fmt.Fprintf(&log, "%v %+v %#v %s %q %x %d\n", value, value, value, value, value, value, value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		encoded, err := json.Marshal(value)
		must(t, err)
		log.Write(encoded)
	}
	for _, secret := range []string{"planted", fmt.Sprintf("%x", "planted"), strings.Trim(fmt.Sprint([]byte("planted")), "[]"),
		base64.StdEncoding.EncodeToString([]byte("planted"))[:8]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s is in %s", secret, &log)
		}
	}
}

// A function that takes its time must not outlive the fetch.
func TestCredentialsFunctionGetsTheContext(t *testing.T) {
	loginWays(t, func(t *testing.T, _ *testbed.Repository, url string, opts git.Options, _ func(string) git.Credential) {
		ctx, cancel := context.WithCancel(t.Context())
		opts.Credentials = func(ctx context.Context, _ git.CredentialRequest) (git.Credential, error) {
			cancel()
			<-ctx.Done()
			return git.Credential{}, ctx.Err()
		}
		_, err := newSource(t, url, opts).Fetch(ctx, source.Revision{})
		checkError(t, err, context.Canceled, "")
	})
}
