package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// A storeProxy stands before an S3 server and counts requests by what they are.
type storeProxy struct {
	*httptest.Server

	mu    sync.Mutex
	verbs map[string]int64
}

// newStoreProxy is for a server of plain HTTP.
func newStoreProxy(endpoint string) (*storeProxy, error) {
	target, err := url.Parse("http://" + endpoint)
	if err != nil {
		return nil, err
	}
	p := &storeProxy{verbs: make(map[string]int64)}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the client has signed it
		},
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // the client gets a 502
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		verb := storeVerbOf(r)
		p.mu.Lock()
		p.verbs[verb]++
		p.mu.Unlock()
		reverse.ServeHTTP(w, r)
	}))
	return p, nil
}

// take returns the requests since the last call, without their bytes.
func (p *storeProxy) take() traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := traffic{verbs: p.verbs}
	p.verbs = make(map[string]int64)
	for _, n := range t.verbs {
		t.requests += n
	}
	return t
}

// storeVerbOf tells listings from objects: both are a GET. So is what asks for something else of the bucket, such as its region.
func storeVerbOf(r *http.Request) string {
	_, key, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method != http.MethodGet || key != "" {
		return r.Method
	}
	for _, other := range []string{"location", "versioning", "policy", "acl", "object-lock"} {
		if r.URL.Query().Has(other) {
			return "GET ?" + other
		}
	}
	return "LIST"
}
