package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/proxy"

	"github.com/gitopskit/gitopskit/source/internal/network"
)

// dial connects to an address, through the proxy where there is one. The connection closes when the watch ends.
func (s *site) dial(w *watch, address string) (net.Conn, error) {
	if s.proxy == nil {
		return dialTCP(w, address)
	}
	port := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[s.proxy.Scheme]
	if p := s.proxy.Port(); p != "" {
		port = p
	}
	via := net.JoinHostPort(s.proxy.Hostname(), port)
	if s.proxy.Scheme == "socks5" || s.proxy.Scheme == "socks5h" {
		return s.dialSOCKS(w, via, address)
	}
	conn, err := dialTCP(w, via)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	tunnel, err := s.connect(w, conn, address)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return tunnel, nil
}

func dialTCP(w *watch, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(w.ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	w.touch()
	w.guard(conn)
	return &watchedConn{conn, w}, nil
}

// A dialer is [dialTCP] as package proxy wants it.
type dialer struct{ watch *watch }

func (d dialer) Dial(_, address string) (net.Conn, error) { return dialTCP(d.watch, address) }

func (d dialer) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	return dialTCP(d.watch, address)
}

func (s *site) dialSOCKS(w *watch, via, address string) (net.Conn, error) {
	var auth *proxy.Auth
	if user := s.proxy.User; user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	socks, err := proxy.SOCKS5("tcp", via, auth, dialer{w})
	if err != nil {
		return nil, err
	}
	conn, err := socks.(proxy.ContextDialer).DialContext(w.ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return conn, nil
}

// maxProxyAnswer is room for the headers of an answer to CONNECT.
const maxProxyAnswer = 16 << 10

// connect has an HTTP proxy open a tunnel.
func (s *site) connect(w *watch, conn net.Conn, address string) (net.Conn, error) {
	if s.proxy.Scheme == "https" {
		config, err := network.TLS(s.opts.CA, s.opts.ClientCertificate, s.opts.ClientKey)
		if err != nil {
			return nil, err
		}
		config.ServerName, config.Certificates = s.proxy.Hostname(), nil
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(w.ctx); err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		conn = secure
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := s.proxy.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+basic(user.Username(), password))
	}
	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	head := bufio.NewReader(&io.LimitedReader{R: conn, N: maxProxyAnswer})
	response, err := http.ReadResponse(head, request)
	if err != nil {
		return nil, fmt.Errorf("reading the proxy's answer: %w", err)
	}
	if err := network.RefusedByProxy(response.StatusCode); err != nil {
		return nil, err
	}
	early, err := head.Peek(head.Buffered()) // the server may speak first, and at once
	return &tunnel{conn, io.MultiReader(bytes.NewReader(early), conn)}, err
}

// A tunnel is a connection of which some has been read.
type tunnel struct {
	net.Conn
	reader io.Reader
}

func (t *tunnel) Read(p []byte) (int, error) { return t.reader.Read(p) }

// basic is what basic authentication sends.
func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}
