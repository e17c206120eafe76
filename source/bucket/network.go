package bucket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/internal/network"
)

// newTransport returns what sends requests to the store.
func newTransport(o Options) (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	proxy, err := network.ParseProxy(o.Proxy)
	if err != nil {
		return nil, err
	}
	config, err := network.TLS(o.CA, o.ClientCertificate, o.ClientKey)
	if err != nil {
		return nil, err
	}
	t := plainTransport()
	t.Proxy, t.TLSClientConfig = network.ProxyFunc(o.Proxy, proxy), config
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
			return network.RefusedByProxy(r.StatusCode)
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

// isAlert tells an answer that is an alert of TLS and no HTTP. It has no type.
func isAlert(err error) bool {
	return strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`)
}

// refusedOnTheWay returns err as callers branch on it where a proxy or TLS refuses who asks, or nil: to ask again is of no
// use then. Neither SOCKS's refusals nor TLS's alerts have a type.
func refusedOnTheWay(err error) error {
	if errors.Is(err, network.ErrProxyAuth) {
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
