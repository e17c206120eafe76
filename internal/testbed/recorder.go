package testbed

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A Recorder is an [http.RoundTripper] that remembers each request, so that tests can hold code to a budget.
type Recorder struct {
	Next http.RoundTripper // what sends the request; nil: http.DefaultTransport
	// Before is called ahead of each request where it is set; an error is returned instead of an answer.
	Before func(*http.Request) error

	mu       sync.Mutex
	requests []string
}

// Wrap has the recorder send by next and returns it; its form is that of rest.Config's Wrap.
func (r *Recorder) Wrap(next http.RoundTripper) http.RoundTripper {
	r.Next = next
	return r
}

// RoundTrip implements [http.RoundTripper].
func (r *Recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	line := request.Method + " " + request.URL.RequestURI()
	r.mu.Lock()
	r.requests = append(r.requests, line)
	r.mu.Unlock()
	if r.Before != nil {
		if err := r.Before(request); err != nil {
			return nil, err
		}
	}
	if r.Next == nil {
		return http.DefaultTransport.RoundTrip(request)
	}
	return r.Next.RoundTrip(request)
}

// Take returns the requests since the last call, each as its method and URI, and forgets them.
func (r *Recorder) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.requests
	r.requests = nil
	return taken
}

// Count returns how many of the lines start with prefix.
func Count(lines []string, prefix string) int {
	return len(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, prefix) }))
}
