package git_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// newProxy starts a proxy that ends with the test.
func newProxy(t *testing.T, opts testbed.ProxyOptions) *testbed.Proxy {
	t.Helper()
	p, err := testbed.StartProxy(opts)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// checkLogin fetches everything, and nothing, and over HTTP holds both to their requests: credentials cost none.
func checkLogin(t *testing.T, repo *testbed.Repository, url string, opts git.Options, hash string) {
	t.Helper()
	repo.TakeRequests()
	s := newSource(t, url, opts)
	snapshot := fetch(t, s, source.Revision{})
	if got := snapshot.Revision.Digest.Encoded(); got != hash {
		t.Errorf("got commit %s, want %s", got, hash)
	}
	overHTTP := strings.HasPrefix(url, "http")
	if got := repo.TakeRequests(); overHTTP && len(got) != 2 {
		t.Errorf("got requests %q, want 2", got)
	}
	if _, err := s.Fetch(t.Context(), snapshot.Revision); err != source.ErrNotModified {
		t.Errorf("got %v, want %v", err, source.ErrNotModified)
	}
	if got := repo.TakeRequests(); overHTTP && len(got) != 1 {
		t.Errorf("nothing is new: got requests %q, want 1", got)
	}
}

func TestAuthOverHTTP(t *testing.T) {
	basic := testbed.GitOptions{User: "reader", Password: "right"}
	for name, tt := range map[string]struct {
		server testbed.GitOptions
		opts   git.Options
		want   error // none: it is let in
	}{
		"anyone":                   {},
		"basic":                    {basic, git.Options{Username: "reader", Password: "right"}, nil},
		"basic to anyone":          {testbed.GitOptions{}, git.Options{Username: "reader", Password: "right"}, nil},
		"wrong password":           {basic, git.Options{Username: "reader", Password: "hunter2"}, source.ErrUnauthorized},
		"no password":              {basic, git.Options{}, source.ErrUnauthorized},
		"bearer":                   {testbed.GitOptions{Token: "right"}, git.Options{Token: "right"}, nil},
		"wrong token":              {testbed.GitOptions{Token: "right"}, git.Options{Token: "hunter2"}, source.ErrUnauthorized},
		"basic for bearer":         {testbed.GitOptions{Token: "right"}, git.Options{Password: "hunter2"}, source.ErrUnauthorized},
		"key of SSH":               {basic, givenLater(git.Credential{PrivateKey: authKey(t).private("")}), nil},
		"agent of SSH":             {basic, givenLater(git.Credential{Agent: true}), nil},
		"bearer, over HTTP at all": {testbed.GitOptions{Token: "right"}, git.Options{Token: "right", AllowPlainHTTP: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			repo := testbed.GitWith(t, tt.server)
			hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
			tt.opts.CA = repo.CA
			_, err := newSource(t, repo.HTTPSURL(), tt.opts).Fetch(t.Context(), source.Revision{})
			switch {
			case strings.HasSuffix(name, "of SSH"):
				checkError(t, err, nil, "those of SSH")
				if got := repo.TakeRequests(); len(got) > 0 {
					t.Errorf("got requests %q, and there was nothing to send", got)
				}
			case tt.want != nil:
				checkError(t, err, tt.want, "401")
				if got := repo.TakeRequests(); len(got) != 1 {
					t.Errorf("got requests %q: what was refused once is not sent again", got)
				}
			default:
				checkLogin(t, repo, repo.HTTPSURL(), tt.opts, hash)
				if tt.opts.CA = nil; tt.opts.AllowPlainHTTP {
					checkLogin(t, repo, repo.URL(), tt.opts, hash)
				}
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{ClientCertificates: true, User: "reader", Password: "right"})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	certificate, key, err := repo.ClientPEM()
	must(t, err)
	opts := git.Options{CA: repo.CA, ClientCertificate: certificate, ClientKey: key, Username: "reader", Password: "right"}
	checkLogin(t, repo, repo.HTTPSURL(), opts, hash)

	none := opts
	none.ClientCertificate, none.ClientKey = nil, nil
	_, err = newSource(t, repo.HTTPSURL(), none).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrUnauthorized, "client certificate")
	stranger := testbed.GitWith(t, testbed.GitOptions{ClientCertificates: true})
	other := opts
	other.ClientCertificate, other.ClientKey, err = stranger.ClientPEM()
	must(t, err)
	_, err = newSource(t, repo.HTTPSURL(), other).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrUnauthorized, "client certificate")
	for name, half := range map[string]git.Options{
		"no key":         {ClientCertificate: certificate},
		"no certificate": {ClientKey: key},
		"another's key":  {ClientCertificate: certificate, ClientKey: other.ClientKey},
		"not PEM":        {ClientCertificate: []byte("hunter2"), ClientKey: []byte("hunter2")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.New(repo.HTTPSURL(), half)
			checkError(t, err, nil, "Options.ClientCertificate")
		})
	}
}

func TestProxies(t *testing.T) {
	key := authKey(t)
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right", AuthorizedKeys: key.public()})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	web := git.Options{Username: "reader", Password: "right"}
	plain := web
	plain.AllowPlainHTTP = true
	shell := git.Options{KnownHosts: repo.KnownHosts(), Username: "reader", PrivateKey: key.private("")}
	for kind, address := range map[string]func(*testbed.Proxy) string{
		"HTTP":   func(p *testbed.Proxy) string { return p.HTTP },
		"HTTPS":  func(p *testbed.Proxy) string { return p.HTTPS },
		"SOCKS5": func(p *testbed.Proxy) string { return p.SOCKS5 },
	} {
		for scheme, tt := range map[string]struct {
			url, target string
			opts        git.Options
		}{
			"https": {repo.HTTPSURL(), strings.TrimPrefix(repo.HTTPS, "https://"), web},
			"http":  {repo.URL(), strings.TrimPrefix(repo.HTTP, "http://"), plain},
			"ssh":   {repo.SSHURL(), strings.TrimPrefix(repo.SSH, "ssh://"), shell},
		} {
			t.Run(scheme+" over "+kind, func(t *testing.T) {
				p := newProxy(t, testbed.ProxyOptions{User: "ann", Password: "hun:ter2@"})
				tt.opts.CA = append(slices.Clone(repo.CA), p.CA...)
				tt.opts.Proxy = address(p)
				checkLogin(t, repo, tt.url, tt.opts, hash)
				got := p.TakeTargets()
				if len(got) == 0 || slices.ContainsFunc(got, func(g string) bool { return g != tt.target }) {
					t.Errorf("the proxy connected to %q, want %s alone", got, tt.target)
				}
				tunnel := scheme != "http" || kind == "SOCKS5"
				if sent, received := p.TakeBytes(); (sent > 0 && received > 0) != tunnel {
					t.Errorf("the proxy carried %d and %d bytes", sent, received)
				}
				tt.opts.Proxy = strings.Replace(address(p), "ann:", "eve:", 1)
				_, err := newSource(t, tt.url, tt.opts).Fetch(t.Context(), source.Revision{})
				checkError(t, err, nil, "")
				if text := err.Error(); strings.Contains(text, "eve") || strings.Contains(text, "ter2") {
					t.Errorf("the proxy's password is in %v", err)
				}
				if got := p.TakeTargets(); len(got) > 0 {
					t.Errorf("with a wrong password the proxy connected to %q", got)
				}
				tt.opts.Proxy = "none"
				checkLogin(t, repo, tt.url, tt.opts, hash)
				if got := p.TakeTargets(); len(got) > 0 {
					t.Errorf("without it the proxy connected to %q", got)
				}
			})
		}
	}
}

func TestPlainHTTPIsRefusedWithCredentials(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "hunter2"})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	inURL := strings.Replace(repo.URL(), "//", "//reader:hunter2@", 1)
	for url, opts := range map[string]git.Options{
		repo.URL():       {Username: "reader", Password: "hunter2"},
		repo.URL() + "/": {Token: "hunter2"},
		inURL:            {},
	} {
		_, err := git.New(url, opts)
		checkError(t, err, nil, "AllowPlainHTTP")
		opts.AllowPlainHTTP = true
		newSource(t, url, opts)
	}
	// Of a function nobody knows before it is asked. One that gives nothing is not refused.
	give := &giver{give: []git.Credential{{Username: "reader", Password: "hunter2"}}}
	_, err := newSource(t, repo.URL(), git.Options{Credentials: give.credential}).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "AllowPlainHTTP")
	if got := repo.TakeRequests(); len(got) > 0 {
		t.Errorf("got requests %q", got)
	}
	checkLogin(t, repo, repo.URL(), git.Options{Credentials: give.credential, AllowPlainHTTP: true}, hash)
	open := testbed.Git(t)
	hash = commit(t, open, map[string][]byte{"a": []byte("1")})
	checkLogin(t, open, open.URL(), git.Options{Credentials: noCredentials}, hash)
}

// A headers remembers the Authorization of each request.
type headers struct {
	mu  sync.Mutex
	all []string
}

func (h *headers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, r.Header.Get("Authorization"))
	w.WriteHeader(http.StatusNotFound)
}

// Not only is a redirect to another host refused: where one's own transport would follow it, nothing is sent along.
func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	seen := new(headers)
	thief := httptest.NewTLSServer(seen)
	defer thief.Close()
	home := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, thief.URL+r.URL.RequestURI(), http.StatusFound)
	}))
	defer home.Close()
	give := &giver{give: []git.Credential{{Token: "hunter2"}}}
	for name, opts := range map[string]git.Options{
		"basic": {Username: "reader", Password: "hunter2"}, "token": {Token: "hunter2"},
		"function": {Credentials: give.credential},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Transport = home.Client().Transport
			_, err := newSource(t, home.URL+"/a.git", opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "another origin")
		})
	}
	if len(seen.all) > 0 {
		t.Errorf("another host was sent %q", seen.all)
	}
}

func TestErrorsOfAuthAreOfTheirKind(t *testing.T) {
	for status, want := range map[int]error{
		http.StatusUnauthorized: source.ErrUnauthorized, http.StatusForbidden: source.ErrUnauthorized,
		http.StatusNotFound: source.ErrNotFound,
	} {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), status)
		}))
		opts := git.Options{Token: "hunter2", Transport: server.Client().Transport}
		_, err := newSource(t, server.URL+"/a.git", opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, want, http.StatusText(status))
		for _, other := range []error{source.ErrUnauthorized, source.ErrNotFound, source.ErrUnverified} {
			if other != want && errors.Is(err, other) {
				t.Errorf("%d: %v is a %v too", status, err, other)
			}
		}
		server.Close()
	}
}

func TestRefusedCredentialsAreNamed(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	inURL := strings.Replace(server.URL, "//", "//u:hunter2@", 1)
	for name, tt := range map[string]struct {
		url  string
		opts git.Options
		want error
		text string
	}{
		"none":       {server.URL, git.Options{}, source.ErrUnauthorized, "; no credentials were given"},
		"password":   {server.URL, git.Options{Username: "u", Password: "hunter2"}, source.ErrUnauthorized, "; refused: Options.Username and Password"},
		"token":      {server.URL, git.Options{Token: "hunter2"}, source.ErrUnauthorized, "; refused: Options.Token"},
		"URL":        {inURL, git.Options{}, source.ErrUnauthorized, "; refused: the URL's user and password"},
		"function":   {server.URL, givenLater(git.Credential{Token: "hunter2"}), source.ErrUnauthorized, "; refused: what Options.Credentials gave"},
		"gives none": {server.URL, git.Options{Credentials: noCredentials}, source.ErrUnauthorized, "; no credentials were given"},
		"empty":      {server.URL, git.Options{Username: "u"}, source.ErrUnauthorized, "Password, of which the password is empty"},
		"line break": {server.URL, git.Options{Username: "u", Password: "hunter2\n"}, source.ErrUnauthorized, "of which the password ends with a line break"},
		"token's":    {server.URL, git.Options{Token: "hunter2\n"}, nil, "Options.Token: the token has a line break"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.opts.Transport = server.Client().Transport
			_, err := newSource(t, tt.url+"/a.git", tt.opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
		})
	}
}

// givenLater are options by which a credential is first seen when it is needed.
func givenLater(c git.Credential) git.Options {
	return git.Options{Credentials: func(context.Context, git.CredentialRequest) (git.Credential, error) { return c, nil }}
}
