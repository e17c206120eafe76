package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
)

// roundTripper returns what sends the requests of one session, and what closes its connections.
func (s *site) roundTripper(config *tls.Config) (http.RoundTripper, func()) {
	if s.opts.RoundTripper != nil {
		return s.opts.RoundTripper, func() {} // its connections are the consumer's
	}
	own := s.transport(config)
	if len(config.Certificates) == 0 {
		return own, own.CloseIdleConnections
	}
	anonymous := config.Clone()
	anonymous.Certificates, anonymous.ClientSessionCache = nil, nil // what is resumed is the certificate's, too
	foreign := s.transport(anonymous)
	return &byOrigin{s.url, own, foreign}, func() { own.CloseIdleConnections(); foreign.CloseIdleConnections() }
}

// maxHeaderBytes bounds the headers of an answer.
const maxHeaderBytes = 256 << 10

// transport speaks HTTP/1.1 only: Git's requests follow each other, and in HTTP/2 a big pack costs more to unwrap.
func (s *site) transport(config *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: network.ProxyFunc(s.opts.Proxy, s.proxy), TLSClientConfig: config, Protocols: protocols,
		MaxResponseHeaderBytes: maxHeaderBytes, ReadBufferSize: 64 << 10,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			return network.RefusedByProxy(r.StatusCode)
		},
	}
}

// byOrigin shows the client's certificate to the repository's own origin alone.
type byOrigin struct {
	origin       url.URL
	own, foreign *http.Transport
}

func (t *byOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	if sameOrigin(&t.origin, r.URL) {
		return t.own.RoundTrip(r)
	}
	return t.foreign.RoundTrip(r)
}

// sameOrigin also allows the step from HTTP to HTTPS, where both have their usual ports.
func sameOrigin(from, to *url.URL) bool {
	return network.SameOrigin(from, to) || network.IsUpgrade(from, to)
}

const maxRedirects = 10

// stay lets the list of references move about its host, as it does when a repository is renamed. A redirect to another host
// would reach one that nobody named, and one from HTTPS to HTTP would show the credentials to everybody.
func stay(next *http.Request, via []*http.Request) error {
	switch {
	case via[0].Method != http.MethodGet:
		return errors.New("the server redirects a request that may not be redirected")
	case !sameOrigin(via[len(via)-1].URL, next.URL):
		return fmt.Errorf("the server redirects to %q, which is another origin: name that one if it is meant",
			source.RedactURL(next.URL.String())) // the caller cuts it, when it has no secrets any more
	case len(via) >= maxRedirects:
		return errors.New("the server redirects too often")
	}
	next.URL.User = nil
	return nil
}

// leave follows no redirect: who asked decides what may go where.
func leave(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
