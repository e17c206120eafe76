package git_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// checkTemporary is for an error of a fetch that may succeed later, or not.
func checkTemporary(t *testing.T, err error, want bool) *source.TemporaryError {
	t.Helper()
	found := &source.TemporaryError{Err: errors.New("none")}
	if got := errors.As(err, &found); got != want {
		t.Errorf("is it temporary: %v, of %v", got, err)
	}
	return found
}

func TestWhatServersSayIsTold(t *testing.T) {
	long := strings.Repeat("0123456789", 30)
	for name, tt := range map[string]struct {
		status            int
		kind, retry, says string
		text              string // after the URL
		temporary         bool
		after             time.Duration
	}{
		"busy": {429, "text/plain", "7", "slow down\nplease", `429 Too Many Requests: the server says "slow down"` +
			"; it asks to be left alone for 7s", true, 7 * time.Second},
		"no seconds":  {429, "text/plain", "-7", "", "429 Too Many Requests", true, 0},
		"nonsense":    {503, "text/plain", "soon", " \n", "503 Service Unavailable", true, 0},
		"page":        {502, "text/html", "", "<html>", "502 Bad Gateway", true, 0},
		"charset":     {500, "text/plain; charset=utf-8", "", "\n\n  out\tof \x1b[31m  ", `500 Internal Server Error: the server says "out\tof \x1b[31m"`, true, 0},
		"password":    {500, "text/plain", "", "you sent hunter2", `500 Internal Server Error: the server says "you sent (redacted)"`, true, 0},
		"long":        {418, "text/plain", "", long, `418 I'm a teapot: the server says "` + long[:200] + `"`, false, 0},
		"cut secret":  {418, "text/plain", "", long[:195] + "hunter2", `418 I'm a teapot: the server says "` + long[:195] + `(redacted)"`, false, 0},
		"not allowed": {403, "text/plain", "7", "SSO first", `403 Forbidden: the server says "SSO first"`, false, 0},
		"not there":   {404, "text/plain", "", "no such project", `404 Not Found: the server says "no such project"`, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				w.Header().Set("Retry-After", tt.retry)
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.says)
			}))
			defer server.Close()
			s := newSource(t, server.URL+"/a.git", git.Options{Username: "u", Password: "hunter2", AllowPlainHTTP: true})
			_, err := s.Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, "the server answers "+tt.text)
			if got := checkTemporary(t, err, tt.temporary); got.After != tt.after || strings.Contains(got.Error(), "hunter2") {
				t.Errorf("got %v, want %v", got, tt.after)
			}
		})
	}
}

// A date is told by the server's clock; what is asked of a server that is busy is not asked of it in another way at once.
func TestABusyServerIsLeftAlone(t *testing.T) {
	repo := testbed.Git(t)
	grown(t, repo)
	var posts atomic.Int32
	server := front(t, repo, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Method == http.MethodGet {
			pass.ServeHTTP(w, r)
			return
		}
		posts.Add(1)
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		http.Error(w, "later", http.StatusServiceUnavailable)
	})
	s := newSource(t, server.URL+"/"+repo.Name+".git", git.Options{Paths: []string{"apps"}})
	_, err := s.Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, `the server says "later"`)
	if got := checkTemporary(t, err, true); got.After > time.Hour || got.After < 30*time.Minute || posts.Load() != 1 {
		t.Errorf("got %v after %d requests", got.After, posts.Load())
	}
}

func TestWhichFailuresMayPass(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	failing := func(fail func(http.ResponseWriter, *http.Request)) string {
		server := front(t, repo, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { fail(w, r) })
		return server.URL + "/" + repo.Name + ".git"
	}
	closing := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	stalling := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	cutting := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "001e# service=git-upload-pack\n0000")
	}
	for name, tt := range map[string]struct {
		url  string
		want bool
		text string
	}{
		"refused":        {"http://" + closedPort(t) + "/a.git", true, ""},
		"refused by SSH": {"ssh://git@" + closedPort(t) + "/a.git", true, ""},
		"refused by git": {"git://" + closedPort(t) + "/a.git", true, ""},
		"closed":         {failing(closing), true, "the server closes the connection without an answer"},
		"stalled":        {failing(stalling), true, ""},
		"cut":            {failing(cutting), true, ""},
		"no such host":   {"https://nonexistent.invalid/a.git", false, ""},
		"certificate":    {repo.HTTPSURL(), false, "Options.CA"},
		"no repository":  {repo.HTTP + "/none.git", false, ""},
		"by SSH":         {strings.TrimSuffix(repo.SSHURL(), ".git") + "/none.git", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, tt.url, git.Options{StallTimeout: time.Second, KnownHosts: repo.KnownHosts()})
			_, err := s.Fetch(t.Context(), source.Revision{})
			checkError(t, err, nil, tt.text)
			checkTemporary(t, err, tt.want)
		})
	}
}
