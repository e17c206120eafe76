package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gitopskit/gitopskit/source"
)

// tlsConfig trusts what the options say, and shows the client's certificate.
func (s *site) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(s.opts.CA) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(s.opts.CA) {
			return nil, errors.New("Options.CA has no PEM certificate")
		}
		config.RootCAs = pool
	}
	switch certificate, key := s.opts.ClientCertificate, s.opts.ClientKey; {
	case len(certificate) == 0 && len(key) == 0:
		return config, nil
	case len(certificate) == 0 || len(key) == 0:
		return nil, errors.New("Options.ClientCertificate and ClientKey belong together, and one is missing")
	}
	pair, err := tls.X509KeyPair(s.opts.ClientCertificate, s.opts.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("Options.ClientCertificate with ClientKey: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

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
		Proxy: s.proxyOf(), TLSClientConfig: config, Protocols: protocols,
		MaxResponseHeaderBytes: maxHeaderBytes, ReadBufferSize: 64 << 10,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			return refusedByProxy(r.StatusCode)
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
	switch {
	case !strings.EqualFold(from.Hostname(), to.Hostname()):
		return false
	case from.Scheme == to.Scheme:
		return webPort(from) == webPort(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && webPort(from) == "80" && webPort(to) == "443"
}

func webPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
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
