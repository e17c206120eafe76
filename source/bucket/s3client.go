package bucket

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// newS3 returns the driver of a bucket of S3. It connects to nothing.
func newS3(o Options) (*s3, error) {
	endpoint, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	d := &s3{endpoint: *endpoint, bucket: o.Bucket, region: o.Region, anyETag: o.AnyETag, maxKeys: o.MaxKeys,
		redact: redactor(o.SecretKey, o.SessionToken, o.AccessKey)}
	if len(o.CustomerKey) > 0 {
		if d.encryption, err = encrypt.NewSSEC(o.CustomerKey); err != nil {
			return nil, fmt.Errorf("Options.CustomerKey has %d bytes instead of 32", len(o.CustomerKey))
		}
		if endpoint.Scheme != "https" {
			return nil, errors.New("Options.CustomerKey is sent with each request, and needs TLS: Endpoint has to be https://")
		}
	}
	d.client, err = newClient(endpoint, o)
	return d, err
}

func newClient(endpoint *url.URL, o Options) (*minio.Core, error) {
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	signature := credentials.SignatureV4
	if o.AccessKey == "" {
		signature = credentials.SignatureAnonymous
	}
	return minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStatic(o.AccessKey, o.SecretKey, o.SessionToken, signature),
		Secure:       endpoint.Scheme == "https",
		BucketLookup: map[Style]minio.BucketLookupType{StylePath: minio.BucketLookupPath, StyleVirtual: minio.BucketLookupDNS}[o.Style],
		// Without a region minio-go asks for it, with a request of its own.
		Region:     cmp.Or(o.Region, s3utils.GetRegionFromURL(*endpoint), "us-east-1"),
		Transport:  &persistentTransport{next: transport, maxWait: o.MaxWait, stall: o.StallTimeout},
		MaxRetries: 1, // persistentTransport tries again: it knows what a server asks for
	})
}

func newTransport(o Options) (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = standard.Clone()
	}
	transport.MaxIdleConnsPerHost = o.Concurrency
	if len(o.CA) == 0 {
		return transport, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(o.CA) {
		return nil, errors.New("Options.CA has no PEM certificate")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	return transport, nil
}
