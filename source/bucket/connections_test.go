package bucket_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A connectionCounter is a store that counts its connections. It answers GETs only when as many wait as are let in at once.
type connectionCounter struct {
	mu           sync.Mutex
	opened, open int
	waiting      chan struct{}
	server       *httptest.Server
}

const countedObjects = 8

func newConnectionCounter(t *testing.T) *connectionCounter {
	c := &connectionCounter{waiting: make(chan struct{})}
	var gets sync.WaitGroup
	gets.Add(countedObjects)
	var listing strings.Builder
	for i := range countedObjects {
		listing.WriteString(key(fmt.Sprint(i), 3))
	}
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			page(w, false, listing.String())
			return
		}
		gets.Done()
		gets.Wait()
		<-c.waiting
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
		fmt.Fprint(w, "abc")
	}))
	c.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch state {
		case http.StateNew:
			c.opened++
			c.open++
		case http.StateClosed:
			c.open--
		}
	}
	c.server.Start()
	t.Cleanup(c.server.Close)
	return c
}

// await waits until so many connections are open.
func (c *connectionCounter) await(t *testing.T, open int) (opened int) {
	t.Helper()
	for range 500 {
		c.mu.Lock()
		now := c.open
		opened = c.opened
		c.mu.Unlock()
		if now == open {
			return opened
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("there are not %d connections", open)
	return 0
}

// What many requests at once need is closed when the last fetch ends; two connections stay for the next one.
func TestConnectionsGoWithTheFetch(t *testing.T) {
	c := newConnectionCounter(t)
	s := newSource(t, bucket.Options{Endpoint: c.server.URL, Bucket: "fleet"})
	var known source.Revision
	var running sync.WaitGroup
	running.Go(func() {
		snapshot, err := s.Fetch(t.Context(), known)
		if err != nil {
			t.Error(err)
			return
		}
		known = snapshot.Revision
	})
	c.await(t, countedObjects)
	close(c.waiting)
	running.Wait()
	before := c.await(t, 2)
	for range 3 {
		if _, err := s.Fetch(t.Context(), known); err != source.ErrNotModified {
			t.Fatal(err)
		}
	}
	if after := c.await(t, 2); after != before {
		t.Errorf("%d more connections were made where nothing had changed", after-before)
	}
}
