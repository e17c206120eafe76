package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// A wire stands before a server and counts the bytes of its connections, those of HTTP's headers too.
type wire struct {
	URL string

	listener       net.Listener
	server         string // host and port
	sent, received atomic.Int64

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
	copies sync.WaitGroup
}

// newWire is for a server of plain HTTP.
func newWire(server string) (*wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{URL: "http://" + listener.Addr().String(), listener: listener, server: strings.TrimPrefix(server, "http://"),
		open: make(map[net.Conn]bool)}
	w.copies.Go(w.accept)
	return w, nil
}

// address is host:port.
func (w *wire) address() string { return w.listener.Addr().String() }

// Close ends all connections.
func (w *wire) Close() error {
	err := w.listener.Close()
	w.mu.Lock()
	w.closed = true
	for c := range w.open {
		_ = c.Close() // whoever reads it is told
	}
	w.mu.Unlock()
	w.copies.Wait()
	return err
}

// take returns the bytes since the last call.
func (w *wire) take() traffic { return traffic{sent: w.sent.Swap(0), received: w.received.Swap(0)} }

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || !w.keep(client) {
			continue
		}
		w.copies.Go(func() { w.connect(client) })
	}
}

// keep has Close end a connection, too.
func (w *wire) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = c.Close()
		return false
	}
	w.open[c] = true
	return true
}

func (w *wire) connect(client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	if err == nil && w.keep(server) {
		var both sync.WaitGroup
		both.Go(func() { pass(server, client, &w.sent) })
		both.Go(func() { pass(client, server, &w.received) })
		both.Wait()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range []net.Conn{client, server} {
		if c != nil {
			_ = c.Close()
			delete(w.open, c)
		}
	}
}

// pass counts what it has read before it writes it, so that nobody has a byte that does not count.
func pass(to, from net.Conn, n *atomic.Int64) {
	_, _ = io.Copy(to, io.TeeReader(from, counter{n})) // either end may go at any time
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

type counter struct{ n *atomic.Int64 }

// Write implements [io.Writer].
func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// methodOf takes it off a request as the test bed's server notes it.
func methodOf(request string) string {
	method, _, _ := strings.Cut(request, " ")
	return method
}
