package bucket

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/gitopskit/gitopskit/source"
)

// Options say which bucket, and how. Endpoint and Bucket are required.
type Options struct {
	// Endpoint is host:port, or a URL whose scheme says whether to use TLS.
	Endpoint string
	// Insecure turns TLS off where Endpoint has no scheme.
	Insecure bool
	Bucket   string
	// Prefix is a folder in the bucket: prod and prod/ mean the same, and do not mean production/. Default: all keys.
	Prefix string
	// Region is part of what is signed. Default: the one in Amazon's endpoints, elsewhere us-east-1.
	Region string

	// AccessKey and SecretKey are those of an account, SessionToken comes with temporary ones. Without them requests are
	// not signed, which is how public buckets are read.
	AccessKey    string
	SecretKey    string `json:"-"`
	SessionToken string `json:"-"`

	// CA is PEM, of certificates to trust besides the system's.
	CA []byte
	// Transport sends the requests. It excludes CA. Nil means one like http.DefaultTransport.
	Transport http.RoundTripper

	// Limits bound the content.
	Limits source.Limits
	// Concurrency is how many objects are read at once. Default: DefaultConcurrency.
	Concurrency int
}

// DefaultConcurrency hides the latency of small objects; more gains little even on a fast line.
const DefaultConcurrency = 16

// Format implements [fmt.Formatter]. It tells whether there are credentials, and never which.
func (o Options) Format(f fmt.State, verb rune) {
	type plain Options
	for _, secret := range []*string{&o.AccessKey, &o.SecretKey, &o.SessionToken} {
		if *secret != "" {
			*secret = "(set)"
		}
	}
	o.Endpoint = source.RedactURL(o.Endpoint)
	o.Transport = nil // it is somebody else's, and may print anything
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
}

// LogValue implements [slog.LogValuer] by Format.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("%+v", o)) }

// endpoint returns a URL with nothing but scheme and host. Its errors quote nothing, for url.Parse's may quote a secret.
func (o Options) endpoint() (*url.URL, error) {
	raw := o.Endpoint
	if !strings.Contains(raw, "://") {
		raw = map[bool]string{false: "https://", true: "http://"}[o.Insecure] + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("Options.Endpoint is neither host:port nor a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("Options.Endpoint has the scheme %q instead of http or https", u.Scheme)
	case u.User != nil:
		return nil, errors.New("Options.Endpoint has credentials in it: AccessKey and SecretKey are for these")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("Options.Endpoint has more than a host: Bucket and Prefix are for that")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func (o Options) validate() error {
	prefix := strings.TrimSuffix(o.Prefix, "/")
	switch {
	case o.Bucket == "":
		return errors.New("Options.Bucket is empty")
	case prefix != "" && (!fs.ValidPath(prefix) || prefix == "."):
		return fmt.Errorf("Options.Prefix %q is not a folder's path", o.Prefix)
	case (o.AccessKey == "") != (o.SecretKey == ""):
		return errors.New("only one of Options.AccessKey and SecretKey is set")
	case len(o.CA) > 0 && o.Transport != nil:
		return errors.New("Options.CA excludes Transport, which has certificates of its own")
	}
	return s3utils.CheckValidBucketName(o.Bucket)
}

// How often minio-go sends a request before it gives up on a network or a server that fails; its own 10 take 8 seconds.
const maxTries = 3

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
		Creds:  credentials.NewStatic(o.AccessKey, o.SecretKey, o.SessionToken, signature),
		Secure: endpoint.Scheme == "https",
		// Without a region minio-go asks for it, with a request of its own.
		Region:     cmp.Or(o.Region, s3utils.GetRegionFromURL(*endpoint), "us-east-1"),
		Transport:  &boundedTransport{next: transport},
		MaxRetries: maxTries,
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
