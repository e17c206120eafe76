package bucket

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// A fetch that ends leaves their connections to those that still run.
func TestConnectionsStayWhileAFetchRuns(t *testing.T) {
	const many = 6
	var made atomic.Int32
	var arrived sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived.Done()
		arrived.Wait()
	}))
	server.Start()
	defer server.Close()
	transport := plainTransport()
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		made.Add(1)
		return dial(ctx, network, address)
	}
	c := newConnections(transport, many)
	ask := func() {
		arrived.Add(many)
		var group sync.WaitGroup
		for range many {
			group.Go(func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
				if err != nil {
					t.Error(err)
					return
				}
				response, err := c.RoundTrip(request)
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close()
			})
		}
		group.Wait()
	}
	first, second := c.use(), c.use()
	ask()
	first()
	ask()
	if got := made.Load(); got != many {
		t.Errorf("got %d connections, want the %d of before", got, many)
	}
	second()
	ask()
	if got := made.Load(); got != 2*many-lastingConnections {
		t.Errorf("got %d connections, want all but %d anew", got, lastingConnections)
	}
}
