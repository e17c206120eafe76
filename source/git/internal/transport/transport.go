package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// A Transport reaches one repository. Several goroutines may use it at once.
type Transport interface {
	// Open starts a conversation with the repository's upload-pack in version 0 or 2 of Git's protocol and returns when the
	// server answers. A server may answer a request for version 2 in version 0.
	Open(ctx context.Context, version int) (Conn, error)
	// Clean returns err, or one like it whose text has none of the credentials that the transport was given.
	Clean(err error) error
}

// A Conn is a conversation. One goroutine uses it.
type Conn interface {
	// Reader has the server's first answer; over HTTP with its "# service=…" lines, as they come.
	io.Reader
	// Ask sends a request and returns its answer, which the caller reads to the end of Git's message and closes. The one
	// before it has to be closed.
	Ask(ctx context.Context, version int, request []byte) (io.ReadCloser, error)
	// Stateless tells whether each Ask stands for itself: any number of them, in any version. Else the conversation is one
	// stream in the version that the server chose, with one Ask in version 0 and any number in version 2.
	Stateless() bool
	Close() error
}

// Options say how to reach a repository. The zero value suits public ones over HTTPS.
type Options struct {
	CA                []byte        // PEM, of certificates to trust besides the system's
	ClientCertificate []byte        // PEM, with the chain where it needs one; ClientKey is its key
	ClientKey         []byte        `json:"-"`
	AllowPlainHTTP    bool          // credentials may go over http://, where everybody on the way reads them
	KnownHosts        []byte        // lines of an OpenSSH known_hosts file; SSH needs the server's
	StallTimeout      time.Duration // DefaultStallTimeout where it is not positive

	// RoundTripper sends HTTP requests instead of a transport of this package. It excludes CA, ClientCertificate,
	// ClientKey and Proxy.
	RoundTripper http.RoundTripper `json:"-"`
	// Proxy is "http://…", "https://…" or "socks5://…", with user and password where it wants some, or "none". Empty is what
	// the environment says for HTTP and HTTPS, and none for SSH and git.
	Proxy string `json:"-"`
	// Credentials is asked for credentials when they are needed. Nil: there are none.
	Credentials func(context.Context, Request) (Credential, error) `json:"-"`
	// CredentialsFrom is what errors call that which Credentials gives, such as "Options.Token".
	CredentialsFrom string
}

// DefaultStallTimeout is more than a server takes to count the objects of a big repository: it reports progress meanwhile.
const DefaultStallTimeout = time.Minute

// Format implements [fmt.Formatter]. It tells whether there are credentials, and never which.
func (o Options) Format(f fmt.State, verb rune) {
	plain := struct {
		CA, ClientCertificate, ClientKey, KnownHosts, RoundTripper, Credentials bool
		AllowPlainHTTP                                                          bool
		StallTimeout                                                            time.Duration
		Proxy                                                                   string
	}{
		len(o.CA) > 0, len(o.ClientCertificate) > 0, len(o.ClientKey) > 0, len(o.KnownHosts) > 0, o.RoundTripper != nil,
		o.Credentials != nil, o.AllowPlainHTTP, o.StallTimeout, source.RedactURL(o.Proxy),
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain)
}

// LogValue implements [slog.LogValuer] by Format.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

// New returns the transport to the repository at an http, https, ssh or git URL. It connects to nothing. Only a URL of SSH
// may have a user, and none a password. A path of SSH that does not start with a slash is relative to the user's home.
// An http or https URL gives an [*HTTP].
func New(u *url.URL, opts Options) (Transport, error) {
	s, err := newSite(u, opts)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		return newHTTP(s)
	case "ssh":
		return newSSH(s)
	}
	return newDaemon(s)
}

// A site is a repository's address, with what is needed to reach it. Its fields are pointers, so that nothing that prints a
// transport follows them to a secret.
type site struct {
	url     url.URL // without credentials; over SSH with the user
	opts    *Options
	proxy   *url.URL // nil: none, or the environment's
	secrets *secret.Words
	keeper  *keeper
}

func newSite(u *url.URL, opts Options) (*site, error) {
	if err := checkURL(u); err != nil {
		return nil, err
	}
	if opts.StallTimeout <= 0 {
		opts.StallTimeout = DefaultStallTimeout
	}
	proxy, err := network.ParseProxy(opts.Proxy)
	s := &site{url: *u, opts: &opts, proxy: proxy, secrets: secret.New(network.ProxySecrets(opts.Proxy, u)...)}
	s.keeper = newKeeper(opts.Credentials, source.RedactURL(u.String()), s.secrets)
	return s, err
}

func checkURL(u *url.URL) error {
	usual := map[string]bool{"http": true, "https": true, "ssh": true, "git": true}
	switch {
	case !usual[u.Scheme]:
		return fmt.Errorf("scheme %.20q: %w: only http, https, ssh and git are spoken", u.Scheme, errors.ErrUnsupported)
	case u.Hostname() == "":
		return errors.New("the URL has no host")
	case u.User != nil && u.Scheme != "ssh":
		return errors.New("the URL has credentials, which have to come as such")
	case strings.ContainsAny(u.Path, "\x00\n"):
		return errors.New("the URL's path has a zero byte or a line break")
	}
	if _, ok := u.User.Password(); u.User != nil && ok {
		return errors.New("the URL has a password, which has to come as a credential")
	}
	return nil
}

// address is where to connect to.
func (s *site) address(port string) string {
	if p := s.url.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(s.url.Hostname(), port)
}

// Format implements [fmt.Formatter]: it prints the repository's URL.
func (s *site) Format(f fmt.State, _ rune) { fmt.Fprint(f, source.RedactURL(s.url.String())) }
