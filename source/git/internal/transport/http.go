package transport

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
)

// userAgent is what this client calls itself. Some servers answer only to names that start with git/.
const userAgent = "git/gitopskit"

const service = "git-upload-pack"

// HTTP is the [Transport] to a repository over HTTP or HTTPS.
type HTTP struct {
	site *site
	tls  *tls.Config // what every session starts from; with the cache that lets them resume
}

func newHTTP(s *site) (*HTTP, error) {
	if o := s.opts; o.RoundTripper != nil && (len(o.CA)+len(o.ClientCertificate)+len(o.ClientKey) > 0 || o.Proxy != "") {
		return nil, errors.New("Options.Transport excludes CA, ClientCertificate, ClientKey and Proxy: it has its own")
	}
	config, err := network.TLS(s.opts.CA, s.opts.ClientCertificate, s.opts.ClientKey)
	if err != nil {
		return nil, err
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	return &HTTP{site: s, tls: config}, nil
}

// String returns the repository's URL.
func (t *HTTP) String() string { return fmt.Sprint(t.site) }

// Format implements [fmt.Formatter] by String.
func (t *HTTP) Format(f fmt.State, verb rune) { t.site.Format(f, verb) }

// Open implements [Transport].
func (t *HTTP) Open(ctx context.Context, version int) (Conn, error) {
	c := &httpConn{Session: t.Session(), base: t.site.url}
	u := below(&t.site.url, "/info/refs")
	u.RawQuery = "service=" + service
	response, err := c.exchange(ctx, question{http.MethodGet, u, version, "advertisement", nil})
	if err == nil {
		c.last = response.Body
		err = c.settle(response.Request.URL)
	}
	if err != nil {
		return nil, errors.Join(t.site.secrets.Clean(err), c.Close())
	}
	return c, nil
}

// below appends to a repository's path, whichever way that is escaped.
func below(repository *url.URL, path string) *url.URL {
	u := url.URL{Scheme: repository.Scheme, Host: repository.Host}
	u.Path = strings.TrimSuffix(repository.Path, "/") + path
	u.RawPath = strings.TrimSuffix(repository.EscapedPath(), "/") + path
	return &u
}

// An httpConn is a [Conn] whose requests stand for themselves.
type httpConn struct {
	*Session
	base url.URL // after redirects
	// last is the answer before, whose end brings its connection back.
	last io.ReadCloser
}

// settle has the requests that follow go where the redirects led.
func (c *httpConn) settle(at *url.URL) error {
	path, ok := strings.CutSuffix(at.EscapedPath(), "/info/refs")
	if !ok {
		return errors.New("the server redirects to where no repository can be")
	}
	var err error
	c.base = url.URL{Scheme: at.Scheme, Host: at.Host, RawPath: path}
	c.base.Path, err = url.PathUnescape(path)
	return err
}

func (c *httpConn) Read(p []byte) (int, error) { return c.last.Read(p) }

func (c *httpConn) Stateless() bool { return true }

func (c *httpConn) Close() error {
	var err error
	if c.last != nil {
		err = c.last.Close()
	}
	return errors.Join(err, c.Session.Close())
}

func (c *httpConn) Ask(ctx context.Context, version int, request []byte) (io.ReadCloser, error) {
	finish(ctx, c.last)
	q := question{http.MethodPost, below(&c.base, "/"+service), version, "result", request}
	response, err := c.exchange(ctx, q)
	if err != nil {
		return nil, c.site.secrets.Clean(err)
	}
	c.last = response.Body
	return &httpAnswer{response.Body}, nil
}

// maxRemainder is how much of an answer is read, unwanted, to use its connection again.
const maxRemainder = 4 << 10

// finish reads what is left of an answer, if that is little: mostly it is only the end. What goes wrong is nobody's loss:
// the next request finds another connection.
func finish(ctx context.Context, body io.ReadCloser) {
	defer context.AfterFunc(ctx, func() { _ = body.Close() })()
	_, _ = io.CopyN(io.Discard, body, maxRemainder)
	_ = body.Close()
}

// An httpAnswer leaves its end to the request that follows, or to the end of the conversation.
type httpAnswer struct{ body io.Reader }

func (a *httpAnswer) Read(p []byte) (int, error) {
	if a.body == nil {
		return 0, net.ErrClosed
	}
	return a.body.Read(p)
}

func (a *httpAnswer) Close() error { a.body = nil; return nil }

// A question is a request of Git's.
type question struct {
	method  string
	url     *url.URL
	version int
	kind    string // of answer: "advertisement" or "result"
	body    []byte
}

func (q question) accept() string { return "application/x-" + service + "-" + q.kind }

// maxPlain is how long a request may be that goes uncompressed; git does so too.
const maxPlain = 1024

func (q question) request(ctx context.Context) (*http.Request, error) {
	body, encoding := q.body, ""
	if len(body) > maxPlain {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write(body)
		if err = errors.Join(err, z.Close()); err != nil {
			return nil, err
		}
		body, encoding = packed.Bytes(), "gzip"
	}
	r, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", q.accept())
	r.Header.Set("User-Agent", userAgent)
	if q.version > 0 {
		r.Header.Set("Git-Protocol", fmt.Sprintf("version=%d", q.version))
	}
	if q.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-"+service+"-request")
	}
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	return r, nil
}

// exchange sends a question and returns the answer if it is of the kind that Git's protocol has for it.
func (s *Session) exchange(ctx context.Context, q question) (*http.Response, error) {
	response, err := s.authorized(ctx, true, func(authorize func(*http.Request)) (*http.Response, error) {
		request, err := q.request(ctx)
		if err != nil {
			return nil, err
		}
		authorize(request)
		return s.send(request, stay)
	})
	if err != nil {
		return nil, err
	}
	if err := s.judge(response, q.accept()); err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	return response, nil
}

// ErrBusy means that the server wants to be asked later.
var ErrBusy = errors.New("the server is busy")

// judge returns why an answer is not of the kind that is wanted, with the server's own words.
func (s *Session) judge(response *http.Response, want string) error {
	code := response.StatusCode
	answer := fmt.Sprintf("the server answers %d %s", code, http.StatusText(code))
	got := response.Header.Get("Content-Type")
	if code == http.StatusOK && got == want {
		return nil
	}
	said := ""
	if code != http.StatusOK { // else it is a file, such as a list of references for clients without a protocol
		said = s.said(response)
	}
	switch {
	case code == http.StatusOK:
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w: %s%s; %s", source.ErrUnauthorized, answer, said, s.shown(response.Request))
	case code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("repository: %w: %s%s", source.ErrNotFound, answer, said)
	case code == http.StatusTooManyRequests, code >= 500:
		err := errors.New(answer + said)
		if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		}
		after, _ := network.RetryAfter(response.Header.Get("Retry-After"), time.Now())
		return &source.TemporaryError{After: after, Err: err}
	default:
		return errors.New(answer + said)
	}
	err := fmt.Errorf("there is no Git repository that is served by Git's smart protocol: the server answers %s",
		s.site.secrets.Quote(got))
	if strings.HasPrefix(got, "text/html") {
		err = fmt.Errorf("%w, a page for browsers; where that is a login page, credentials are missing or wrong", err)
	}
	return err
}

// shown says which credentials a request had that was refused, and what is odd about them.
func (s *Session) shown(request *http.Request) string {
	if request == nil || request.Header.Get("Authorization") == "" {
		return "no credentials were given"
	}
	from := cmp.Or(s.site.opts.CredentialsFrom, "the credentials")
	_, password, basic := request.BasicAuth()
	switch {
	case basic && password == "":
		from += ", of which the password is empty"
	case basic && strings.TrimRight(password, "\r\n") != password:
		from += ", of which the password ends with a line break, as a file's content does"
	}
	return "refused: " + from
}

// maxSaid is how much is read, and told, of what a server says along with a status.
const maxSaid = 200

// said is the first line of an answer in plain text. Another one is for browsers and programs. It may be endless, and may
// repeat the request.
func (s *Session) said(response *http.Response) string {
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != "text/plain" {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxSaid)) // what there is of it
	line, _, _ := strings.Cut(strings.TrimLeft(string(text), " \t\r\n"), "\n")
	if strings.TrimSpace(line) == "" {
		return ""
	}
	return ": the server says " + s.site.secrets.Quote(line)
}
