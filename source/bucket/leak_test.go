package bucket_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// Servers are told the customer's key, and can repeat it.
func TestErrorsHideTheCustomersKey(t *testing.T) {
	var said string
	opts := bucket.Options{Endpoint: "example.com", Bucket: "fleet", CustomerKey: []byte("planted6-planted6-planted6-plant")}
	opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/a") {
			said = r.Header.Get("X-Amz-Server-Side-Encryption-Customer-Key")
			body := "<Error><Code>" + said + "</Code><Message>" + said + " " + url.QueryEscape(said) + "</Message></Error>"
			return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
		body := `<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>"e"</ETag></Contents></ListBucketResult>`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrUnauthorized, "(redacted)")
	if said == "" || strings.Contains(err.Error(), said[:20]) {
		t.Errorf("%q is in %v", said, err)
	}
}

// An HTTP/2 server ends a connection with words of its own.
func TestErrorsWhileReadingHideSecrets(t *testing.T) {
	opts := bucket.Options{Endpoint: "example.com", Bucket: "fleet", AccessKey: "a", SecretKey: "b", SessionToken: "planted-token"}
	opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/a") {
			header := http.Header{"Etag": {`"e"`}, "Last-Modified": {"Mon, 02 Jan 2006 15:04:05 GMT"}}
			return &http.Response{StatusCode: http.StatusOK, Header: header, ContentLength: -1, Body: io.NopCloser(goAway{})}, nil
		}
		body := `<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>"e"</ETag></Contents></ListBucketResult>`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, "go away, (redacted)")
	if !errors.As(err, new(*source.TemporaryError)) || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %v", err)
	}
}

type goAway struct{}

func (goAway) Read([]byte) (int, error) { return 0, errors.New("go away, planted-token") }
