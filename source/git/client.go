package git

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gitopskit/gitopskit/source"
)

func newClient(opts Options) (*http.Client, error) {
	client := &http.Client{Transport: opts.Transport, CheckRedirect: checkRedirect}
	if len(opts.CA) == 0 {
		return client, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(opts.CA) {
		return nil, errors.New("Options.CA has no PEM certificate")
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = standard.Clone()
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	client.Transport = transport
	return client, nil
}

// checkRedirect lets the list of references move about its host, as it does when a repository is renamed. A redirect to
// another host would reach one that nobody named, and one from HTTPS to HTTP would show the credentials to everybody.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet:
		return errors.New("the server redirects a request that may not be redirected")
	case !sameOrigin(first.URL, next.URL):
		return fmt.Errorf("the server redirects to %s, which is another origin: name that one if it is meant",
			source.RedactURL(next.URL.String()))
	case len(via) >= 10:
		return errors.New("the server redirects too often")
	}
	next.URL.User = nil
	return nil
}

// sameOrigin also allows the step from HTTP to HTTPS, where both have their usual ports.
func sameOrigin(from, to *url.URL) bool {
	switch {
	case from.Hostname() != to.Hostname():
		return false
	case from.Scheme == to.Scheme:
		return port(from) == port(to)
	}
	return from.Scheme == "http" && to.Scheme == "https" && port(from) == "80" && port(to) == "443"
}

func port(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
