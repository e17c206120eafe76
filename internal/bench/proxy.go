package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gitopskit/gitopskit/internal/bench/work"
	"k8s.io/client-go/rest"
)

// A traffic is what passed between a client and the server. Bytes are of bodies, as they are on the wire.
type traffic struct {
	requests, sent, received int64
	verbs                    map[string]int64
}

// A proxy stands before an API server and counts what passes, with HTTP/2 on either side.
type proxy struct {
	*httptest.Server
	sent, received atomic.Int64

	mu    sync.Mutex
	verbs map[string]int64
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
	p := &proxy{verbs: make(map[string]int64)}
	reverse := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // the client gets a 502
		ModifyResponse: func(r *http.Response) error {
			if isWork(r.Request) {
				r.Body = &counted{r.Body, &p.received}
			}
			return nil
		},
	}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isWork(r) {
			p.count(verbOf(r))
			r.Body = &counted{r.Body, &p.sent}
		}
		reverse.ServeHTTP(w, r)
	}))
	p.EnableHTTP2 = true
	p.StartTLS()
	return p, nil
}

// isWork tells whether a request counts.
func isWork(r *http.Request) bool {
	return r.URL.Path != work.WarmPath && r.Header.Get(work.PreparingHeader) == ""
}

// certificate returns the one that clients have to trust, as PEM.
func (p *proxy) certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
}

func (p *proxy) count(verb string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verbs[verb]++
}

// take returns what passed since the last call.
func (p *proxy) take() traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := traffic{sent: p.sent.Swap(0), received: p.received.Swap(0), verbs: p.verbs}
	p.verbs = make(map[string]int64)
	for _, n := range t.verbs {
		t.requests += n
	}
	return t
}

// verbOf tells reads apart as the API server does, and writes that are not meant from those that are.
func verbOf(r *http.Request) string {
	query := r.URL.Query()
	switch {
	case query.Has("dryRun"):
		return "dry-run"
	case query.Get("watch") == "true" || query.Get("watch") == "1":
		return "WATCH"
	case r.Method == http.MethodGet && isCollection(r.URL.Path):
		return "LIST"
	}
	return r.Method
}

// isCollection tells whether the path is one of objects of a kind, and not of one object or of discovery.
func isCollection(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return false
	}
	return len(parts) == 1 || len(parts) == 3 && parts[0] == "namespaces"
}

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
