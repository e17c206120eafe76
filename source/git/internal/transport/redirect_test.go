package transport

import (
	"io"
	"net/http"
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
	store, stored := standIn(t, nil, func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, "content")
		return true
	})
	defer store.Close()
	home, asked := standIn(t, nil, func(w http.ResponseWriter, q *http.Request) bool {
		if q.URL.Path == "/away" {
			http.Redirect(w, q, store.URL+"/object", http.StatusFound)
		} else {
			_, _ = io.Copy(w, q.Body)
		}
		return true
	})
	defer home.Close()
	opts := Options{AllowPlainHTTP: true, Credentials: give(Credential{Token: "hunter2"})}
	session := newTransport(t, home.URL+"/a.git", opts).(*HTTP).Session()
	defer session.Close()
	for _, tt := range []struct {
		method, url, body string
		status            int
		authorization     string
		seen              interface{ take() []*http.Request }
	}{
		{http.MethodPost, home.URL + "/batch", "question", http.StatusOK, "Bearer hunter2", asked},
		{http.MethodGet, home.URL + "/away", "", http.StatusFound, "Bearer hunter2", asked},
		{http.MethodGet, store.URL + "/object", "content", http.StatusOK, "", stored},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, strings.NewReader(tt.body))
		must(t, err)
		response, err := session.Do(request)
		must(t, err)
		body, err := io.ReadAll(response.Body)
		must(t, err)
		must(t, response.Body.Close())
		if response.StatusCode != tt.status || tt.status == http.StatusOK && string(body) != tt.body {
			t.Errorf("%s: got %s, %q", tt.url, response.Status, body)
		}
		if got := tt.seen.take(); len(got) != 1 || got[0].Header.Get("Authorization") != tt.authorization {
			t.Errorf("%s: the server was sent %v", tt.url, got)
		}
	}
	if got := stored.take(); len(got) > 0 {
		t.Errorf("a redirect was followed: %v", got)
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
	ours := newTransport(t, r.HTTPSURL(), opts).(*HTTP).Session()
	defer ours.Close()
	theirs := newTransport(t, "https://example.com/a", opts).(*HTTP).Session()
	defer theirs.Close()
	response, err := ours.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	response, err = theirs.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "client certificate") {
		t.Errorf("got %v", err)
	}
}
