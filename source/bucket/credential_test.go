package bucket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A giver is a function for credentials that gives one after the other, and the last one for ever.
type giver struct {
	mu    sync.Mutex
	all   []bucket.Credential
	asked []bucket.CredentialRequest
}

func (g *giver) give(_ context.Context, r bucket.CredentialRequest) (bucket.Credential, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, r)
	return g.all[min(len(g.asked), len(g.all))-1], nil
}

func credentialOf(b *testbed.Bucket) bucket.Credential {
	return bucket.Credential{AccessKey: b.AccessKey, SecretKey: b.SecretKey}
}

// asking is the options of a bucket with a function instead of keys.
func asking(b *testbed.Bucket, f bucket.CredentialFunc) bucket.Options {
	opts := options(b)
	opts.AccessKey, opts.SecretKey, opts.Credentials = "", "", f
	return opts
}

func TestManyRequestsAskForCredentialsOnce(t *testing.T) {
	b := testbed.S3(t)
	files := map[string][]byte{"ä b+c%20d/e=f&g": []byte("odd"), "~!*'()": []byte("marks")}
	for i := range 100 {
		files[fmt.Sprintf("f/%03d", i)] = fmt.Appendf(nil, "%d", i)
	}
	must(t, put(t.Context(), b, files))
	g := &giver{all: []bucket.Credential{credentialOf(b)}}
	recorder := &testbed.Recorder{}
	opts := asking(b, g.give)
	opts.Concurrency, opts.Transport = 100, recorder
	s := newSource(t, opts)
	snapshot := fetch(t, s, source.Revision{})
	for name, body := range files {
		if got := read(t, snapshot, name); got != string(body) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, err := s.Fetch(t.Context(), snapshot.Revision); !errors.Is(err, source.ErrNotModified) {
		t.Error(err)
	}
	if n := len(recorder.Take()); n != len(files)+2 || len(g.asked) != 1 {
		t.Errorf("%d requests asked %d times", n, len(g.asked))
	}
	want := bucket.CredentialRequest{Endpoint: "http://" + b.Endpoint, Bucket: b.Name, Region: "us-east-1", Client: g.asked[0].Client}
	if g.asked[0] != want || want.Client == nil {
		t.Errorf("asked %+v, want %+v", g.asked[0], want)
	}
}

func TestRefusedCredentialsAreAskedForOnceMore(t *testing.T) {
	b := testbed.S3(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("1")}))
	right := credentialOf(b)
	unknown := bucket.Credential{AccessKey: "AKIAUNKNOWN", SecretKey: "planted-one"}
	rotated := bucket.Credential{AccessKey: b.AccessKey, SecretKey: "planted-two"}
	for name, tt := range map[string]struct {
		gives           []bucket.Credential
		asked, requests int
		want            error
	}{
		"unknown, then right":   {[]bucket.Credential{unknown, right}, 2, 3, nil},
		"rotated, then right":   {[]bucket.Credential{rotated, right}, 2, 3, nil},
		"unknown, then rotated": {[]bucket.Credential{unknown, rotated, right}, 2, 2, source.ErrUnauthorized},
		"always the same":       {[]bucket.Credential{unknown}, 2, 1, source.ErrUnauthorized},
		"anyone":                {[]bucket.Credential{{}}, 1, 1, source.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			g := &giver{all: tt.gives}
			recorder := &testbed.Recorder{}
			opts := asking(b, g.give)
			opts.Transport = recorder
			s := newSource(t, opts)
			_, err := s.Fetch(t.Context(), source.Revision{})
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || err != nil && strings.Contains(err.Error(), "planted") {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if n := len(recorder.Take()); n != tt.requests || len(g.asked) != tt.asked {
				t.Errorf("%d requests, asked %d times; want %d and %d", n, len(g.asked), tt.requests, tt.asked)
			}
			for i, r := range g.asked {
				if r.Refused != (i > 0) {
					t.Errorf("question %d says Refused: %v", i, r.Refused)
				}
			}
			if tt.want != nil && len(tt.gives) == 3 { // the next call has another chance
				fetch(t, s, source.Revision{})
			}
		})
	}
}

// expiringStore is a store of 30 objects, in pages of ten, whose keys it accepts for some requests and not for longer.
type expiringStore struct {
	mu     sync.Mutex
	left   map[string]int
	lists  int
	status int
	code   string
}

func (s *expiringStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	access, _, _ := strings.Cut(scope, "/")
	if s.left[access] == 0 {
		w.WriteHeader(s.status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>of %s</Message></Error>", s.code, r.Header.Get("X-Amz-Security-Token"))
		return
	}
	s.left[access]--
	if r.URL.Query().Get("list-type") != "2" {
		object("abc")(w, r)
		return
	}
	s.lists++
	first := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("continuation-token"), &first)
	keys := ""
	for i := range 10 {
		keys += key(fmt.Sprintf("%02d/a", first+i), 3)
	}
	fmt.Fprintf(w, "<ListBucketResult><IsTruncated>%v</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", first < 20, first+10)
	fmt.Fprint(w, keys, "</ListBucketResult>")
}

func TestCredentialsThatExpireMidway(t *testing.T) {
	temporary := func(access string) bucket.Credential {
		return bucket.Credential{AccessKey: access, SecretKey: "planted-secret", SessionToken: "planted/token+of==" + access}
	}
	for name, tt := range map[string]struct {
		left        map[string]int
		status      int
		code        string
		asked       int
		want        error
		concurrency int
	}{
		"in the listing":    {map[string]int{"one": 1, "two": 100}, 400, "ExpiredToken", 2, nil, 4},
		"in the downloads":  {map[string]int{"one": 13, "two": 100}, 400, "ExpiredToken", 2, nil, 30},
		"in both":           {map[string]int{"one": 2, "two": 7, "three": 100}, 403, "InvalidAccessKeyId", 3, nil, 1},
		"all are expired":   {nil, 400, "ExpiredToken", 2, source.ErrUnauthorized, 4},
		"no code":           {map[string]int{"two": 100}, 401, "", 2, nil, 4},
		"no permission":     {map[string]int{"two": 100}, 403, "AccessDenied", 1, source.ErrUnauthorized, 4},
		"something else":    {map[string]int{"two": 100}, 400, "InvalidArgument", 1, nil, 4},
		"refused for good":  {map[string]int{"one": 2}, 403, "InvalidToken", 2, source.ErrUnauthorized, 4},
		"MinIO's own words": {map[string]int{"one": 3, "two": 100}, 403, "InvalidTokenId", 2, nil, 4},
	} {
		t.Run(name, func(t *testing.T) {
			store := &expiringStore{left: tt.left, status: tt.status, code: tt.code}
			server := httptest.NewServer(store)
			defer server.Close()
			g := &giver{all: []bucket.Credential{temporary("one"), temporary("two"), temporary("three")}}
			if name == "refused for good" {
				g.all = g.all[:1]
			}
			s := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "fleet", Credentials: g.give, Concurrency: tt.concurrency})
			snapshot, err := s.Fetch(t.Context(), source.Revision{})
			if len(g.asked) != tt.asked {
				t.Errorf("asked %d times, want %d", len(g.asked), tt.asked)
			}
			if tt.want != nil || name == "something else" {
				checkError(t, err, tt.want, tt.code)
				if strings.Contains(err.Error(), "planted") {
					t.Errorf("a secret is in %v", err)
				}
				return
			}
			must(t, err)
			if read(t, snapshot, "29/a") != "abc" || store.lists != 3 {
				t.Errorf("%d pages", store.lists)
			}
		})
	}
}

func TestWhatAsksForCredentialsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	var asked atomic.Int32
	recorder := &testbed.Recorder{}
	s := newSource(t, bucket.Options{Endpoint: "example.invalid", Bucket: "fleet", Transport: recorder,
		Credentials: func(ctx context.Context, _ bucket.CredentialRequest) (bucket.Credential, error) {
			asked.Add(1)
			close(began)
			<-ctx.Done()
			return bucket.Credential{}, fmt.Errorf("ended: %w", ctx.Err())
		}})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			_, err := s.Fetch(ctx, source.Revision{})
			checkError(t, err, context.Canceled, "")
		})
	}
	<-began
	cancel()
	all.Wait()
	if n := len(recorder.Take()); n != 0 || asked.Load() != 1 {
		t.Errorf("%d requests, asked %d times", n, asked.Load())
	}
}

func TestErrorsOfCredentialFunctions(t *testing.T) {
	mine := errors.New("the vault is sealed")
	for name, tt := range map[string]struct {
		give func(bucket.CredentialRequest) (bucket.Credential, error)
		want error
		text string
	}{
		"an error": {func(bucket.CredentialRequest) (bucket.Credential, error) {
			return bucket.Credential{AccessKey: "a", SecretKey: "b"}, mine
		}, mine, "asking for credentials: the vault is sealed"},
		"half a credential": {func(bucket.CredentialRequest) (bucket.Credential, error) {
			return bucket.Credential{SecretKey: "planted"}, nil
		}, nil, "only one of AccessKey and SecretKey"},
		"no second one": {func(r bucket.CredentialRequest) (bucket.Credential, error) {
			if r.Refused {
				return bucket.Credential{}, fmt.Errorf("instead of planted-secret: %w", mine)
			}
			return bucket.Credential{AccessKey: "unknown", SecretKey: "planted-secret"}, nil
		}, mine, `403 "InvalidAccessKeyId"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := testbed.S3(t)
			f := func(_ context.Context, r bucket.CredentialRequest) (bucket.Credential, error) { return tt.give(r) }
			_, err := newSource(t, asking(b, f)).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if errors.Is(err, source.ErrUnauthorized) != (name == "no second one") || strings.Contains(err.Error(), "planted") {
				t.Errorf("got %v", err)
			}
			if temporary := new(source.TemporaryError); errors.As(err, &temporary) {
				t.Errorf("%v is not the store's", err)
			}
		})
	}
}

func TestCredentialsAreNotPrinted(t *testing.T) {
	c := bucket.Credential{AccessKey: "planted1", SecretKey: "planted2", SessionToken: "planted3", Expires: time.Unix(1e9, 0)}
	var log bytes.Buffer
	for _, value := range []any{c, &c, struct{ C bucket.Credential }{c}, []bucket.Credential{c}} {
		fmt.Fprintf(&log, "%v %+v %#v %s %q\n", value, value, value, value, value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "credential", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "credential", value)
		must(t, json.NewEncoder(&log).Encode(value))
	}
	if strings.Contains(log.String(), "planted") || !strings.Contains(log.String(), "SessionToken:true") {
		t.Errorf("got %s", &log)
	}
}

// What a store or a proxy says may have a secret in any spelling.
func TestSpellingsOfSecretsAreHidden(t *testing.T) {
	const token = `planted "token"/+%=é`
	spellings := []string{token, url.QueryEscape(token), url.PathEscape(token), (&url.URL{Path: token}).EscapedPath(),
		fmt.Sprintf("%q", token)}
	for i, spelling := range spellings {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message><![CDATA[no %s here]]></Message></Error>", spelling)
		}))
		c := bucket.Credential{AccessKey: "a", SecretKey: "s", SessionToken: token}
		s := newSource(t, bucket.Options{Endpoint: server.URL, Bucket: "fleet", Credentials: bucket.Static(c)})
		_, err := s.Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrUnauthorized, "(redacted)")
		if strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), " here") {
			t.Errorf("%d: got %v", i, err)
		}
		server.Close()
	}
}
