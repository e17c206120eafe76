package bucket_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// clientCertificate returns a certificate that vouches for itself, and its key.
func clientCertificate(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func TestClientCertificates(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	certificate, key, err := b.ClientPEM()
	must(t, err)
	other, otherKey := clientCertificate(t)
	for name, tt := range map[string]struct {
		ca, certificate, key []byte
		want                 error
		text                 string
	}{
		"right":        {b.CA, certificate, key, nil, ""},
		"none":         {b.CA, nil, nil, source.ErrUnauthorized, "another client certificate"},
		"another":      {b.CA, other, otherKey, source.ErrUnauthorized, "another client certificate"},
		"no authority": {nil, certificate, key, nil, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(b)
			opts.Endpoint, opts.CA, opts.ClientCertificate, opts.ClientKey = "https://"+b.MutualEndpoint, tt.ca, tt.certificate, tt.key
			got, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if name == "right" {
				must(t, err)
				if read(t, got, "a") != "1" {
					t.Error("the content is another one")
				}
				return
			}
			checkError(t, err, tt.want, tt.text)
			if temporary := new(source.TemporaryError); errors.As(err, &temporary) && tt.want != nil {
				t.Errorf("%v is temporary", err)
			}
		})
	}
}

// A security token service elsewhere does not get to see the certificate; the store's own does.
func TestClientCertificatesAreForTheStore(t *testing.T) {
	b := testbed.S3(t)
	certificate, key, err := b.ClientPEM()
	must(t, err)
	var shown []int
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown = append(shown, len(r.TLS.PeerCertificates))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	mine := errors.New("that is all")
	ask := func(ctx context.Context, r bucket.CredentialRequest) (bucket.Credential, error) {
		for _, address := range []string{server.URL, "https://" + b.MutualEndpoint} {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				return bucket.Credential{}, err
			}
			response, err := r.Client.Do(request)
			if err != nil {
				return bucket.Credential{}, err
			}
			must(t, response.Body.Close())
		}
		return bucket.Credential{}, mine
	}
	opts := asking(b, ask)
	opts.Endpoint, opts.ClientCertificate, opts.ClientKey = b.MutualEndpoint, certificate, key
	opts.CA = slices.Concat(b.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	_, err = newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, mine, "")
	if !slices.Equal(shown, []int{0}) {
		t.Errorf("the other service was asked by clients with %v certificates", shown)
	}
}

func TestProxies(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	proxy, err := testbed.StartProxy(testbed.ProxyOptions{User: "planted user", Password: "planted/p@ss:word"})
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	for _, endpoint := range []string{"http://" + b.Endpoint, "https://" + b.SecureEndpoint} {
		for _, address := range []string{proxy.HTTP, proxy.HTTPS, proxy.SOCKS5, "none"} {
			kind, rest, _ := strings.Cut(address, "://")
			t.Run(endpoint[:5]+" by "+kind, func(t *testing.T) {
				opts := options(b)
				opts.Endpoint, opts.Proxy, opts.CA = endpoint, address, slices.Concat(b.CA, proxy.CA)
				if got := fetch(t, newSource(t, opts), source.Revision{}); read(t, got, "a") != "1" {
					t.Error("the content is another one")
				}
				targets := slices.Compact(proxy.TakeTargets())
				want := []string{strings.TrimPrefix(strings.TrimPrefix(endpoint, "http://"), "https://")}
				if address == "none" {
					want = nil
				}
				if !slices.Equal(targets, want) {
					t.Errorf("the proxy was asked for %q", targets)
				}
				if address == "none" {
					return
				}
				_, host, _ := strings.Cut(rest, "@")
				for _, user := range []string{"", "planted:wrong%2Fplanted@"} {
					opts.Proxy = kind + "://" + user + host
					_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
					want := "Options.Proxy"
					if kind == "socks5" && user == "" {
						want = "socks" // this proxy hangs up on who does not want to log in
					}
					checkError(t, err, nil, want)
					if strings.Contains(err.Error(), "planted") {
						t.Errorf("a secret is in %v", err)
					}
					if targets := proxy.TakeTargets(); targets != nil {
						t.Errorf("the proxy let %q through", targets)
					}
				}
			})
		}
	}
}

// Whoever connects to a proxy that says nothing gives up with the context, and not some time afterwards.
func TestConnectingEndsWithTheContext(t *testing.T) {
	for _, scheme := range []string{"socks5", "http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer listener.Close()
			ctx, cancel := context.WithCancel(t.Context())
			var silent sync.WaitGroup
			silent.Go(func() {
				conn, err := listener.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				hello := make([]byte, 1)
				_, _ = io.ReadFull(conn, hello)
				cancel()
				_, _ = io.Copy(io.Discard, conn) // until the client closes it
			})
			opts := bucket.Options{Endpoint: "example.invalid", Bucket: "fleet", Proxy: scheme + "://" + listener.Addr().String()}
			s := newSource(t, opts)
			_, err = s.Fetch(ctx, source.Revision{})
			checkError(t, err, context.Canceled, "")
			silent.Wait()
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was followed") }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, code))
		c := bucket.Credential{AccessKey: "a", SecretKey: "s"}
		for _, ask := range []bucket.CredentialFunc{nil, bucket.Static(c), bucket.FromRole(bucket.Static(c), bucket.RoleOptions{})} {
			s := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "fleet", Credentials: ask})
			_, err := s.Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, fmt.Sprint(code))
		}
		server.Close()
	}
}

func TestNewErrorsOfCredentialsAndNetwork(t *testing.T) {
	certificate, key := clientCertificate(t)
	_, otherKey := clientCertificate(t)
	for name, tt := range map[string]struct {
		change func(*bucket.Options)
		text   string
	}{
		"two kinds": {func(o *bucket.Options) {
			o.Credentials, o.AccessKey, o.SecretKey = bucket.FromEnvironment, "a", "planted"
		}, "Options.Credentials excludes"},
		"token too": {func(o *bucket.Options) { o.Credentials, o.SessionToken = bucket.FromEnvironment, "planted" }, "Options.Credentials excludes"},
		"token":     {func(o *bucket.Options) { o.SessionToken = "planted" }, "Options.SessionToken"},
		"directory": {func(o *bucket.Options) { o.Credentials, o.Bucket = bucket.FromEnvironment, "fleet--euw1-az1--x-s3" }, "directory buckets"},
		"no key":    {func(o *bucket.Options) { o.ClientCertificate = certificate }, "belong together"},
		"no cert":   {func(o *bucket.Options) { o.ClientKey = key }, "belong together"},
		"other key": {func(o *bucket.Options) { o.ClientCertificate, o.ClientKey = certificate, otherKey }, "Options.ClientCertificate with ClientKey"},
		"no PEM":    {func(o *bucket.Options) { o.ClientCertificate, o.ClientKey = []byte("planted"), []byte("planted") }, "Options.ClientCertificate"},
		"proxy":     {func(o *bucket.Options) { o.Proxy = "ftp://u:planted@example.com" }, "Options.Proxy has to start with"},
		"no host":   {func(o *bucket.Options) { o.Proxy = "http://u:planted@" }, "Options.Proxy has no host"},
		"no URL":    {func(o *bucket.Options) { o.Proxy = "http://u:plan%ted@example.com" }, "Options.Proxy is not a URL"},
		"transport": {func(o *bucket.Options) { o.Transport, o.Proxy = http.DefaultTransport, "none" }, "Options.Transport excludes"},
		"its cert":  {func(o *bucket.Options) { o.Transport, o.ClientCertificate = http.DefaultTransport, certificate }, "Options.Transport excludes"},
		"driver":    {func(o *bucket.Options) { *o = bucket.Options{Driver: noDriver{}, Credentials: bucket.FromEnvironment} }, "Options.Driver excludes"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := bucket.Options{Endpoint: "example.com", Bucket: "fleet"}
			tt.change(&opts)
			_, err := bucket.New(opts)
			checkError(t, err, nil, tt.text)
			if strings.Contains(err.Error(), "plan") || bytes.Contains([]byte(fmt.Sprintf("%+v", opts)), []byte("plan")) {
				t.Errorf("a secret is in %v or %+v", err, opts)
			}
		})
	}
}

type noDriver struct{ bucket.Driver }

func (noDriver) String() string { return "none" }
