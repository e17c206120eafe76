package bucket_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// Content comes as it is stored, compressed or not. Google decompresses unless it is asked for gzip.
func TestContentIsAskedForAsItIsStored(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://storage.googleapis.com": "gzip", "https://s3.eu-west-1.amazonaws.com": "identity", "https://minio.example.com": "identity",
	} {
		var got string
		opts := bucket.Options{Endpoint: endpoint, Bucket: "fleet"}
		opts.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			if r.URL.Query().Has("list-type") {
				page(w, false, key("a", 3))
				return w.Result(), nil
			}
			got = r.Header.Get("Accept-Encoding")
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "zip")
			return w.Result(), nil
		})
		if body := read(t, fetch(t, newSource(t, opts), source.Revision{}), "a"); body != "zip" || got != want {
			t.Errorf("%s: got %q, asked for as %q, want %q", endpoint, body, got, want)
		}
	}
}
