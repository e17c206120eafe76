package bucket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// newTransport returns what sends requests to the store.
func newTransport(o Options) (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	proxy, err := o.proxy()
	if err != nil {
		return nil, err
	}
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	t := plainTransport()
	t.Proxy, t.TLSClientConfig = proxy, config
	return newConnections(t, o.Concurrency), nil
}

// maxHeaderBytes bounds the headers of an answer.
const maxHeaderBytes = 256 << 10

// plainTransport is like Go's default one, without a proxy, and nobody can have changed it.
func plainTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		IdleConnTimeout:        idleTime,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			return refusedByProxy(r.StatusCode)
		},
	}
}

// A promptTransport ends connecting when the request ends that it is for: Go's goes on, for a request that may follow.
type promptTransport struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (t *promptTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(request)
	if err != nil && request.Context().Err() != nil {
		t.CloseIdleConnections() // and those that nobody waits for
	}
	return response, err
}

// tlsConfig trusts what the options say, and shows the client's certificate.
func (o Options) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.CA) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(o.CA) {
			return nil, errors.New("Options.CA has no PEM certificate")
		}
		config.RootCAs = pool
	}
	switch {
	case len(o.ClientCertificate) == 0 && len(o.ClientKey) == 0:
		return config, nil
	case len(o.ClientCertificate) == 0 || len(o.ClientKey) == 0:
		return nil, errors.New("Options.ClientCertificate and ClientKey belong together, and one is missing")
	}
	pair, err := tls.X509KeyPair(o.ClientCertificate, o.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("Options.ClientCertificate with ClientKey: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// proxy returns the Proxy function of an [http.Transport]. Errors quote nothing: there may be a password.
func (o Options) proxy() (func(*http.Request) (*url.URL, error), error) {
	switch o.Proxy {
	case "":
		return environmentProxy, nil
	case "none":
		return nil, nil
	}
	u, err := url.Parse(o.Proxy)
	if err != nil {
		return nil, errors.New("Options.Proxy is not a URL; user and password in it have to be percent-encoded")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		if u.Hostname() == "" {
			return nil, errors.New("Options.Proxy has no host")
		}
		return http.ProxyURL(u), nil
	}
	return nil, errors.New("Options.Proxy has to start with http://, https:// or socks5://, or be \"none\"")
}

func environmentProxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is not a URL") // err quotes it, with its password
	}
	return u, nil
}

// proxySecrets are what the URL of the proxy to an endpoint has that no error may tell.
func (o Options) proxySecrets(endpoint *url.URL) []string {
	u, err := url.Parse(o.Proxy)
	if o.Proxy == "" {
		u, err = http.ProxyFromEnvironment(&http.Request{URL: endpoint})
	}
	if err != nil || u == nil || u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{u.User.Username(), password, u.User.Username() + ":" + password}
}

// refusedByProxy judges a proxy's answer to CONNECT.
func refusedByProxy(status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return errProxyAuth
	}
	return fmt.Errorf("the proxy answers %d %s", status, http.StatusText(status))
}

// isAlert tells an answer that is an alert of TLS and no HTTP. It has no type.
func isAlert(err error) bool {
	return strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`)
}

// refusedOnTheWay returns err as callers branch on it where a proxy or TLS refuses who asks, or nil: to ask again is of no
// use then. Neither SOCKS's refusals nor TLS's alerts have a type.
func refusedOnTheWay(err error) error {
	if errors.Is(err, errProxyAuth) {
		return err
	}
	op := new(net.OpError)
	if errors.As(err, &op) && strings.HasPrefix(op.Op, "socks") && strings.Contains(err.Error(), "authentication") {
		return fmt.Errorf("the proxy wants another user and password, which belong into Options.Proxy: %w", err)
	}
	for _, alert := range []string{"certificate required", "bad certificate", "unknown certificate authority"} {
		if strings.Contains(err.Error(), "remote error: tls: "+alert) {
			return fmt.Errorf("%w: the server wants another client certificate: %w", source.ErrUnauthorized, err)
		}
	}
	return nil
}

var errProxyAuth = errors.New("the proxy answers 407: it wants another user and password, which belong into Options.Proxy")

// newCredentialClient returns the client that functions for credentials are given. The client's certificate is for the
// store: others do not see it.
func (d *s3) newCredentialClient(store http.RoundTripper, o Options, endpoint url.URL) (*http.Client, error) {
	client := &http.Client{Transport: store, Timeout: o.StallTimeout, CheckRedirect: stay}
	if len(o.ClientCertificate) == 0 {
		return client, nil
	}
	o.ClientCertificate, o.ClientKey = nil, nil
	others, err := newTransport(o)
	d.hold(others)
	client.Transport = &byOrigin{origin: endpoint, store: store, others: others}
	return client, err
}

// stay follows no redirect: it would lead to a host that nobody named.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// byOrigin sends requests to the store one way, and requests to others another way.
type byOrigin struct {
	origin        url.URL
	store, others http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *byOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == t.origin.Scheme && strings.EqualFold(r.URL.Host, t.origin.Host) {
		return t.store.RoundTrip(r)
	}
	return t.others.RoundTrip(r)
}
