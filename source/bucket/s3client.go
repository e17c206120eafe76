package bucket

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/gitopskit/gitopskit/source/internal/network"
	"github.com/gitopskit/gitopskit/source/internal/secret"
)

// newS3 returns the driver of a bucket of S3. It connects to nothing.
func newS3(o Options) (*s3, error) {
	endpoint, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	hidden := secret.New(append(network.ProxySecrets(o.Proxy, endpoint), o.SecretKey, o.SessionToken, o.AccessKey, string(o.CustomerKey))...)
	d := &s3{endpoint: *endpoint, bucket: o.Bucket, region: o.Region, anyETag: o.AnyETag, maxKeys: o.MaxKeys, secrets: hidden}
	if len(o.CustomerKey) > 0 {
		if d.encryption, err = encrypt.NewSSEC(o.CustomerKey); err != nil {
			return nil, fmt.Errorf("Options.CustomerKey has %d bytes instead of 32", len(o.CustomerKey))
		}
		if endpoint.Scheme != "https" {
			return nil, errors.New("Options.CustomerKey is sent with each request, and needs TLS: Endpoint has to be https://")
		}
	}
	d.client, err = d.newClient(endpoint, o, hidden)
	return d, err
}

// hold takes a transport into the driver's connections, if it is one of its own.
func (d *s3) hold(transport http.RoundTripper) {
	if c, ok := transport.(*connections); ok {
		d.connections = append(d.connections, c)
	}
}

func (d *s3) newClient(endpoint *url.URL, o Options, hidden *secret.Words) (*minio.Core, error) {
	direct, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	d.hold(direct)
	// Without a region minio-go asks for it, with a request of its own.
	region := cmp.Or(o.Region, s3utils.GetRegionFromURL(*endpoint), "us-east-1")
	var transport http.RoundTripper = &persistentTransport{next: direct, maxWait: o.MaxWait, stall: o.StallTimeout}
	if o.Credentials != nil {
		client, err := d.newCredentialClient(direct, o, *endpoint)
		if err != nil {
			return nil, err
		}
		request := CredentialRequest{Endpoint: endpoint.String(), Bucket: o.Bucket, Region: region, Client: client}
		transport = newSigningTransport(transport, newKeeper(o.Credentials, request, hidden), *endpoint, region)
	}
	signature := credentials.SignatureV4
	if o.AccessKey == "" {
		signature = credentials.SignatureAnonymous
	}
	styles := map[Style]minio.BucketLookupType{StylePath: minio.BucketLookupPath, StyleVirtual: minio.BucketLookupDNS}
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStatic(o.AccessKey, o.SecretKey, o.SessionToken, signature),
		Secure:       endpoint.Scheme == "https",
		BucketLookup: styles[o.Style],
		Region:       region,
		Transport:    transport,
		MaxRetries:   1, // persistentTransport tries again: it knows what a server asks for
	})
	if err != nil {
		return nil, err
	}
	// minio-go would go to another host of Amazon's than the one that is named.
	core.SetS3EnableDualstack(strings.Contains(endpoint.Host, ".dualstack."))
	return core, nil
}
