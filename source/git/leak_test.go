package git_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// ours are the goroutines that this module's packages have started or are in, and the tests' own are not among them.
func ours() []string {
	buf := make([]byte, 4<<20)
	all := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool {
		return strings.Contains(stack, "git_test.") || strings.Contains(stack, "testing.") ||
			!strings.Contains(stack, "gitopskit/source/git") && !strings.Contains(stack, "net/http.(*persistConn)") &&
				!strings.Contains(stack, "crypto/ssh.")
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("there is no /proc")
	}
	return len(entries)
}

// eventually waits for what others do in their own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%s: %s", what, strings.Join(ours(), "\n\n"))
			return
		}
	}
}

func TestFetchesLeaveNothingBehind(t *testing.T) {
	for _, scheme := range []string{"http", "git", "ssh"} {
		for name, tt := range map[string]struct {
			bend func(handmadeRequest, []byte) []byte
			end  error
		}{
			"success":  {nil, nil},
			"error":    {func(handmadeRequest, []byte) []byte { return []byte(line("ERR no")) }, errAny},
			"cut":      {func(_ handmadeRequest, a []byte) []byte { return append(a[:len(a)-9:len(a)-9], "0000"...) }, errAny},
			"canceled": {func(_ handmadeRequest, a []byte) []byte { return a[:len(a)-30] }, context.Canceled},
		} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				r, _ := sample()
				asked := make(chan struct{}, 1)
				r.bend = func(_ int, q handmadeRequest, a []byte) []byte {
					select {
					case asked <- struct{}{}:
					default:
					}
					if tt.bend != nil {
						return tt.bend(q, a)
					}
					return a
				}
				site, url := r.serve(t, scheme)
				s := newSource(t, url, git.Options{KnownHosts: site.knownHosts, Paths: []string{"apps"}, StallTimeout: time.Second / 5})
				eventually(t, "before", func() bool { return len(ours()) == 0 })
				files := openFiles(t)
				for range 3 {
					ctx, cancel := context.WithCancel(t.Context())
					if tt.end == context.Canceled {
						go func() { <-asked; cancel() }()
					}
					_, err := s.Fetch(ctx, source.Revision{})
					cancel()
					if (err != nil) != (tt.end != nil) {
						t.Errorf("got %v", err)
					}
				}
				// The caller's own goroutines are gone at once, up to those that package http ends in its own time.
				eventually(t, "goroutines stay", func() bool { return len(ours()) == 0 })
				eventually(t, "connections stay", func() bool { return site.open.Load() == 0 })
				eventually(t, "files stay", func() bool { return openFiles(t) <= files })
			})
		}
	}
}

var errAny = errors.New("any")

func TestManyFetchesAtOnceWithOneCache(t *testing.T) {
	for _, scheme := range []string{"http", "git", "ssh"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			r, _ := sample()
			site, url := r.serve(t, scheme)
			folder, err := git.OpenCache(t.TempDir(), git.CacheOptions{})
			must(t, err)
			memory := git.NewCache(git.CacheOptions{})
			wants := map[string][]string{
				"": {"README", "apps/api/b.yaml", "apps/web/a.yaml", "apps/web/run.sh"}, "apps/web": {"apps/web/a.yaml", "apps/web/run.sh"},
				"apps/api": {"apps/api/b.yaml"},
			}
			var running sync.WaitGroup
			for _, cache := range []*git.Cache{nil, memory, folder} {
				for path, want := range wants {
					opts := git.Options{KnownHosts: site.knownHosts, Cache: cache}
					if path != "" {
						opts.Paths = []string{path}
					}
					s := newSource(t, url, opts)
					for i := range 6 {
						running.Go(func() { fetchOrCancel(t, s, i, want) })
					}
				}
			}
			running.Wait()
		})
	}
}

// fetchOrCancel fetches, and for some numbers first gives up soon.
func fetchOrCancel(t *testing.T, s *git.Source, i int, want []string) {
	if i%2 > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		snapshot, err := s.Fetch(ctx, source.Revision{})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || err == nil && snapshot == nil {
			t.Errorf("got %v, %v", snapshot, err)
		}
	}
	snapshot, err := s.Fetch(t.Context(), source.Revision{})
	if err != nil {
		t.Error(err)
		return
	}
	var names []string
	for _, l := range listing(t, snapshot) {
		names = append(names, l[len("100644 blob ")+2*len(object.Hash{})+1:])
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// echoes are the places in which a server may say a secret back.
func TestEchoedSecretsAreNotTold(t *testing.T) {
	long := "planted-" + strings.Repeat("0123456789abcdef", 8)
	for kind, opts := range map[string]git.Options{
		"basic": {Username: "planted-user", Password: long + "/&\" ", AllowPlainHTTP: true},
		"token": {Token: long, AllowPlainHTTP: true},
		"asked": {Credentials: func(context.Context, git.CredentialRequest) (git.Credential, error) {
			return git.Credential{Token: long}, nil
		}, AllowPlainHTTP: true},
	} {
		for place, say := range map[string]func(w http.ResponseWriter, r *http.Request, secret string){
			"ERR": func(w http.ResponseWriter, _ *http.Request, s string) { fmt.Fprint(w, line("ERR "+s)) },
			"late ERR": func(w http.ResponseWriter, _ *http.Request, s string) {
				fmt.Fprint(w, line("ERR "+strings.Repeat("x", 480)+s))
			},
			"reference": func(w http.ResponseWriter, _ *http.Request, s string) { fmt.Fprint(w, line(s+" refs/heads/main")) },
			"late reference": func(w http.ResponseWriter, _ *http.Request, s string) {
				fmt.Fprint(w, line(strings.Repeat("x", 80)+s))
			},
			"length": func(w http.ResponseWriter, _ *http.Request, s string) { fmt.Fprint(w, s) },
			"sideband": func(w http.ResponseWriter, _ *http.Request, s string) {
				fmt.Fprint(w, "0000"+line("NAK\n")+line("\x03"+s))
			},
			"late sideband": func(w http.ResponseWriter, _ *http.Request, s string) {
				fmt.Fprint(w, "0000"+line("NAK\n")+line("\x03"+strings.Repeat("x", 450)+s))
			},
			"shallow": func(w http.ResponseWriter, _ *http.Request, s string) { fmt.Fprint(w, line("shallow "+s)) },
			"body":    func(w http.ResponseWriter, _ *http.Request, s string) { http.Error(w, s, http.StatusTeapot) },
			"type": func(w http.ResponseWriter, _ *http.Request, s string) {
				w.Header().Set("Content-Type", "text/"+s)
			},
			"long type": func(w http.ResponseWriter, _ *http.Request, s string) {
				w.Header().Set("Content-Type", "text/"+strings.Repeat("x", 470)+s)
			},
			"redirect": func(w http.ResponseWriter, r *http.Request, s string) {
				http.Redirect(w, r, "http://"+strings.ToLower(s[:4])+".invalid/"+s+"?"+s+"#"+s, http.StatusFound)
			},
			"challenge": func(w http.ResponseWriter, _ *http.Request, s string) {
				w.Header().Set("WWW-Authenticate", "Basic realm="+s)
				w.WriteHeader(http.StatusUnauthorized)
			},
			"status": func(w http.ResponseWriter, _ *http.Request, s string) {
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					fmt.Fprintf(conn, "HTTP/1.1 500 %s\r\nConnection: close\r\n\r\n", s)
					_ = conn.Close()
				}
			},
			"no status": func(w http.ResponseWriter, _ *http.Request, s string) {
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					fmt.Fprintf(conn, "%s\r\n\r\n", s)
					_ = conn.Close()
				}
			},
		} {
			t.Run(kind+" "+place, func(t *testing.T) {
				t.Parallel()
				r, _ := sample()
				handler := r.handler()
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					late := strings.Contains(place, "sideband") || place == "shallow"
					if late && request.Method == http.MethodGet {
						handler.ServeHTTP(w, request)
						return
					}
					w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
					if late {
						w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
					}
					header := request.Header.Get("Authorization")
					user, password, _ := request.BasicAuth()
					secret := strings.TrimPrefix(header, "Bearer ") + " " + header + " " + user + " " + password
					say(w, request, strings.TrimSpace(secret))
				}))
				defer server.Close()
				s := newSource(t, server.URL+"/a.git", opts)
				_, err := s.Fetch(t.Context(), source.Revision{})
				if !errors.As(err, new(*source.Error)) {
					t.Fatalf("got %v", err)
				}
				told := fmt.Sprintf("%v %+v %#v %q %v %+v %#v", err, err, err, err, s, s, opts)
				for _, secret := range []string{"planted", long[8:24], "cGxhbnRlZ", "0123456789a"} {
					if strings.Contains(told, secret) {
						t.Errorf("%q is in %s", secret, told)
					}
				}
			})
		}
	}
}
