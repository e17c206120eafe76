// Package network is what sources that are reached over HTTP have in common: what their options about the network mean, and
// what servers' answers do.
package network

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// TLS returns a configuration that trusts the authorities of Options.CA besides the system's, and shows what
// Options.ClientCertificate and ClientKey are. All are PEM, and may be empty.
func TLS(ca, certificate, key []byte) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(ca) {
			return nil, errors.New("Options.CA has no PEM certificate")
		}
		config.RootCAs = pool
	}
	switch {
	case len(certificate) == 0 && len(key) == 0:
		return config, nil
	case len(certificate) == 0 || len(key) == 0:
		return nil, errors.New("Options.ClientCertificate and ClientKey belong together, and one is missing")
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("Options.ClientCertificate with ClientKey: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
