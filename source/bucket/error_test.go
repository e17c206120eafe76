package bucket_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

func checkError(t *testing.T, err, want error, text string) {
	t.Helper()
	if typed := new(source.Error); !errors.As(err, &typed) {
		t.Fatalf("got %v, want a *source.Error", err)
	}
	if want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, want, text)
	}
}

func TestFetchErrors(t *testing.T) {
	b := testbed.S3(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("aaaa"), "b/c": []byte("bbbb"), "b/d/e": []byte("c")}))
	for name, tt := range map[string]struct {
		change func(*bucket.Options)
		want   error
		text   string
	}{
		"no such host":   {func(o *bucket.Options) { o.Endpoint = "http://nonexistent.invalid" }, nil, "nonexistent.invalid"},
		"refused":        {func(o *bucket.Options) { o.Endpoint = "http://" + closedPort(t) }, nil, "refused"},
		"no bucket":      {func(o *bucket.Options) { o.Bucket = "no-such-bucket" }, source.ErrNotFound, "no-such-bucket"},
		"wrong key":      {func(o *bucket.Options) { o.AccessKey = "AKIAWRONG" }, source.ErrUnauthorized, ""},
		"wrong secret":   {func(o *bucket.Options) { o.SecretKey = "planted-hunter2" }, source.ErrUnauthorized, ""},
		"no credentials": {func(o *bucket.Options) { o.AccessKey, o.SecretKey = "", "" }, source.ErrUnauthorized, ""},
		"empty prefix":   {func(o *bucket.Options) { o.Prefix = "none" }, source.ErrNotFound, `no key starts with Options.Prefix, "none/"`},
		"files":          {func(o *bucket.Options) { o.Limits.MaxFiles = 4 }, source.ErrTooLarge, "Limits.MaxFiles"},
		"bytes":          {func(o *bucket.Options) { o.Limits.MaxBytes = 8 }, source.ErrTooLarge, "Limits.MaxBytes"},
		"file bytes":     {func(o *bucket.Options) { o.Limits.MaxFileBytes = 3 }, source.ErrTooLarge, `key "a"`},
		"depth":          {func(o *bucket.Options) { o.Limits.MaxDepth = 2 }, source.ErrTooLarge, "Limits.MaxDepth"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(b)
			tt.change(&opts)
			recorder := &testbed.Recorder{}
			opts.Transport = recorder
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is in %v", err)
			}
			for _, line := range recorder.Take() {
				if !strings.Contains(line, "list-type=2") {
					t.Errorf("an object was asked for: %s", line)
				}
			}
		})
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

func TestNewErrors(t *testing.T) {
	good := bucket.Options{Endpoint: "example.com", Bucket: "fleet"}
	for name, tt := range map[string]struct {
		change func(*bucket.Options)
		text   string
	}{
		"bucket":     {func(o *bucket.Options) { o.Bucket = "" }, "Options.Bucket"},
		"odd bucket": {func(o *bucket.Options) { o.Bucket = "a..b" }, `Options.Bucket "a..b": `},
		"folder":     {func(o *bucket.Options) { o.Bucket = "fleet/prod/eu" }, `write "fleet", and "prod/eu" into Options.Prefix`},
		"slash":      {func(o *bucket.Options) { o.Bucket = "fleet/" }, `has a slash: write "fleet"`},
		"bucket URL": {func(o *bucket.Options) { o.Bucket = "s3://fleet/prod" }, "is a URL: want the bucket's name alone"},
		"secret URL": {func(o *bucket.Options) { o.Bucket = "https://a:hunter2@example.com/fleet" }, "is a URL"},
		"ARN":        {func(o *bucket.Options) { o.Bucket = "arn:aws:s3:::fleet" }, "is an ARN: want the name alone"},
		"at start":   {func(o *bucket.Options) { o.Prefix = "/prod" }, `starts with a slash, and keys do not: write "prod"`},
		"both": {func(o *bucket.Options) { o.Endpoint = "https://fleet.s3.eu-west-1.amazonaws.com" },
			`starts with the bucket's name: write "s3.eu-west-1.amazonaws.com"`},
		"endpoint":    {func(o *bucket.Options) { o.Endpoint = "" }, "Options.Endpoint"},
		"scheme":      {func(o *bucket.Options) { o.Endpoint = "ftp://example.com" }, `"ftp"`},
		"path":        {func(o *bucket.Options) { o.Endpoint = "https://example.com/fleet" }, "more than a host"},
		"credentials": {func(o *bucket.Options) { o.Endpoint = "https://a:hunter2@example.com" }, "credentials"},
		"malformed":   {func(o *bucket.Options) { o.Endpoint = "https://a:hun?ter2@example.com" }, "Options.Endpoint"},
		"prefix":      {func(o *bucket.Options) { o.Prefix = "../a" }, `"../a"`},
		"half a key":  {func(o *bucket.Options) { o.SecretKey = "hunter2" }, "only one of"},
		"CA":          {func(o *bucket.Options) { o.CA = []byte("x") }, "no PEM certificate"},
		"two":         {func(o *bucket.Options) { o.CA, o.Transport = []byte("x"), http.DefaultTransport }, "excludes"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := good
			tt.change(&opts)
			_, err := bucket.New(opts)
			checkError(t, err, nil, tt.text)
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	certificate, key := clientCertificate(t)
	opts := bucket.Options{Endpoint: "https://example.com", Bucket: "fleet", AccessKey: "planted1", SecretKey: "planted2",
		SessionToken: "planted3", Proxy: "http://planted4:planted5%2F@example.com", ClientCertificate: certificate, ClientKey: key,
		CustomerKey: []byte("planted6-planted6-planted6-plant")}
	var log bytes.Buffer
	for _, value := range []any{opts, &opts, struct{ O bucket.Options }{opts}} {
		fmt.Fprintf(&log, "%v %+v %#v %s %q\n", value, value, value, value, value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "options", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "options", value)
	}
	s := newSource(t, opts)
	opts.Endpoint = "https://u:planted0@example.com"
	fmt.Fprintf(&log, "%v %+v %#v\n", opts, opts, opts)
	fmt.Fprintf(&log, "%v %+v %#v %s\n", s, s, s, s)
	type noMethods bucket.Source
	fmt.Fprintf(&log, "%+v %#v\n", (*noMethods)(s), (*noMethods)(s))
	asking := opts
	asking.Endpoint, asking.AccessKey, asking.SecretKey, asking.SessionToken = "example.com", "", "", ""
	asking.Credentials = bucket.Static(bucket.Credential{AccessKey: "planted7", SecretKey: "planted8"})
	fmt.Fprintf(&log, "%v %+v %#v\n", asking, asking, (*noMethods)(newSource(t, asking)))
	for _, value := range []any{opts, asking} {
		encoded, err := json.Marshal(struct {
			bucket.Options
			CA, ClientCertificate, AccessKey, Endpoint bool // which are no secrets
		}{Options: value.(bucket.Options)})
		must(t, err)
		log.Write(encoded)
	}
	for _, secret := range []string{"planted0", "planted2", "planted3", "planted4", "planted5", "planted6", "planted7", "planted8",
		"PRIVATE KEY", base64.StdEncoding.EncodeToString(key)[:60], base64.StdEncoding.EncodeToString(opts.CustomerKey)[:20],
		strings.Trim(fmt.Sprint(key[:20]), "[]"), strings.Trim(fmt.Sprint(opts.CustomerKey[:20]), "[]")} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%s is in %s", secret, &log)
		}
	}
}

// A server that answers as it likes.
func hostile(t *testing.T, answer http.HandlerFunc, limits source.Limits) error {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	s := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "fleet", AccessKey: "a", SecretKey: "planted-secret", SessionToken: "planted-token", Limits: limits})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err := s.Fetch(ctx, source.Revision{})
	if err == nil || strings.Contains(err.Error(), "planted") || ctx.Err() != nil {
		t.Errorf("got %v, %v", err, ctx.Err())
	}
	return err
}

func page(w http.ResponseWriter, more bool, contents string) {
	fmt.Fprintf(w, `<ListBucketResult><IsTruncated>%v</IsTruncated><NextContinuationToken>t</NextContinuationToken>%s</ListBucketResult>`, more, contents)
}

func key(name string, size int) string {
	return fmt.Sprintf(`<Contents><Key>%s</Key><Size>%d</Size><ETag>"e"</ETag></Contents>`, name, size)
}

func TestHostileServers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		text   string
	}{
		"endless pages": {func(w http.ResponseWriter, _ *http.Request) { page(w, true, "") }, "Options.MaxKeys"},
		"endless page": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<ListBucketResult>")
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat("<X>xxxxxxxxxxxxxxx</X>", 1000)); err != nil {
					return
				}
			}
		}, "16 MiB"},
		"escape":        {func(w http.ResponseWriter, _ *http.Request) { page(w, false, key("../a", 1)) }, `"../a"`},
		"absolute":      {func(w http.ResponseWriter, _ *http.Request) { page(w, false, key("/etc/passwd", 1)) }, `"/etc/passwd"`},
		"file in file":  {func(w http.ResponseWriter, _ *http.Request) { page(w, false, key("a", 1)+key("a/b", 1)) }, `"a/b" has to be in "a"`},
		"negative size": {func(w http.ResponseWriter, _ *http.Request) { page(w, false, key("a", -1)) }, "Limits.MaxBytes"},
		"not XML":       {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, "no listing of S3"},
		"short object":  {object("ab"), "3 bytes are listed"},
		"long object":   {object("abcd"), "3 bytes are listed"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://nonexistent.invalid/", http.StatusMovedPermanently)
		}, "redirect"},
		"secret echoed": {func(w http.ResponseWriter, r *http.Request) { echo(w, r) }, "(redacted)"},
		"double slash":  {func(w http.ResponseWriter, _ *http.Request) { page(w, false, key("a//b", 1)) }, `"a//b" is not a valid path`},
		"no ETag": {func(w http.ResponseWriter, _ *http.Request) {
			page(w, false, `<Contents><Key>a</Key><Size>1</Size></Contents>`)
		}, "no ETag"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, hostile(t, tt.answer, source.Limits{MaxFiles: 50}), nil, tt.text)
		})
	}
}

func object(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/a") {
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
			fmt.Fprint(w, body)
			return
		}
		page(w, false, key("a", 3))
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>no %s</Message></Error>", r.Header.Get("X-Amz-Security-Token"))
}

func TestEndedContextStopsARead(t *testing.T) {
	began := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/a") {
			page(w, false, key("a", 3))
			return
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", "3")
		fmt.Fprint(w, "a")
		w.(http.Flusher).Flush()
		began <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	_, err := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "fleet"}).Fetch(ctx, source.Revision{})
	checkError(t, err, context.Canceled, "")
}

func TestPlainHTTPWhereTLSIsMeantSaysHowToMendIt(t *testing.T) {
	b := testbed.S3(t)
	s, err := bucket.New(bucket.Options{Endpoint: b.Endpoint, Bucket: b.Name, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Fetch(t.Context(), source.Revision{}); err == nil || !strings.Contains(err.Error(), "write http:// before Options.Endpoint") {
		t.Errorf("the error is %v", err)
	}
}
