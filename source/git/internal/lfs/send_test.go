package lfs

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

const (
	gitRepo  = "https://git.example/r"
	gitBatch = gitRepo + ".git/info/lfs/objects/batch"
	onS3     = "https://s3.example/x"
)

type answers map[string]func(*http.Request) *http.Response

// A stage is a network of one client: what it answers is decided by the request's URL, without its query. Batch requests
// are granted with the action that it is given.
type stage struct {
	answers answers
	action  func() map[string]any // for all objects
	href    string
	each    func(batchObject) any // instead of action and href

	mu       sync.Mutex
	requests []*http.Request
}

func (s *stage) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	plain := *r.URL
	plain.RawQuery = ""
	if answers := s.answers[plain.String()]; answers != nil {
		return answers(r), nil
	}
	if !strings.HasSuffix(r.URL.Path, "/objects/batch") {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("no such host")}
	}
	question, _ := io.ReadAll(r.Body)
	more := map[string]any{}
	if s.action != nil {
		more = s.action()
	}
	each := s.each
	if each == nil {
		each = func(batchObject) any { return download(s.href, more) }
	}
	return answer(r, 200, mediaType, grantText(question, each)), nil
}

func (s *stage) asked() string {
	var lines []string
	for _, r := range s.requests {
		lines = append(lines, r.Method+" "+r.URL.String())
	}
	return strings.Join(lines, "\n")
}

func (s *stage) fetch(t *testing.T, repository string) (map[string][]byte, error) {
	t.Helper()
	return Fetch(t.Context(), s, parseURL(t, repository), named("one"), source.Limits{})
}

// saysOnly tells whether an error has the text, and nothing that tests plant as a secret.
func saysOnly(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text) && !strings.Contains(err.Error(), "planted")
}

func content(r *http.Request) *http.Response { return answer(r, 200, "", "one") }

func redirect(to string) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response { return answer(r, 302, "", "", "Location", to) }
}

func TestFetchGoesWhereTheServerSays(t *testing.T) {
	for name, tt := range map[string]struct {
		repository, href string
		answers          answers
		last             string // the URL of the last request
		text             string // of the error, if there is to be one
	}{
		"another host": {gitRepo, "https://s3.example/x?sig=1",
			answers{onS3: content}, "https://s3.example/x?sig=1", ""},
		"a path": {gitRepo, "/x", answers{"https://git.example/x": content}, "https://git.example/x", ""},
		"a relative path": {gitRepo, "../x",
			answers{"https://git.example/r.git/info/lfs/x": content}, "https://git.example/r.git/info/lfs/x", ""},
		"without a scheme": {gitRepo, "//s3.example/x",
			answers{onS3: content}, onS3, ""},
		"a user": {gitRepo, "https://ann:pw@s3.example/x#part",
			answers{onS3: content}, onS3, ""},
		"HTTP to HTTPS": {"http://git.example/r", onS3,
			answers{onS3: content}, onS3, ""},
		"HTTP to HTTP": {"http://git.example/r", "http://s3.example/x",
			answers{"http://s3.example/x": content}, "http://s3.example/x", ""},
		"HTTPS to HTTP": {gitRepo, "http://s3.example/x?sig=planted", nil,
			gitBatch, "http://s3.example/x is plain HTTP"},
		"a redirect": {gitRepo, onS3,
			answers{onS3: redirect("https://cdn.example/y?sig=2"), "https://cdn.example/y": content},
			"https://cdn.example/y?sig=2", ""},
		"a relative redirect": {gitRepo, "https://s3.example/a/x",
			answers{"https://s3.example/a/x": redirect("y"), "https://s3.example/a/y": content}, "https://s3.example/a/y", ""},
		"a redirect to HTTP": {"http://git.example/r", onS3,
			answers{onS3: redirect("http://cdn.example/y?sig=planted")}, onS3,
			"http://cdn.example/y is plain HTTP"},
		"a redirect to a file": {gitRepo, onS3,
			answers{onS3: redirect("file:///etc/passwd")}, onS3, "is no HTTP or HTTPS URL"},
		"a redirect to nowhere": {gitRepo, onS3,
			answers{onS3: redirect("")}, onS3, "redirects to nowhere"},
		"a redirect to no URL": {gitRepo, onS3,
			answers{onS3: redirect("https://[planted")}, onS3, "redirects to nowhere"},
		"a loop": {gitRepo, onS3,
			answers{onS3: redirect("/x?sig=planted")}, "https://s3.example/x?sig=planted",
			"redirects more than 5 times"},
		"the batch in its origin": {"https://git.example/old", "x",
			answers{"https://git.example/old.git/info/lfs/objects/batch": redirect("/new.git/info/lfs/objects/batch"),
				"https://git.example/new.git/info/lfs/objects/x": content},
			"https://git.example/new.git/info/lfs/objects/x", ""},
		"the batch to HTTPS": {"http://git.example/r", "x",
			answers{"http://git.example/r.git/info/lfs/objects/batch": redirect(gitBatch),
				"https://git.example/r.git/info/lfs/objects/x": content},
			"https://git.example/r.git/info/lfs/objects/x", ""},
		"the batch elsewhere": {gitRepo, "x",
			answers{gitBatch: redirect("https://other.example/objects/batch")},
			gitBatch, "another origin"},
		"the batch to another port": {gitRepo, "x",
			answers{gitBatch: redirect("https://git.example:8443/objects/batch")},
			gitBatch, "another origin"},
		"the batch in a loop": {gitRepo, "x",
			answers{gitBatch: redirect("?a=planted")},
			"https://git.example/r.git/info/lfs/objects/batch?a=planted", "redirects more than 5 times"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{answers: tt.answers, href: tt.href}
			got, err := s.fetch(t, tt.repository)
			if tt.text == "" && (err != nil || string(got[pointerTo("one").OID]) != "one") {
				t.Errorf("got %v, %v", got, err)
			}
			if tt.text != "" && (got != nil || !saysOnly(err, tt.text)) {
				t.Errorf("got %v, %v, want %q", got, err, tt.text)
			}
			if last := s.requests[len(s.requests)-1]; last.URL.String() != tt.last || last.URL.User != nil {
				t.Errorf("asked\n%s\nand at last not %s", s.asked(), tt.last)
			}
			if n := len(s.requests); n > 7 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A batch request stays one when it is redirected.
func TestFetchRepeatsTheQuestionAfterARedirect(t *testing.T) {
	s := &stage{href: "x", answers: answers{
		gitBatch: redirect("/n.git/info/lfs/objects/batch"),
		"https://git.example/n.git/info/lfs/objects/x": content}}
	if _, err := s.fetch(t, gitRepo); err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 3 || s.requests[1].Method != "POST" || s.requests[1].Header.Get("Content-Type") != mediaType {
		t.Errorf("asked\n%s", s.asked())
	}
}

func TestFetchSendsHeadersWhereTheyBelong(t *testing.T) {
	given := map[string]string{"Authorization": "RemoteAuth planted", "X-Amz-Date": "today", "accept": "a/b",
		"Host": "internal.example", "Cookie": "a=b", "Transfer-Encoding": "chunked", "Content-Length": "7", "Range": "bytes=0-1",
		"If-None-Match": "*", "Proxy-Authorization": "Basic eA==", "Connection": "X-Amz-Date", "Accept-Encoding": "gzip",
		"metadata-flavor": "Google", "X-Forwarded-For": "127.0.0.1"}
	s := &stage{href: onS3, action: func() map[string]any { return map[string]any{"header": given} },
		answers: answers{
			onS3:                    redirect("https://s3.example/y"),
			"https://s3.example/y":  redirect("https://cdn.example/z"),
			"https://cdn.example/z": redirect("https://s3.example/w"),
			"https://s3.example/w":  content}}
	if _, err := s.fetch(t, gitRepo); err != nil {
		t.Fatal(err)
	}
	const own = "Accept-Encoding=[identity] User-Agent=[git-lfs/gitopskit]"
	const granted = "Accept=[a/b] Accept-Encoding=[identity] Authorization=[RemoteAuth planted] " +
		"User-Agent=[git-lfs/gitopskit] X-Amz-Date=[today]"
	for i, want := range []string{"Accept=[" + mediaType + "] Content-Type=[" + mediaType + "] User-Agent=[git-lfs/gitopskit]",
		granted, granted, own, own} {
		got := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(map[string][]string(s.requests[i].Header)), "map["), "]")
		if got = strings.ReplaceAll(got, ":[", "=["); got != want || s.requests[i].Host != s.requests[i].URL.Host {
			t.Errorf("%s: headers %s, want %s", s.requests[i].URL, got, want)
		}
	}
}

func TestFetchRefusesHeadersThatAreNone(t *testing.T) {
	many := make(map[string]string)
	for i := range 65 {
		many[fmt.Sprint("X-", i)] = "planted"
	}
	for name, header := range map[string]map[string]string{
		"a line break": {"X-A": "b\r\nHost: planted"}, "NUL": {"X-A": "planted\x00"}, "a space": {"X A": "planted"},
		"no name": {"": "planted"}, "a colon": {"X:planted": "b"}, "not ASCII": {"Xé": "planted"},
		"many": many, "large": {"X-A": strings.Repeat("planted", 3000)},
	} {
		s := &stage{href: onS3, action: func() map[string]any { return map[string]any{"header": header} }}
		got, err := s.fetch(t, gitRepo)
		if got != nil || !saysOnly(err, "header") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if len(s.requests) != 1 {
			t.Errorf("%s: asked\n%s", name, s.asked())
		}
	}
}

// What a client's error says of a URL and of headers stays with it, however it is formatted or taken apart.
func TestFetchConcealsSecrets(t *testing.T) {
	secret := errors.New("dialing s3.example?sig=planted-query with RemoteAuth planted-header: no route")
	for name, fail := range map[string]func(*http.Request) (*http.Response, error){
		"before the answer": func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("client: %w", &url.Error{Op: "Get", URL: r.URL.String(), Err: secret})
		},
		"after a redirect": func(*http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: "https://s3.example/y?sig=planted-other", Err: secret}
		},
		"in the answer": func(r *http.Request) (*http.Response, error) {
			response := content(r)
			response.Body = io.NopCloser(io.MultiReader(strings.NewReader("o"), failing{secret}))
			return response, nil
		},
	} {
		s := &stage{href: "https://s3.example/x?sig=planted-query", action: func() map[string]any {
			return map[string]any{"header": map[string]string{"Authorization": "RemoteAuth planted-header"}}
		}}
		client := doer(func(r *http.Request) (*http.Response, error) {
			if r.Method == "POST" {
				return s.Do(r)
			}
			return fail(r)
		})
		_, err := Fetch(t.Context(), client, parseURL(t, gitRepo), named("one"), source.Limits{})
		text := fmt.Sprintf("%v %+v %q", err, err, err)
		for in := err; in != nil; in = errors.Unwrap(in) {
			text += in.Error()
		}
		if strings.Contains(text, "planted") || !strings.Contains(text, "no route") || !strings.Contains(text, onS3) {
			t.Errorf("%s: got %s", name, text)
		}
		if outer := new(url.Error); !errors.Is(err, secret) || errors.As(err, &outer) {
			t.Errorf("%s: %v is to be known and not to be had", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestFetchBoundsErrors(t *testing.T) {
	client := doer(func(*http.Request) (*http.Response, error) { return nil, errors.New(strings.Repeat("é", 100_000)) })
	_, err := Fetch(t.Context(), client, parseURL(t, "https://git.example/"+strings.Repeat("r", 100_000)), named("one"), source.Limits{})
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("got an error of %d bytes", len(err.Error()))
	}
}

// A client that follows redirects has sent the headers where they may not go: it must not go unnoticed.
func TestFetchRefusesClientsThatFollowRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "one") }))
	defer other.Close()
	s := newScripted(t)
	s.object = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }
	if _, err := s.fetch(t, "one"); err != nil {
		t.Errorf("got %v of a client that follows none", err)
	}
	got, err := Fetch(t.Context(), other.Client(), parseURL(t, s.URL), named("one"), source.Limits{})
	if err == nil || got != nil || !strings.Contains(err.Error(), "follows redirects") {
		t.Errorf("got %v, %v", got, err)
	}
}
