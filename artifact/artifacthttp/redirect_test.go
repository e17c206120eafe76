package artifacthttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/artifact/artifacthttp"
)

// passing keeps the Authorization and Cookie of each request to a handler.
func passing(h http.Handler, seen *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = append(*seen, r.Header.Get("Authorization")+r.Header.Get("Cookie")+r.Header.Get("X-Token")+r.Header.Get("Referer"))
		h.ServeHTTP(w, r)
	})
}

func TestCredentialsStayWithTheirOrigin(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	var here, there []string
	elsewhere := serve(t, passing(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}), &there))
	home := serve(t, passing(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere+"/podinfo", http.StatusFound)
		case "/around": // a redirect within the origin, and then away
			http.Redirect(w, r, "away", http.StatusTemporaryRedirect)
		case "/with": // to where somebody else's user is in the URL
			http.Redirect(w, r, strings.Replace(elsewhere, "//", "//u:p@", 1)+"/podinfo", http.StatusSeeOther)
		default:
			artifacthttp.Handler(s, artifacthttp.HandlerOptions{}).ServeHTTP(w, r)
		}
	}), &here))
	client := hasty()
	client.Header = http.Header{"Authorization": {"Bearer sesame"}, "Cookie": {"a=b"}, "X-Token": {"t"}}
	const all = "Bearer sesamea=bt"
	for path, want := range map[string]struct{ here, there []string }{
		"/podinfo": {[]string{all}, nil},
		"/away":    {[]string{all}, []string{""}},
		"/around":  {[]string{all, all}, []string{""}},
		"/with":    {[]string{all}, []string{""}},
	} {
		here, there = nil, nil
		if _, err := client.Fetch(t.Context(), home+path, only(s.Digest), &memory{}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if fmt.Sprint(here) != fmt.Sprint(want.here) || fmt.Sprint(there) != fmt.Sprint(want.there) {
			t.Errorf("%s: sent %q and %q, want %q and %q", path, here, there, want.here, want.there)
		}
		here, there = nil, nil
		if d, err := client.Resolve(t.Context(), home+path); err != nil || d.Digest != s.Digest {
			t.Errorf("%s: %+v, %v", path, d, err)
		}
		if fmt.Sprint(here) != fmt.Sprint(want.here) || fmt.Sprint(there) != fmt.Sprint(want.there) {
			t.Errorf("HEAD %s: sent %q and %q", path, here, there)
		}
	}
	if got := fmt.Sprint(client.Header); got != "map[Authorization:[Bearer sesame] Cookie:[a=b] X-Token:[t]]" {
		t.Errorf("the client's headers are now %s", got)
	}
}

func TestUserAndPasswordOfTheURLAreSent(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	var seen []string
	home := serve(t, passing(artifacthttp.Handler(s, artifacthttp.HandlerOptions{}), &seen))
	with := strings.Replace(home, "//", "//user:p%40ss@", 1)
	if _, err := hasty().Fetch(t.Context(), with+"/podinfo", only(s.Digest), &memory{}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.SetBasicAuth("user", "p@ss")
	if len(seen) != 1 || seen[0] != r.Header.Get("Authorization") {
		t.Errorf("sent %q", seen)
	}
}

func TestRedirectsEnd(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	plain := serve(t, artifacthttp.Handler(s, artifacthttp.HandlerOptions{}))
	locations := map[string]string{
		"/round": "/round", "/file": "file:///etc/passwd", "/nowhere": "http://", "/odd": "http://%zz", "/down": plain + "/podinfo",
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", locations[r.URL.Path])
		if n := 0; locations[r.URL.Path] == "" {
			if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err == nil && n > 0 {
				w.Header().Set("Location", fmt.Sprintf("/%d", n-1))
			} else {
				artifacthttp.Handler(s, artifacthttp.HandlerOptions{}).ServeHTTP(w, r)
				return
			}
		}
		w.WriteHeader(http.StatusMovedPermanently)
	})
	counting, requests := counted(handler)
	server := httptest.NewTLSServer(counting)
	defer server.Close()
	s.tag(t, "0")
	for path, want := range map[string]struct {
		requests int64
		ok       bool
	}{
		"/round":   {11, false},
		"/10":      {11, true},
		"/11":      {11, false},
		"/file":    {1, false},
		"/nowhere": {1, false},
		"/odd":     {1, false},
		"/down":    {1, false},
	} {
		requests.Store(0)
		client := hasty()
		client.HTTP = server.Client()
		_, err := client.Fetch(t.Context(), server.URL+path, only(s.Digest), &memory{})
		if want.ok != (err == nil) || requests.Load() != want.requests {
			t.Errorf("%s: %v after %d requests, want %d", path, err, requests.Load(), want.requests)
		}
	}
}

func TestTheConsumerMayForbidRedirects(t *testing.T) {
	s := shelve(t, 1000, artifact.Gzip)
	url := serve(t, http.RedirectHandler("/elsewhere", http.StatusFound))
	forbidden := errors.New("forbidden here")
	client := hasty()
	client.HTTP = &http.Client{CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Path != "/elsewhere" || len(via) != 1 {
			t.Errorf("asked about %v after %d", r.URL, len(via))
		}
		return forbidden
	}}
	if _, err := client.Fetch(t.Context(), url, only(s.Digest), &memory{}); !errors.Is(err, forbidden) {
		t.Error(err)
	}
}

func TestErrorsTellNoSecrets(t *testing.T) {
	const password, token, signature = "p@ss word/1", "t0ken-of-mine", "s1gnature+of=mine"
	s := shelve(t, 1000, artifact.Gzip)
	at := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "http://127.0.0.1:1/closed?sig="+url.QueryEscape(signature), http.StatusFound)
		case "/odd":
			w.Header().Set("Location", "http://%zz?sig="+signature)
			w.WriteHeader(http.StatusFound)
		case "/echo":
			first(w, `"a"`, s.Size, s.data[:500])
		case "/malformed": // net/http quotes what is no answer
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", r.URL.Query().Get("sig")+r.Header.Get("Authorization"))
			conn.Close()
		case "/part":
			if r.Header.Get("Range") == "" {
				first(w, `"a"`, s.Size, s.data[:500])
			}
			part(w, "bytes "+r.Header.Get("Authorization")+token+"\x1b[1m", nil)
		default:
			http.Error(w, r.URL.String()+r.Header.Get("Authorization"), http.StatusUnauthorized)
		}
	}))
	with := strings.Replace(at, "//", "//user:"+url.QueryEscape(password)+"@", 1)
	for _, from := range []string{
		at + "/x?sig=" + url.QueryEscape(signature) + "#" + signature,
		with + "/x", with + "/redirect", with + "/odd", with + "/echo", with + "/part", at + "/part", at + "/header",
		at + "/malformed?sig=" + url.QueryEscape(signature),
		"http://user:" + password + "@host:port/", "http://127.0.0.1:1/?token=" + token, "http://" + token + "@127.0.0.1:1/",
		"nothing://user:" + token + "@host/", "http://user:" + token + "@127.0.0.1:1/\x7f",
	} {
		client := hasty()
		client.Header = http.Header{"Authorization": {"Bearer " + token}}
		if strings.HasSuffix(from, "/header") {
			client.Header.Set("X-Odd", "a"+token+"\nb")
		}
		client.Retries = 1
		_, err := client.Fetch(t.Context(), from, only(s.Digest), &memory{})
		if err == nil {
			t.Errorf("%s: no error", from)
			continue
		}
		for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
			for _, text := range []string{unwrapped.Error(), fmt.Sprintf("%+v", unwrapped), fmt.Sprintf("%#v", unwrapped)} {
				for _, secret := range []string{
					password, url.QueryEscape(password), token, signature, url.QueryEscape(signature), "\x1b",
				} {
					if strings.Contains(text, secret) {
						t.Errorf("%s: %q tells %q", from, text, secret)
					}
				}
			}
		}
	}
}
