package transport

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

func TestRedirectOnTheSameOriginIsFollowedOnce(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{User: "ann", Password: "secret"})
	server, sent := standIn(t, r, func(w http.ResponseWriter, q *http.Request) bool {
		rest, old := strings.CutPrefix(q.URL.RequestURI(), "/old%2Fplace.git")
		if old {
			http.Redirect(w, q, "/"+r.Name+".git"+rest, http.StatusMovedPermanently)
		}
		return old
	})
	opts := Options{AllowPlainHTTP: true, Credentials: give(Credential{Username: "ann", Password: "secret"})}
	must(t, converse(t.Context(), newTransport(t, server.URL+"/old%2Fplace.git", opts), 2, commit))
	for i, q := range sent.take() {
		if old := strings.HasPrefix(q.URL.Path, "/old"); old != (i == 0) {
			t.Errorf("request %d goes to %s", i, q.URL)
		}
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	r, commit := repository(t, testbed.GitOptions{})
	thief, stolen := standIn(t, nil, func(http.ResponseWriter, *http.Request) bool { return true })
	for name, tt := range map[string]struct {
		to    string
		posts bool // that is, and no GET
		want  string
	}{
		"another port": {thief.URL + "/a/info/refs?token=hunter2", false, "another origin"},
		"another host": {"http://hunter2@localhost" + thief.URL[len("http://127.0.0.1"):] + "/a/info/refs", false, "another origin"},
		"other scheme": {"ftp://127.0.0.1/a", false, "another origin"},
		"round":        {"/round/info/refs", false, "too often"},
		"elsewhere":    {"/elsewhere", false, "no repository can be"},
		"POST":         {thief.URL, true, "may not be redirected"},
		"POST at home": {"/x", true, "may not be redirected"},
		"no URL":       {"http://%zz", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			server, _ := standIn(t, r, func(w http.ResponseWriter, q *http.Request) bool {
				if q.URL.Path == "/elsewhere" {
					w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
					return true
				}
				if tt.posts != (q.Method == http.MethodPost) {
					return false
				}
				w.Header().Set("Location", tt.to)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			})
			defer server.Close()
			opts := Options{AllowPlainHTTP: true, Credentials: give(Credential{Username: "ann", Password: "hunter2"})}
			err := converse(t.Context(), newTransport(t, server.URL+"/"+r.Name+".git", opts), 2, commit)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got := stolen.take(); len(got) > 0 {
				t.Errorf("another origin was sent %v", got)
			}
		})
	}
}

func TestSameOrigin(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"http://a/x", "http://A:80/y", true},
		{"https://a/x", "https://a:443/y", true},
		{"http://a/x", "https://a/y", true},
		{"http://a:80/x", "https://a:443/y", true},
		{"http://a:8080/x", "https://a/y", false},
		{"http://a/x", "https://a:8443/y", false},
		{"https://a/x", "http://a/y", false},
		{"https://a/x", "https://b.a/y", false},
		{"https://a/x", "https://a:444/y", false},
		{"https://a/x", "ssh://a/y", false},
	} {
		if got := sameOrigin(parse(t, tt.from), parse(t, tt.to)); got != tt.want {
			t.Errorf("%s to %s: got %v", tt.from, tt.to, got)
		}
	}
}

func TestDoSendsCredentialsToTheRepositorysOriginAlone(t *testing.T) {
	leavesNothing(t)
	var home *httptest.Server
	store, stored := standIn(t, nil, func(w http.ResponseWriter, q *http.Request) bool {
		if q.URL.Path == "/home" {
			http.Redirect(w, q, home.URL+"/guessed", http.StatusFound)
			return true
		}
		_, _ = io.WriteString(w, "content")
		return true
	})
	home, asked := standIn(t, nil, func(w http.ResponseWriter, q *http.Request) bool {
		switch q.URL.Path {
		case "/away":
			http.Redirect(w, q, store.URL+"/object", http.StatusFound)
		case "/back":
			http.Redirect(w, q, store.URL+"/home", http.StatusFound)
		default:
			_, _ = io.Copy(w, q.Body)
		}
		return true
	})
	defer home.Close()
	defer store.Close()
	transport := newTransport(t, home.URL+"/a.git", Options{AllowPlainHTTP: true, Credentials: give(Credential{Token: "hunter2"})}).(*HTTP)
	do := func(method, url, body string) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		must(t, err)
		request.Header.Set("X-Private", "hunter2")
		request.Header.Set("Accept", "application/octet-stream")
		response, err := transport.Do(request)
		must(t, err)
		return response
	}
	text := func(r *http.Response) string {
		t.Helper()
		all, err := io.ReadAll(r.Body)
		must(t, err)
		must(t, r.Body.Close())
		return string(all)
	}
	if got := text(do(http.MethodPost, home.URL+"/batch", "question")); got != "question" {
		t.Errorf("got %q", got)
	}
	if got := asked.take(); got[0].Header.Get("Authorization") != "Bearer hunter2" {
		t.Errorf("the repository's origin was sent %v", got[0].Header)
	}
	for _, url := range []string{store.URL + "/direct", home.URL + "/away"} {
		if got := text(do(http.MethodGet, url, "")); got != "content" {
			t.Errorf("%s: got %q", url, got)
		}
		header := stored.take()[0].Header
		if header.Get("Authorization") != "" || header.Get("Accept") == "" || url != store.URL+"/direct" && header.Get("X-Private")+header.Get("Referer") != "" {
			t.Errorf("%s: another origin was sent %v", url, header)
		}
	}
	asked.take()
	text(do(http.MethodGet, home.URL+"/back", ""))
	if got := asked.take(); len(got) != 2 || got[1].URL.Path != "/guessed" || got[1].Header.Get("Authorization")+got[1].Header.Get("X-Private") != "" {
		t.Errorf("another origin leads back with credentials: %v", got)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, home.URL+"/away", strings.NewReader("x"))
	must(t, err)
	if _, err := transport.Do(request); err == nil || !strings.Contains(err.Error(), "may not be redirected") {
		t.Errorf("got %v", err)
	}
}

func TestDoAsksOnceMore(t *testing.T) {
	r, _ := repository(t, testbed.GitOptions{Token: "right"})
	credential := Credential{Token: "wrong"}
	session := newTransport(t, r.HTTPSURL(), Options{CA: r.CA, Credentials: give(credential)}).(*HTTP).Session()
	defer session.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.HTTPSURL()+"/info/refs?service=git-upload-pack", nil)
	must(t, err)
	response, err := session.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %s", response.Status)
	}
	request.Header.Set("Authorization", "Bearer right")
	response, err = session.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusOK {
		t.Errorf("with an Authorization of its own: got %s", response.Status)
	}
}

func TestClientCertificateStaysAtHome(t *testing.T) {
	r, _ := repository(t, testbed.GitOptions{ClientCertificates: true})
	certificate, key, err := r.ClientPEM()
	must(t, err)
	// Another origin of the same authority would take the certificate, if it were shown.
	opts := Options{CA: r.CA, ClientCertificate: certificate, ClientKey: key}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.HTTPSURL()+"/HEAD", nil)
	must(t, err)
	response, err := newTransport(t, r.HTTPSURL(), opts).(*HTTP).Do(request)
	must(t, err)
	must(t, response.Body.Close())
	response, err = newTransport(t, "https://example.com/a", opts).(*HTTP).Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "client certificate") {
		t.Errorf("got %v", err)
	}
}
