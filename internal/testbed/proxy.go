package testbed

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
)

// ProxyOptions say who may use a proxy; the zero value lets everyone.
type ProxyOptions struct {
	User, Password string
}

// A Proxy is an HTTP proxy, with tunnels and without, over HTTP and HTTPS, and a SOCKS5 proxy. It counts.
type Proxy struct {
	HTTP, HTTPS, SOCKS5 string // URLs, with user and password where it wants them
	CA                  []byte // PEM, of the certificate of HTTPS

	opts  ProxyOptions
	close []func() error

	mu       sync.Mutex
	targets  []string
	sent     atomic.Int64
	received atomic.Int64
}

// StartProxy starts a proxy on loopback.
func StartProxy(opts ProxyOptions) (*Proxy, error) {
	p := &Proxy{opts: opts}
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	p.CA = authority.pem
	plain, err := p.listen()
	if err != nil {
		return nil, err
	}
	secure, err := p.listen()
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	socks, err := p.listen()
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.HTTP, p.HTTPS, p.SOCKS5 = p.url("http", plain), p.url("https", secure), p.url("socks5", socks)
	server := &http.Server{Handler: p, ErrorLog: quiet}
	p.close = append(p.close, server.Close)
	config := &tls.Config{Certificates: []tls.Certificate{authority.server}, NextProtos: []string{"http/1.1"}}
	go func() { _ = server.Serve(plain) }()
	go func() { _ = server.Serve(tls.NewListener(secure, config)) }()
	go p.serveSOCKS(socks)
	return p, nil
}

func (p *Proxy) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		p.close = append(p.close, listener.Close)
	}
	return listener, err
}

func (p *Proxy) url(scheme string, listener net.Listener) string {
	u := url.URL{Scheme: scheme, Host: listener.Addr().String()}
	if p.opts.User != "" {
		u.User = url.UserPassword(p.opts.User, p.opts.Password)
	}
	return u.String()
}

// Close ends the proxy. Connections through it end with either of their ends.
func (p *Proxy) Close() error {
	var errs []error
	for _, c := range p.close {
		if err := c(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// TakeTargets returns the addresses that were connected to since the last call, and forgets them.
func (p *Proxy) TakeTargets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.targets
	p.targets = nil
	return taken
}

// TakeBytes returns how many bytes went through tunnels to servers and back since the last call, and forgets them.
func (p *Proxy) TakeBytes() (sent, received int64) { return p.sent.Swap(0), p.received.Swap(0) }

func (p *Proxy) note(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = append(p.targets, target)
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.opts.User+":"+p.opts.Password))
	if p.opts.User != "" && r.Header.Get("Proxy-Authorization") != want {
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	p.note(r.Host)
	if r.Method != http.MethodConnect {
		forward := httputil.ReverseProxy{
			Rewrite: func(*httputil.ProxyRequest) {}, Transport: &http.Transport{DisableKeepAlives: true}, ErrorLog: quiet,
		}
		forward.ServeHTTP(w, r)
		return
	}
	server, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, "", http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	p.join(&bufferedConn{client, buffered}, server)
}

type bufferedConn struct {
	net.Conn
	reader io.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// join carries bytes between two connections until one ends.
func (p *Proxy) join(client, server net.Conn) {
	var both sync.WaitGroup
	carry := func(to, from net.Conn, count *atomic.Int64) {
		_, _ = io.Copy(to, io.TeeReader(from, counter{count}))
		_ = to.Close()
		_ = from.Close()
	}
	both.Go(func() { carry(server, client, &p.sent) })
	both.Go(func() { carry(client, server, &p.received) })
	both.Wait()
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

func (p *Proxy) serveSOCKS(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			target, err := p.greetSOCKS(client)
			if err != nil {
				return
			}
			p.note(target)
			server, err := net.Dial("tcp", target)
			if err != nil {
				_, _ = client.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // connection refused
				return
			}
			_, _ = client.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
			p.join(client, server)
		}()
	}
}

// greetSOCKS reads what RFC 1928 and 1929 have a client say, up to the address that it wants to reach.
func (p *Proxy) greetSOCKS(client net.Conn) (string, error) {
	read := func(n byte) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(client, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	read(read(2)[1]) // the ways to authenticate
	if p.opts.User == "" {
		_, _ = client.Write([]byte{5, 0})
	} else {
		_, _ = client.Write([]byte{5, 2})
		user := read(read(2)[1])
		password := read(read(1)[0])
		if string(user) != p.opts.User || string(password) != p.opts.Password {
			_, _ = client.Write([]byte{1, 1})
			return "", errors.New("wrong user or password")
		}
		_, _ = client.Write([]byte{1, 0})
	}
	var host string
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(read(1)[0]))
	case 4:
		host = net.IP(read(16)).String()
	default:
		return "", errors.New("unknown kind of address")
	}
	port := binary.BigEndian.Uint16(read(2))
	return net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}
