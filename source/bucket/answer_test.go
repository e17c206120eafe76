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

// Errors quote the server, and no words that minio-go has for a status.
func TestErrorsQuoteOnlyWhatTheServerSays(t *testing.T) {
	for name, tt := range map[string]struct {
		status     int
		kind, body string
		want       error
		temporary  bool
		text       string
	}{
		"404":      {404, "text/plain", "404 page not found\n", nil, true, `answers 404, and not as S3 does ("404 page not found"): is Options.Endpoint`},
		"empty":    {404, "", "", nil, true, "answers 404, and not as S3 does (nothing)"},
		"403":      {403, "text/html", "<html>blocked</html>", source.ErrUnauthorized, false, `answers 403, and not as S3 does ("<html>blocked</html>")`},
		"401":      {401, "text/html", "<html>", source.ErrUnauthorized, false, "answers 401, and not as S3 does"},
		"400":      {400, "text/plain", "plain HTTP", nil, false, `answers 400, and not as S3 does ("plain HTTP")`},
		"405":      {405, "text/plain", "no", nil, false, "answers 405, and not as S3 does"},
		"502":      {502, "text/html", "<html>Bad Gateway", nil, true, `answers 502, and not as S3 does ("<html>Bad Gateway")`},
		"S3's 404": {404, "application/xml", "<Error><Code>NoSuchBucket</Code></Error>", source.ErrNotFound, false, `answers 404 "NoSuchBucket"`},
		"S3's 403": {403, "application/xml", "<Error><Code>AccessDenied</Code></Error>", source.ErrUnauthorized, false, `answers 403 "AccessDenied"`},
	} {
		t.Run(name, func(t *testing.T) {
			opts := bucket.Options{Endpoint: oddServer(t, tt.status, tt.kind, tt.body, false).URL, Bucket: "fleet"}
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if errors.As(err, new(*source.TemporaryError)) != tt.temporary || tt.want == nil && errors.Is(err, source.ErrNotFound) {
				t.Errorf("got %v, want it temporary: %t", err, tt.temporary)
			}
			for _, canned := range []string{"does not exist", "Access Denied.", "Please report", "Error response code"} {
				if strings.Contains(err.Error(), canned) {
					t.Errorf("got %v, which the server did not say", err)
				}
			}
			opts.Endpoint = oddServer(t, tt.status, tt.kind, tt.body, true).URL
			_, err = newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
		})
	}
}
