package bucket_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// oddServer answers to everything in the same way, but to listings of the present as a store where objects is set.
func oddServer(t *testing.T, status int, kind, body string, objects bool) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if objects && r.URL.Query().Has("list-type") {
			page(w, false, key("a", 3))
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

func checkOdd(t *testing.T, opts bucket.Options, text string) {
	t.Helper()
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, text)
	if errors.Is(err, source.ErrNotFound) || !errors.As(err, new(*source.TemporaryError)) {
		t.Errorf("%v is not found, or is not temporary", err)
	}
	if strings.Contains(err.Error(), "planted") {
		t.Errorf("a secret is in %v", err)
	}
}

// What is no listing is no empty bucket, for what follows from that is that everything gets removed.
func TestWhatIsNoListingIsNoEmptyBucket(t *testing.T) {
	for name, tt := range map[string]struct{ kind, body, text string }{
		"a page":       {"text/html", "<html><body>Log in", `no listing of S3 (200, text/html, "<html><body>Log in"): is Options.Endpoint`},
		"a whole page": {"text/html", "<!DOCTYPE html><html></html>", `"<!DOCTYPE html><html></html>"`},
		"all buckets":  {"application/xml", "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>", "ListAllMyBucketsResult"},
		"JSON":         {"application/json", `{"items":[]}`, "application/json"},
		"nothing":      {"", "", "nothing"},
		"an error":     {"application/xml", "<Error><Code>InternalError</Code></Error>", "InternalError"},
		"a secret":     {"text/html", "<html>planted-secret", "(redacted)"},
		"cut by us":    {"text/html", "<html>" + strings.Repeat("-", 86) + "planted-secret", "(redacted)"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := bucket.Options{Endpoint: oddServer(t, 200, tt.kind, tt.body, false).URL, Bucket: "fleet", AccessKey: "a",
				SecretKey: "planted-secret"}
			checkOdd(t, opts, tt.text)
			_, err := newSource(t, opts).History(t.Context(), 1)
			checkError(t, err, nil, "no listing of S3")
			opts.Endpoint = oddServer(t, 200, tt.kind, tt.body, true).URL
			checkOdd(t, opts, `key "a": the answer is no object of S3`)
		})
	}
}
