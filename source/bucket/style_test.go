package bucket_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// What goes to whom, by minio-go's signature and by that of a function's credentials, which are the same.
func TestStyleAndSignature(t *testing.T) {
	for _, tt := range []struct {
		endpoint, bucket string
		style            bucket.Style
		region           string
		url, signedFor   string
	}{
		{"s3.eu-west-1.amazonaws.com", "fleet", "", "", "https://fleet.s3.eu-west-1.amazonaws.com/", "eu-west-1"},
		{"s3.eu-west-1.amazonaws.com", "fleet", bucket.StylePath, "", "https://s3.eu-west-1.amazonaws.com/fleet/", "eu-west-1"},
		{"s3.eu-west-1.amazonaws.com", "my.fleet", "", "", "https://s3.eu-west-1.amazonaws.com/my.fleet/", "eu-west-1"},
		{"s3.dualstack.eu-west-1.amazonaws.com", "fleet", "", "", "https://fleet.s3.dualstack.eu-west-1.amazonaws.com/", "eu-west-1"},
		{"s3.amazonaws.com", "fleet", "", "us-west-2", "https://fleet.s3.us-west-2.amazonaws.com/", "us-west-2"},
		{"storage.googleapis.com", "fleet", "", "", "https://fleet.storage.googleapis.com/", "us-east-1"},
		{"storage.googleapis.com", "fleet", bucket.StylePath, "auto", "https://storage.googleapis.com/fleet/", "auto"},
		{"fra1.digitaloceanspaces.com", "fleet", "", "", "https://fra1.digitaloceanspaces.com/fleet/", "us-east-1"},
		{"fra1.digitaloceanspaces.com", "fleet", bucket.StyleVirtual, "", "https://fleet.fra1.digitaloceanspaces.com/", "us-east-1"},
		{"account.r2.cloudflarestorage.com", "fleet", "", "auto", "https://account.r2.cloudflarestorage.com/fleet/", "auto"},
		{"http://ceph.example.com:7480", "fleet", bucket.StyleVirtual, "", "http://fleet.ceph.example.com:7480/", "us-east-1"},
		{"http://ceph.example.com:7480", "fleet", "", "", "http://ceph.example.com:7480/fleet/", "us-east-1"},
	} {
		signed := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=GOOG1EXAMPLE/\d{8}/` + tt.signedFor +
			`/s3/aws4_request,\s?SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,\s?Signature=[0-9a-f]{64}$`)
		credential := bucket.Credential{AccessKey: "GOOG1EXAMPLE", SecretKey: "s", SessionToken: "t"}
		for n, opts := range []bucket.Options{
			{AccessKey: credential.AccessKey, SecretKey: credential.SecretKey, SessionToken: credential.SessionToken},
			{Credentials: bucket.Static(credential)},
			{Credentials: bucket.Static(bucket.Credential{})},
			{},
		} {
			var urls []string
			opts.Endpoint, opts.Bucket, opts.Style, opts.Region, opts.Prefix = tt.endpoint, tt.bucket, tt.style, tt.region, "a b"
			signs := n < 2
			opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
				urls = append(urls, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
				h := r.Header
				good := h.Get("Authorization") == "" && h.Get("X-Amz-Security-Token") == ""
				if signs {
					good = signed.MatchString(h.Get("Authorization")) && h.Get("X-Amz-Security-Token") == "t" &&
						h.Get("X-Amz-Content-Sha256") == emptyHash
				}
				if !good {
					t.Errorf("%s, options %d: got %v", tt.endpoint, n, h)
				}
				answer := "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer))}, nil
			})
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, "no key starts with")
			if len(urls) != 1 || urls[0] != tt.url {
				t.Errorf("%s %q: got %q, want %q", tt.endpoint, tt.style, urls, tt.url)
			}
		}
	}
}
