package testbed

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// GitOptions say who may read and write the repositories; the zero value lets everyone.
type GitOptions struct {
	User, Password string // basic authentication over HTTP, where User is set; the password over SSH too
	Token          string // bearer authentication over HTTP, where set
	// AuthorizedKeys may log in over SSH, as User where that is set, besides who knows the password.
	AuthorizedKeys []ssh.PublicKey
	// ClientCertificates has HTTPS insist on a certificate that [GitServer.ClientCertificate] is one of.
	ClientCertificates bool

	NoFilters   bool // partial clones are not served
	TipsOnly    bool // in version 0 of the protocol, only what a reference points to is served, and no other commit
	NoProtocol2 bool // version 2 is not spoken
}

// open tells whether everyone may read.
func (o GitOptions) open() bool { return o.User == "" && o.Token == "" && len(o.AuthorizedKeys) == 0 }

// A GitServer serves bare repositories by git's own http-backend and upload-pack.
type GitServer struct {
	HTTP, HTTPS, SSH  string          // base URLs, without a slash at the end
	Daemon            string          // of git daemon, where everyone may read; else empty
	CA                []byte          // PEM, of the certificate of HTTPS
	ClientCertificate tls.Certificate // one that HTTPS takes
	HostKey           ssh.PublicKey   // of SSH

	opts  GitOptions
	dir   string
	lfs   lfsStore
	close func() error

	mu       sync.Mutex
	requests []string
}

// StartGit starts a server without repositories.
func StartGit(opts GitOptions) (*GitServer, error) {
	dir, release, err := temporaryFolder()
	if err != nil {
		return nil, err
	}
	s := &GitServer{opts: opts, dir: filepath.Join(dir, "data")}
	var closers []func() error
	s.close = sync.OnceValue(func() error {
		var errs []error
		for _, c := range slices.Backward(closers) {
			errs = append(errs, c())
		}
		errs = append(errs, os.RemoveAll(dir))
		release()
		return errors.Join(errs...)
	})
	for _, serve := range []func() (func() error, error){s.serveHTTP, s.serveHTTPS, s.serveSSH, s.serveDaemon} {
		c, err := serve()
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		closers = append(closers, c)
	}
	return s, nil
}

// Close ends the server and removes its repositories.
func (s *GitServer) Close() error { return s.close() }

// TakeRequests returns the HTTP requests since the last call, each as its method and URI, and forgets them.
func (s *GitServer) TakeRequests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

func (s *GitServer) serveHTTP() (func() error, error) {
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	s.HTTP = "http://" + listener.Addr().String()
	return server.Close, nil
}

func (s *GitServer) serveHTTPS() (func() error, error) {
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	s.CA, s.ClientCertificate = authority.pem, authority.client
	config := &tls.Config{Certificates: []tls.Certificate{authority.server}}
	if s.opts.ClientCertificates {
		config.ClientCAs, config.ClientAuth = authority.pool, tls.RequireAndVerifyClientCert
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ErrorLog: quiet}
	go func() { _ = server.Serve(listener) }()
	s.HTTPS = "https://" + listener.Addr().String()
	return server.Close, nil
}

// handler authenticates, and has git's http-backend answer.
func (s *GitServer) handler() (http.Handler, error) {
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, errors.Join(errors.New("finding git's http-backend: install git"), err)
	}
	backend := cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env:    append(s.environment(), "GIT_PROJECT_ROOT="+s.dir, "GIT_HTTP_EXPORT_ALL=1"),
		Logger: quiet,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		if !s.authorized(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if s.lfs.serve(w, r) {
			return
		}
		h := backend
		if s.opts.NoProtocol2 {
			r.Header.Del("Git-Protocol")
		}
		if version := r.Header.Get("Git-Protocol"); version != "" {
			h.Env = append(slices.Clone(h.Env), "GIT_PROTOCOL="+version)
		}
		h.ServeHTTP(w, r)
	}), nil
}

func (s *GitServer) authorized(r *http.Request) bool {
	if s.opts.Token != "" {
		return r.Header.Get("Authorization") == "Bearer "+s.opts.Token
	}
	user, password, _ := r.BasicAuth()
	return s.opts.User == "" || user == s.opts.User && password == s.opts.Password
}

// environment is that of the server's programs.
func (s *GitServer) environment() []string {
	return append(gitEnvironment(), "GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_1=uploadpack.allowFilter", "GIT_CONFIG_VALUE_1="+strconv.FormatBool(!s.opts.NoFilters),
		"GIT_CONFIG_KEY_2=uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_2="+strconv.FormatBool(!s.opts.TipsOnly))
}

// gitEnvironment keeps the configuration of the machine and of its user out.
func gitEnvironment() []string {
	return []string{
		"HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C",
	}
}

// Git returns an empty repository of a server that everyone may use; both end with the test.
func Git(t testing.TB) *Repository {
	return GitWith(t, GitOptions{})
}

// GitWith is [Git] with a server as the options say.
func GitWith(t testing.TB, opts GitOptions) *Repository {
	t.Helper()
	s, err := StartGit(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := s.NewRepository(context.WithoutCancel(t.Context()), "repo-"+strings.ToLower(rand.Text()[:6]))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
