package bucket

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Connections is how requests reach the store. What many requests at once need goes when the last fetch ends that runs; a few
// stay a while for the next one, so that a program with many sources has not many connections for each.
type connections struct {
	lasting, passing *promptTransport
	busy             atomic.Int32 // requests on lasting

	mu    sync.Mutex
	users int // fetches that run
}

const (
	lastingConnections = 2
	idleTime           = 10 * time.Second
)

func newConnections(t *http.Transport, concurrency int) *connections {
	t.IdleConnTimeout, t.MaxIdleConnsPerHost = idleTime, lastingConnections
	passing := t.Clone()
	passing.MaxIdleConnsPerHost = concurrency
	return &connections{lasting: &promptTransport{t}, passing: &promptTransport{passing}}
}

// RoundTrip implements [http.RoundTripper].
func (c *connections) RoundTrip(request *http.Request) (*http.Response, error) {
	if c.busy.Add(1) > lastingConnections {
		c.busy.Add(-1)
		return c.passing.RoundTrip(request)
	}
	done := sync.OnceFunc(func() { c.busy.Add(-1) })
	response, err := c.lasting.RoundTrip(request)
	if err != nil {
		done()
		return nil, err
	}
	response.Body = &releasingBody{response.Body, done}
	return response, nil
}

// use says that a fetch runs, until what it returns is called.
func (c *connections) use() (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.users--; c.users == 0 {
			c.passing.CloseIdleConnections()
		}
	}
}

// A releasingBody says when its connection is free.
type releasingBody struct {
	io.ReadCloser
	done func()
}

// Close implements [io.Closer].
func (b *releasingBody) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
