package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"k8s.io/client-go/rest"
)

// warmPath is asked for to open a connection. Nobody's work asks for it, so the proxy does not count it.
const warmPath = "/livez"

// A proxy stands before an API server and counts what passes, with HTTP/2 on either side.
type proxy struct {
	*httptest.Server
	requests, bytes atomic.Int64
}

func newProxy(config *rest.Config) (*proxy, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	upstream := rest.AnonymousClientConfig(config) // the credentials are the clients'
	upstream.DisableCompression = true             // that is between client and server: bytes are to be as they sent them
	transport, err := rest.TransportFor(upstream)
	if err != nil {
		return nil, err
	}
	p := &proxy{}
	reverse := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // the client gets a 502
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path != warmPath {
				r.Body = &counted{r.Body, &p.bytes}
			}
			return nil
		},
	}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != warmPath {
			p.requests.Add(1)
			r.Body = &counted{r.Body, &p.bytes}
		}
		reverse.ServeHTTP(w, r)
	}))
	p.EnableHTTP2 = true
	p.StartTLS()
	return p, nil
}

// certificate returns the one that clients have to trust, as PEM.
func (p *proxy) certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
}

// take returns what passed since the last call.
func (p *proxy) take() (requests, bytes int64) { return p.requests.Swap(0), p.bytes.Swap(0) }

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

// Read implements [io.Reader].
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}
