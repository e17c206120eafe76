package testbed

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"sync"
)

// serverConfig is that of a server on loopback which insists on a client's certificate, or does not ask.
func (a *authority) serverConfig(mutual bool) *tls.Config {
	config := &tls.Config{Certificates: []tls.Certificate{a.server}, NextProtos: []string{"http/1.1"}}
	if mutual {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, a.pool
	}
	return config
}

// relay has a listener of its own hand connections on, with TLS where there is a configuration, and sets its address.
func (s *S3Server) relay(address *string, config *tls.Config, dial func() (net.Conn, error)) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	*address = listener.Addr().String()
	s.closers = append(s.closers, listener.Close)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				relayOne(client, config, dial)
			}()
		}
	}()
	return nil
}

func relayOne(client net.Conn, config *tls.Config, dial func() (net.Conn, error)) {
	if config != nil {
		secure := tls.Server(client, config)
		if secure.Handshake() != nil {
			return // the client is told by the alert
		}
		client = secure
	}
	server, err := dial()
	if err != nil {
		return
	}
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.Close()
		_ = from.Close()
	}
	both.Go(func() { carry(server, client) })
	both.Go(func() { carry(client, server) })
	both.Wait()
}

// Transport trusts the server's certificates, and shows ClientCertificate where it is asked for one.
func (s *S3Server) Transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: s.authority.pool, Certificates: []tls.Certificate{s.ClientCertificate}},
		MaxIdleConnsPerHost: 16,
	}
}

// ClientPEM is ClientCertificate and its key, both as PEM.
func (s *S3Server) ClientPEM() (certificate, key []byte, err error) {
	return pairPEM(s.ClientCertificate)
}

// pairPEM is a certificate and its key, both as PEM.
func pairPEM(pair tls.Certificate) (certificate, key []byte, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
