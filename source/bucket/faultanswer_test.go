package bucket_test

import (
	"context"
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

// oddStore is a store whose listing has one key, a, of three bytes, and that answers as it likes when somebody reads it.
func oddStore(t *testing.T, answer http.HandlerFunc) bucket.Options {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/a") {
			page(w, false, key("a", 3))
			return
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return bucket.Options{Endpoint: server.URL, Bucket: "fleet"}
}

func TestOddAnswers(t *testing.T) {
	const right = "abc"
	header := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			fmt.Fprint(w, right)
		}
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		text   string // of the error; empty: the content comes
	}{
		"chunks": {func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			fmt.Fprint(w, right)
		}, ""},
		"Content-Encoding":      {header("Content-Encoding", "gzip"), ""},
		"Expires, not a time":   {header("Expires", "0"), ""},
		"no Last-Modified":      {header("Last-Modified", ""), ""},
		"tagging count":         {header("X-Amz-Tagging-Count", "many"), ""},
		"restore":               {header("X-Amz-Restore", "ongoing"), ""},
		"source time":           {header("X-Minio-Source-Mtime", "now"), ""},
		"checksum, nonsense":    {header("X-Amz-Checksum-Sha256", "!!"), ""},
		"checksum, short":       {header("X-Amz-Checksum-Sha256", "AAAA"), ""},
		"checksum, of parts":    {header("X-Amz-Checksum-Sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=-3"), ""},
		"checksum, right":       {header("X-Amz-Checksum-Sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="), ""},
		"checksum, wrong":       {header("X-Amz-Checksum-Crc32", "AAAAAA=="), "does not match"},
		"another ETag":          {header("ETag", `"f"`), "kept changing"},
		"no ETag":               {header("ETag", ""), "no object of S3"},
		"304":                   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "304"},
		"204":                   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "204"},
		"a page for a person":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in</html>") }, "kept changing"},
		"length is smaller":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ab") }, "3 bytes are listed"},
		"part of it":            {partial(right, "bytes 7-9/10"), "a part of"},
		"all of it, as a part":  {partial(right, "bytes 0-2/3"), "a part of"},
		"a part of no range":    {partial(right, ""), "a part of"},
		"more in chunks":        {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); fmt.Fprint(w, "abcd") }, "3 bytes are listed"},
		"more than it can hold": {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "3 bytes are listed"},
		"endless refusal":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden); endless(w) }, "403"},
		"endless fault":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway); endless(w) }, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some requests are tried again, with pauses
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			snapshot, err := newSource(t, oddStore(t, tt.answer)).Fetch(ctx, source.Revision{})
			if tt.text != "" {
				checkError(t, err, nil, tt.text)
			} else if err != nil {
				t.Error(err)
			} else if got := read(t, snapshot, "a"); got != right {
				t.Errorf("got %q", got)
			}
			if ctx.Err() != nil {
				t.Error("it takes for ever")
			}
		})
	}
}

func partial(body, contentRange string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentRange != "" {
			w.Header().Set("Content-Range", contentRange)
		}
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, body)
	}
}

func endless(w http.ResponseWriter) {
	piece := make([]byte, 64<<10)
	for {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// A page that is no listing must not pass for the end of one: what it would have listed would be taken for deleted.
func TestWhatIsNoListingEndsNone(t *testing.T) {
	for name, second := range map[string]string{
		"error":         `<Error><Code>InternalError</Code><Message>again</Message></Error>`,
		"web page":      `<html><body>log in</body></html>`,
		"nothing":       ``,
		"other listing": `<ListAllMyBucketsResult></ListAllMyBucketsResult>`,
		"cut":           `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>b</Key>`,
	} {
		for _, opts := range []bucket.Options{{}, {AsOf: time.Now()}} {
			t.Run(fmt.Sprint(name, " ", !opts.AsOf.IsZero()), func(t *testing.T) {
				t.Parallel() // each request is tried again, with pauses
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					q := r.URL.Query()
					switch {
					case strings.HasSuffix(r.URL.Path, "/a"):
						object("abc")(w, r)
					case q.Has("continuation-token") || q.Get("key-marker") != "":
						fmt.Fprint(w, second)
					case q.Has("versions"):
						fmt.Fprint(w, `<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker>
							<Version><Key>a</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><LastModified>2020-01-01T00:00:00Z</LastModified><ETag>"e"</ETag><Size>3</Size></Version></ListVersionsResult>`)
					default:
						page(w, true, key("a", 3))
					}
				}))
				defer server.Close()
				opts.Endpoint, opts.Bucket = server.URL, "fleet"
				_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
				if err == nil {
					t.Fatal("what was listed until then was taken for all")
				}
				if errors.Is(err, source.ErrNotFound) || !errors.As(err, new(*source.TemporaryError)) {
					t.Errorf("got %v, want a temporary error", err)
				}
			})
		}
	}
}
