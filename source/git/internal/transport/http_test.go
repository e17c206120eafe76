package transport

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

func TestHTTPCredentials(t *testing.T) {
	basic, commit := repository(t, testbed.GitOptions{User: "ann", Password: "p:ss wörd"})
	bearer, inBearer := repository(t, testbed.GitOptions{Token: "t0ken-of-ann"})
	password := Credential{Username: "ann", Password: "p:ss wörd"}
	token := Credential{Token: "t0ken-of-ann"}
	for name, tt := range map[string]struct {
		r          *testbed.Repository
		commit     string
		credential Credential
		want       error
		text       string
	}{
		"basic":           {basic, commit, password, nil, ""},
		"bearer":          {bearer, inBearer, token, nil, ""},
		"anyone":          {basic, commit, Credential{}, source.ErrUnauthorized, "401"},
		"wrong":           {basic, commit, Credential{Username: "ann", Password: "nope-hunter2"}, source.ErrUnauthorized, "401"},
		"wrong kind":      {basic, commit, token, source.ErrUnauthorized, "401"},
		"both":            {basic, commit, Credential{Username: "ann", Token: "hunter2"}, nil, "both"},
		"those of SSH":    {basic, commit, Credential{Agent: true}, nil, "SSH"},
		"those of SSH, 2": {basic, commit, Credential{PrivateKey: []byte("hunter2")}, nil, "SSH"},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			err := converse(t.Context(), newTransport(t, tt.r.HTTPSURL(), Options{CA: tt.r.CA, Credentials: give(tt.credential)}), 2, tt.commit)
			switch {
			case tt.want == nil && tt.text == "":
				must(t, err)
			case err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "hunter2"):
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestPlainHTTPGetsNoCredentialsUnlessAllowed(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{User: "ann", Password: "secret"})
	opts := Options{Credentials: give(Credential{Username: "ann", Password: "secret"})}
	err := converse(t.Context(), newTransport(t, r.URL(), opts), 2, commit)
	if !errors.Is(err, ErrPlainHTTP) || !strings.Contains(err.Error(), "Options.AllowPlainHTTP") {
		t.Errorf("got %v", err)
	}
	if got := r.TakeRequests(); len(got) > 0 {
		t.Errorf("got requests %v", got)
	}
	opts.AllowPlainHTTP = true
	must(t, converse(t.Context(), newTransport(t, r.URL(), opts), 2, commit))
}

func TestRefusedCredentialsAreAskedForOnceMore(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{Token: "new-token"})
	var asked []Request
	transport := newTransport(t, r.HTTPSURL(), Options{CA: r.CA, Credentials: func(_ context.Context, q Request) (Credential, error) {
		asked = append(asked, q)
		if q.Refused {
			return Credential{Token: "new-token"}, nil
		}
		return Credential{Token: "old-token"}, nil
	}})
	must(t, converse(t.Context(), transport, 2, commit))
	want := []Request{{URL: r.HTTPSURL()}, {URL: r.HTTPSURL(), Refused: true}}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if got := r.TakeRequests(); len(got) != 5 {
		t.Errorf("got requests %q, want one more than four", got)
	}
	must(t, converse(t.Context(), transport, 2, commit))
	if len(asked) != 2 {
		t.Errorf("credentials that are good were asked for again: %v", asked)
	}
}

func TestSameCredentialsAreNotSentTwice(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{Token: "right"})
	transport := newTransport(t, r.HTTPSURL(), Options{CA: r.CA, Credentials: give(Credential{Token: "wrong"})})
	if err := converse(t.Context(), transport, 2, commit); !errors.Is(err, source.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
	if got := r.TakeRequests(); len(got) != 1 {
		t.Errorf("got requests %q", got)
	}
}

func TestCredentialsAreKeptUntilTheyExpire(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{Token: "right"})
	for expires, want := range map[time.Duration]int{time.Hour: 1, early / 2: 1, 0: 8} { // 4 requests in each of 2 conversations
		asked := 0
		transport := newTransport(t, r.HTTPSURL(), Options{CA: r.CA, Credentials: func(context.Context, Request) (Credential, error) {
			asked++
			return Credential{Token: "right", Expires: time.Now().Add(expires)}, nil
		}})
		for range 2 {
			must(t, converse(t.Context(), transport, 2, commit))
		}
		if asked != want {
			t.Errorf("with credentials for %v: asked %d times, want %d", expires, asked, want)
		}
	}
}

func TestErrorsOfCredentials(t *testing.T) {
	r, _ := repository(t, testbed.GitOptions{Token: "right"})
	own := errors.New("no identity")
	for _, u := range []string{r.HTTPSURL(), r.SSHURL()} {
		transport := newTransport(t, u, Options{CA: r.CA, KnownHosts: r.KnownHosts(), Credentials: func(context.Context, Request) (Credential, error) {
			return Credential{}, own
		}})
		if _, err := transport.Open(t.Context(), 2); !errors.Is(err, own) {
			t.Errorf("got %v", err)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{ClientCertificates: true})
	certificate, key, err := r.ClientPEM()
	must(t, err)
	must(t, converse(t.Context(), newTransport(t, r.HTTPSURL(), Options{CA: r.CA, ClientCertificate: certificate, ClientKey: key}), 2, commit))
	err = converse(t.Context(), newTransport(t, r.HTTPSURL(), Options{CA: r.CA}), 2, commit)
	if !errors.Is(err, source.ErrUnauthorized) || !strings.Contains(err.Error(), "client certificate") {
		t.Errorf("got %v", err)
	}
	if err = converse(t.Context(), newTransport(t, r.HTTPSURL(), Options{}), 2, commit); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("got %v", err)
	}
}

func TestRoundTripperOfTheConsumer(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	own := &http.Transport{DisableKeepAlives: true}
	recorder := &testbed.Recorder{Next: own}
	must(t, converse(t.Context(), newTransport(t, r.URL(), Options{RoundTripper: recorder}), 2, commit))
	if got := recorder.Take(); len(got) != 4 {
		t.Errorf("got requests %q", got)
	}
}

func TestProxies(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	for name, opts := range map[string]testbed.ProxyOptions{"anyone": {}, "password": {User: "proxyuser", Password: "proxy:hunter2@"}} {
		p, err := testbed.StartProxy(opts)
		must(t, err)
		defer p.Close()
		ca := slices.Concat(r.CA, p.CA)
		for kind, via := range map[string]string{"http": p.HTTP, "https": p.HTTPS, "socks5": p.SOCKS5} {
			for _, u := range []string{r.URL(), r.HTTPSURL(), r.SSHURL(), r.DaemonURL()} {
				t.Run(fmt.Sprint(name, kind, parse(t, u).Scheme), func(t *testing.T) {
					leavesNothing(t)
					with := Options{CA: ca, KnownHosts: r.KnownHosts(), Proxy: via}
					must(t, converse(t.Context(), newTransport(t, u, with), 2, commit))
					if got := p.TakeTargets(); len(got) == 0 || got[0] != parse(t, u).Host {
						t.Errorf("the proxy connected to %v", got)
					}
					wrong := parse(t, via)
					wrong.User = url.UserPassword("proxyuser", "wrong-hunter2")
					with.Proxy = wrong.String()
					err := converse(t.Context(), newTransport(t, u, with), 2, commit)
					if opts.User == "" {
						must(t, err)
					} else if err == nil || strings.Contains(err.Error(), "hunter2") {
						t.Errorf("got %v", err)
					}
					if p.TakeTargets(); strings.HasPrefix(kind, "http") && opts.User != "" && !strings.Contains(err.Error(), "407") {
						t.Errorf("got %v, want the proxy's answer in it", err)
					}
				})
			}
		}
	}
}

// An echo is what a server of [standIn] was sent.
type echo struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (e *echo) take() []*http.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.requests
	e.requests = nil
	return taken
}

// standIn answers in a server's place, and passes on to r what handle leaves.
func standIn(t *testing.T, r *testbed.Repository, handle func(w http.ResponseWriter, r *http.Request) bool) (*httptest.Server, *echo) {
	t.Helper()
	e := &echo{}
	var pass http.Handler = http.NotFoundHandler()
	if r != nil {
		proxy := httputil.NewSingleHostReverseProxy(parse(t, r.HTTP))
		proxy.Transport = &http.Transport{DisableKeepAlives: true}
		pass = proxy
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.requests = append(e.requests, r.Clone(context.WithoutCancel(r.Context())))
		e.mu.Unlock()
		if !handle(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server, e
}

func TestBigRequestsAreCompressed(t *testing.T) {
	var got string
	server, sent := standIn(t, nil, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			return true
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		all, _ := io.ReadAll(body)
		got = string(all)
		return true
	})
	conn, err := newTransport(t, server.URL+"/a", Options{}).Open(t.Context(), 0)
	must(t, err)
	defer conn.Close()
	for request, encoding := range map[string]string{"short": "", strings.Repeat("long", 1000): "gzip"} {
		sent.take()
		answer, err := conn.Ask(t.Context(), 0, []byte(request))
		must(t, err)
		must(t, answer.Close())
		header := sent.take()[0].Header
		if got != request || header.Get("Content-Encoding") != encoding || header.Get("Git-Protocol") != "" {
			t.Errorf("got %.20q with %v", got, header)
		}
	}
}

func TestAnswersThatAreNotGits(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		kind   string
		want   error
		text   string
	}{
		"HTML":         {200, "text/html; charset=utf-8", nil, "login page"},
		"dumb":         {200, "text/plain", nil, "smart protocol"},
		"wrong kind":   {200, "application/x-git-upload-pack-result", nil, "smart protocol"},
		"forbidden":    {403, "text/html", source.ErrUnauthorized, "403"},
		"not found":    {404, "text/html", source.ErrNotFound, "404"},
		"gone":         {410, "text/html", source.ErrNotFound, "410"},
		"server error": {500, "text/html", nil, "500 Internal Server Error"},
		"no such code": {299, "text/html", nil, "299"},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			server, _ := standIn(t, nil, func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, "<html>hunter2 is what you sent")
				return true
			})
			defer server.Close()
			_, err := newTransport(t, server.URL, Options{}).Open(t.Context(), 2)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}
