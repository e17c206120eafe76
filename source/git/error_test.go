package git_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func checkError(t *testing.T, err, want error, text string) {
	t.Helper()
	if typed := new(source.Error); !errors.As(err, &typed) {
		t.Fatalf("got %v, want a *source.Error", err)
	}
	if want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, want, text)
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
		t.Errorf("the password is in %v", err)
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

func TestFetchErrors(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"})
	commit(t, repo, map[string][]byte{"a": []byte("aaaa"), "b/c": []byte("bbbb"), "b/d/e": bytes.Repeat([]byte("c"), 100)})
	_, err := repo.NewRepository(t.Context(), "bare")
	must(t, err)
	none := strings.Repeat("0", 39) + "1"
	for name, tt := range map[string]struct {
		url  string
		opts git.Options
		want error
		text string
	}{
		"no such host":   {"https://u:hunter2@nonexistent.invalid/a.git", git.Options{AllowPlainHTTP: true}, nil, "nonexistent.invalid"},
		"refused":        {"http://u:hunter2@" + closedPort(t) + "/a.git", git.Options{AllowPlainHTTP: true}, nil, "refused"},
		"no repository":  {repo.HTTP + "/none.git", git.Options{AllowPlainHTTP: true}, source.ErrNotFound, "repository"},
		"empty":          {repo.HTTP + "/bare.git", git.Options{AllowPlainHTTP: true}, source.ErrNotFound, "repository is empty"},
		"branch":         {repo.URL(), git.Options{AllowPlainHTTP: true, Branch: "none"}, source.ErrNotFound, `branch "none"`},
		"tag":            {repo.URL(), git.Options{AllowPlainHTTP: true, Tag: "v1"}, source.ErrNotFound, `tag "v1"`},
		"reference":      {repo.URL(), git.Options{AllowPlainHTTP: true, Reference: "refs/pull/1/head"}, source.ErrNotFound, `"refs/pull/1/head"`},
		"commit":         {repo.URL(), git.Options{AllowPlainHTTP: true, Commit: none}, source.ErrNotFound, none},
		"wrong password": {repo.URL(), git.Options{AllowPlainHTTP: true, Username: "reader", Password: "hunter2"}, source.ErrUnauthorized, "401"},
		"no password":    {strings.Replace(repo.URL(), "//", "//other@", 1), git.Options{AllowPlainHTTP: true}, source.ErrUnauthorized, "401"},
		"files":          {repo.URL(), git.Options{AllowPlainHTTP: true, Limits: source.Limits{MaxFiles: 4}}, source.ErrTooLarge, "Limits.MaxFiles"},
		"bytes":          {repo.URL(), git.Options{AllowPlainHTTP: true, Limits: source.Limits{MaxBytes: 400}}, source.ErrTooLarge, "Limits.MaxBytes"},
		"file bytes":     {repo.URL(), git.Options{AllowPlainHTTP: true, Limits: source.Limits{MaxFileBytes: 99}}, source.ErrTooLarge, "Limits.MaxFileBytes"},
		"depth":          {repo.URL(), git.Options{AllowPlainHTTP: true, Limits: source.Limits{MaxDepth: 2}}, source.ErrTooLarge, "Limits.MaxDepth"},
		"references":     {repo.URL(), git.Options{AllowPlainHTTP: true, MaxReferenceBytes: 100}, source.ErrTooLarge, "Options.MaxReferenceBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(tt.url, "@") && tt.opts.Username == "" {
				tt.opts.Username, tt.opts.Password = "reader", "right"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			_, err := newSource(t, tt.url, tt.opts).Fetch(ctx, source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if strings.Contains(err.Error(), "right") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	good := "https://example.com/a.git"
	for name, tt := range map[string]struct {
		url  string
		opts git.Options
		text string
	}{
		"ssh":             {"ssh://u:hunter2@example.com/a.git", git.Options{}, "Options.KnownHosts"},
		"scp":             {"git@example.com:a/b.git", git.Options{}, "Options.KnownHosts"},
		"scp, password":   {"u:hunter2@example.com:a/b.git", git.Options{KnownHosts: []byte("x")}, "ssh://"},
		"no slashes":      {"https:u:hunter2@example.com/a.git", git.Options{KnownHosts: []byte("x")}, "ssh://"},
		"ftp":             {"ftp://example.com/a.git", git.Options{}, `"ftp"`},
		"plain":           {"http://u:hunter2@example.com/a.git", git.Options{}, "AllowPlainHTTP"},
		"no path":         {"https://example.com/", git.Options{}, "no path"},
		"helper":          {"ext::sh -c true", git.Options{}, "remote helper"},
		"file":            {"file:///srv/a.git", git.Options{AllowPlainHTTP: true}, `"file"`},
		"path":            {"/srv/a.git", git.Options{AllowPlainHTTP: true}, "scheme"},
		"file, mended":    {"file:///srv/a.git", git.Options{}, "source.Dir"},
		"path, mended":    {"/srv/a.git", git.Options{}, "source.Dir"},
		"relative path":   {"./a.git", git.Options{}, "source.Dir"},
		"path up there":   {"../a/b.git", git.Options{}, "source.Dir"},
		"one word":        {"fleet", git.Options{}, "source.Dir"},
		"no scheme":       {"example.com/org/fleet.git", git.Options{}, "give https://example.com/org/fleet.git"},
		"secret in it":    {"ann%3Ahunter2@example.com/org/fleet.git", git.Options{}, "give https://example.com/org/fleet.git"},
		"line break":      {good + "\n", git.Options{}, `ends with "\n"`},
		"space":           {" https://u:hunter2@example.com/a.git", git.Options{}, `starts with " "`},
		"empty":           {"", git.Options{}, "the URL is empty"},
		"only space":      {" ", git.Options{}, `" "`},
		"no host":         {"https:///a.git", git.Options{AllowPlainHTTP: true}, "no host"},
		"query":           {good + "?token=hunter2", git.Options{AllowPlainHTTP: true}, "query"},
		"malformed":       {"https://u:hun%ter2@example.com/a", git.Options{AllowPlainHTTP: true}, "percent-encoded"},
		"odd port":        {"https://u:hun?ter2@example.com/a", git.Options{AllowPlainHTTP: true}, "percent-encoded"},
		"credentials":     {"https://u:hunter2@example.com/a", git.Options{AllowPlainHTTP: true, Username: "x"}, "both"},
		"token":           {good, git.Options{Token: "hunter2", Username: "x"}, "Options.Token"},
		"both kinds":      {good, git.Options{Token: "hunter2", Credentials: noCredentials}, "Options.Credentials"},
		"range":           {good, git.Options{SemVer: "what"}, "Options.SemVer"},
		"pattern":         {good, git.Options{SemVer: "1.x", TagPattern: "("}, "Options.TagPattern"},
		"groups":          {good, git.Options{SemVer: "1.x", TagPattern: "(a)(b)"}, "2 groups"},
		"no range":        {good, git.Options{TagPattern: "a"}, "SemVer, which is empty"},
		"path up":         {good, git.Options{Paths: []string{"../a"}}, `"../a"`},
		"LFS":             {good, git.Options{LFS: "x"}, "Options.LFS"},
		"no keys":         {good, git.Options{Verify: git.Verification{Commit: true}}, "has no keys"},
		"no object":       {good, git.Options{Verify: git.Verification{SSH: []byte("x")}}, "set Commit or Tag"},
		"keys":            {good, git.Options{Verify: git.Verification{Commit: true, SSH: []byte("x")}}, "Options.Verify: SSH keys"},
		"short commit":    {good, git.Options{AllowPlainHTTP: true, Commit: "855f77"}, "40 lower-case"},
		"short reference": {good, git.Options{AllowPlainHTTP: true, Reference: "main"}, "refs/"},
		"CA":              {good, git.Options{AllowPlainHTTP: true, CA: []byte("x")}, "no PEM certificate"},
		"CA twice":        {good, git.Options{AllowPlainHTTP: true, CA: []byte("x"), Transport: http.DefaultTransport}, "excludes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := git.New(tt.url, tt.opts)
			checkError(t, err, nil, tt.text)
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	opts := git.Options{AllowPlainHTTP: true, Username: "planted1", Password: "planted2", Transport: &testbed.Recorder{}}
	var log bytes.Buffer
	for _, value := range []any{opts, &opts, struct{ O git.Options }{opts}} {
		fmt.Fprintf(&log, "%v %+v %#v %s %q %d\n", value, value, value, value, value, value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "options", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "options", value)
	}
	for _, s := range []*git.Source{newSource(t, "https://example.com/a", opts), newSource(t, "https://planted1:planted2@example.com/a", git.Options{AllowPlainHTTP: true})} {
		type noMethods git.Source
		fmt.Fprintf(&log, "%v %+v %#v %s %+v %#v\n", s, s, s, s, (*noMethods)(s), (*noMethods)(s))
	}
	for _, secret := range []string{"planted1", "planted2"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s is in %s", secret, &log)
		}
	}
	if !strings.Contains(log.String(), `Password:"(set)"`) {
		t.Errorf("whether there is a password is not in %s", &log)
	}
}

// front stands before a repository's server, on the origin that tests redirect from.
func front(t *testing.T, repo *testbed.Repository, handle func(w http.ResponseWriter, r *http.Request, pass http.Handler)) *httptest.Server {
	t.Helper()
	target, err := url.Parse(repo.HTTP)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, proxy) }))
	t.Cleanup(server.Close)
	return server
}

func TestRedirectOnTheSameHostIsFollowed(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"})
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	var posts atomic.Int32
	server := front(t, repo, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if strings.HasPrefix(r.URL.Path, "/old") {
			http.Redirect(w, r, "/"+repo.Name+".git"+strings.TrimPrefix(r.URL.RequestURI(), "/old"), http.StatusMovedPermanently)
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			return
		}
		pass.ServeHTTP(w, r)
	})
	snapshot := fetch(t, newSource(t, server.URL+"/old", git.Options{AllowPlainHTTP: true, Username: "reader", Password: "right"}), source.Revision{})
	if snapshot.Revision.Digest.Encoded() != hash || posts.Load() > 0 {
		t.Errorf("got %s, %d POSTs to the old address", snapshot.Revision, posts.Load())
	}
}

func TestRedirectElsewhereIsRefused(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	server := front(t, repo, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/"+repo.Name) {
			pass.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, thief.URL+r.URL.RequestURI()+"&token=hunter2", http.StatusTemporaryRedirect)
	})
	opts := git.Options{AllowPlainHTTP: true, Username: "reader", Password: "hunter2"}
	_, err := newSource(t, server.URL+"/other.git", opts).Fetch(t.Context(), source.Revision{})
	checkErrorText(t, err, "another origin")
	_, err = newSource(t, server.URL+"/"+repo.Name+".git", opts).Fetch(t.Context(), source.Revision{})
	checkErrorText(t, err, "may not be redirected")
	if stolen.Load() > 0 {
		t.Error("another host was reached")
	}
}

// checkErrorText is for errors that quote a server's redirect, which is not a secret of ours.
func checkErrorText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "reader:") {
		t.Errorf("got %v, want %q", err, text)
	}
}

func TestRedirectFromHTTPSToHTTPIsRefused(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL+r.URL.RequestURI(), http.StatusFound)
	}))
	defer server.Close()
	s := newSource(t, server.URL+"/a.git", git.Options{AllowPlainHTTP: true, Username: "reader", Password: "hunter2", Transport: server.Client().Transport})
	_, err := s.Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "another origin")
	if stolen.Load() > 0 {
		t.Error("the password went out in the clear")
	}
}

func line(text string) string { return fmt.Sprintf("%04x%s", len(text)+4, text) }

func noCredentials(context.Context, git.CredentialRequest) (git.Credential, error) {
	return git.Credential{}, nil
}

func TestHostileServers(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	endless := func(w http.ResponseWriter, piece string) {
		for range 1 << 20 {
			if _, err := fmt.Fprint(w, piece); err != nil {
				return
			}
		}
	}
	const accepted = "0000" + "0008NAK\n"
	for name, tt := range map[string]struct {
		get, post func(w http.ResponseWriter, r *http.Request)
		want      error
		text      string
	}{
		"endless references": {get: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, line(strings.Repeat("a", 40)+" refs/heads/x\x00 shallow\n"))
			endless(w, line(strings.Repeat("a", 40)+" refs/heads/y\n"))
		}, want: source.ErrTooLarge, text: "Options.MaxReferenceBytes"},
		"noise":          {get: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "zzzz\x1b[31m") }, text: "references"},
		"error for refs": {get: func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, line("ERR no \x1b[31m"+password(r))) }, text: `no \x1b[31m(redacted)`},
		"HTML": {get: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
		}, text: "no Git repository"},
		"endless pack": {post: func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, accepted)
			endless(w, line("\x02"+strings.Repeat("progress", 1000)))
		}, want: source.ErrTooLarge, text: "Limits.MaxBytes"},
		"endless answer": {post: func(w http.ResponseWriter, _ *http.Request) {
			endless(w, line("shallow "+strings.Repeat("a", 40)))
		}, want: source.ErrTooLarge, text: "Limits.MaxBytes"},
		"error in pack": {post: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, accepted+line("\x03died "+password(r)))
		}, text: "died (redacted)"},
		"cut pack":    {post: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, accepted+line("\x01PACK\x00")) }, text: "unexpected EOF"},
		"no pack":     {post: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, accepted+line("\x01hello")+"0000") }, text: "pack"},
		"nothing":     {post: func(http.ResponseWriter, *http.Request) {}, text: "pack"},
		"empty lines": {post: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, accepted+"0000") }, text: "pack"},
		"status": {post: func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, password(r), http.StatusBadGateway)
		}, text: "502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			server := front(t, repo, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				switch {
				case r.Method == http.MethodGet && tt.get != nil:
					w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
					tt.get(w, r)
				case r.Method == http.MethodPost && tt.post != nil:
					w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
					tt.post(w, r)
				default:
					pass.ServeHTTP(w, r)
				}
			})
			s := newSource(t, server.URL+"/"+repo.Name+".git", git.Options{AllowPlainHTTP: true, Username: "reader", Password: "hunter2",
				MaxReferenceBytes: 1 << 20, Limits: source.Limits{MaxBytes: 1 << 20}})
			_, err := s.Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
		})
	}
}

func password(r *http.Request) string {
	_, password, _ := r.BasicAuth()
	return password
}

func TestEndedContextStopsAPack(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	began := make(chan struct{}, 1)
	server := front(t, repo, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Method == http.MethodGet {
			pass.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		fmt.Fprint(w, "00000008NAK\n"+line("\x01PACK\x00\x00\x00\x02\x00\x00\x00\x03\x95"))
		w.(http.Flusher).Flush()
		began <- struct{}{}
		<-r.Context().Done()
	})
	for name, end := range map[string]error{"canceled": context.Canceled, "deadline": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if end == context.DeadlineExceeded {
				var stop func()
				ctx, stop = context.WithTimeout(ctx, 200*time.Millisecond)
				defer stop()
			}
			go func() {
				<-began
				if end == context.Canceled {
					cancel(nil)
				}
			}()
			_, err := newSource(t, server.URL+"/"+repo.Name+".git", git.Options{AllowPlainHTTP: true}).Fetch(ctx, source.Revision{})
			checkError(t, err, end, "")
		})
	}
}
