package testbed

import (
	"net"
	"sync"
	"testing"
)

// A Cutter is a proxy that lets only so many bytes through, over all its connections, and then ends them or falls silent.
type Cutter struct {
	Address string // host:port
	target  string

	mu     sync.Mutex
	back   bool // what is counted is what the server sends; else what the client sends
	silent bool
	left   int
	passed int
	conns  map[net.Conn]bool
}

// Plenty is more than any test sends.
const Plenty = 1 << 30

// NewCutter returns a proxy to the address, a host:port, that lets everything through until [Cutter.Allow]. It ends with the
// test.
func NewCutter(t testing.TB, target string) *Cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cutter{Address: l.Addr().String(), target: target, conns: make(map[net.Conn]bool)}
	c.Allow(Plenty, true, false)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.drop()
		running.Wait()
	})
	return c
}

// Allow starts anew, with connections that are none of the former's: n bytes pass, of what the server sends (back) or of what
// the client sends, and then the connections end or, if silent, nothing comes any more.
func (c *Cutter) Allow(n int, back, silent bool) {
	c.drop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.passed, c.back, c.silent = n, 0, back, silent
}

func (c *Cutter) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	clear(c.conns)
}

// keep has drop end a connection, unless nothing is let through any more.
func (c *Cutter) keep(conns ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left <= 0 && !c.silent {
		return false
	}
	for _, conn := range conns {
		c.conns[conn] = true
	}
	return true
}

func (c *Cutter) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !c.keep(client, server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { c.copy(client, server, true) })
	both.Go(func() { c.copy(server, client, false) })
	both.Wait()
}

func (c *Cutter) copy(to, from net.Conn, back bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		passes, wait := c.count(n, back)
		if _, failed := to.Write(buf[:passes]); failed != nil || err != nil || passes < n && !wait {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// count tells how many of n bytes pass, and whether silence follows.
func (c *Cutter) count(n int, back bool) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if back != c.back {
		return n, false
	}
	passes := min(n, c.left)
	c.left -= passes
	c.passed += passes
	return passes, c.silent
}

// Passed returns how many bytes of the counted direction passed since Allow.
func (c *Cutter) Passed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}
