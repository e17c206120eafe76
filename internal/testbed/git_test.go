package testbed

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// advertised is what a repository answers to a list of references in version 2, or in the version that it speaks instead.
func advertised(t *testing.T, r *Repository) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL()+"/info/refs?service=git-upload-pack", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Git-Protocol", "version=2")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestGitOptionsTakeAbilitiesAway(t *testing.T) {
	for name, tt := range map[string]struct {
		opts      GitOptions
		has, hasn string
	}{
		"all":        {GitOptions{}, "fetch=shallow wait-for-done filter", "refs/heads/main"},
		"no filters": {GitOptions{NoFilters: true}, "version 2", "filter"},
		"version 0":  {GitOptions{NoProtocol2: true}, "allow-reachable-sha1-in-want", "version 2"},
		"tips only":  {GitOptions{NoProtocol2: true, TipsOnly: true}, "refs/heads/main", "allow-reachable-sha1-in-want"},
	} {
		t.Run(name, func(t *testing.T) {
			r := GitWith(t, tt.opts)
			if _, err := r.Commit(t.Context(), map[string][]byte{"a": []byte("1")}); err != nil {
				t.Fatal(err)
			}
			if got := advertised(t, r); !strings.Contains(got, tt.has) || strings.Contains(got, tt.hasn) {
				t.Errorf("got %q, want %q and not %q", got, tt.has, tt.hasn)
			}
		})
	}
}

func TestGitDaemonSpeaksTheVersionsItMay(t *testing.T) {
	for name, tt := range map[string]struct {
		opts GitOptions
		want string
	}{"both": {GitOptions{}, "ls-remote< version 2"}, "version 0": {GitOptions{NoProtocol2: true}, "refs/heads/main"}} {
		t.Run(name, func(t *testing.T) {
			r := GitWith(t, tt.opts)
			hash, err := r.Commit(t.Context(), map[string][]byte{"a": []byte("1")})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "git", "-c", "protocol.version=2", "ls-remote", r.DaemonURL(), "refs/heads/main")
			cmd.Env = append(gitEnvironment(), "GIT_TRACE_PACKET=2")
			said := new(strings.Builder)
			cmd.Stderr = said
			out, err := cmd.Output()
			if err != nil || !strings.HasPrefix(string(out), hash) || !strings.Contains(said.String(), tt.want) {
				t.Errorf("got %s, %v, %s", out, err, said)
			}
			if spoke := strings.Contains(said.String(), "ls-remote< version 2"); spoke == tt.opts.NoProtocol2 {
				t.Errorf("version 2 was spoken: %v", spoke)
			}
		})
	}
	if r := GitWith(t, GitOptions{User: "ann"}); r.Daemon != "" {
		t.Error("git daemon serves everyone what only ann may read")
	}
}

func TestProxyCarriesAndCounts(t *testing.T) {
	r := Git(t)
	if _, err := r.Commit(t.Context(), map[string][]byte{"a": []byte("1")}); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]ProxyOptions{"anyone": {}, "password": {User: "ann", Password: "sec:ret@"}} {
		t.Run(name, func(t *testing.T) {
			p, err := StartProxy(opts)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for _, via := range []string{p.HTTP, p.SOCKS5} {
				if err := fetchVia(t, r, via); err != nil {
					t.Errorf("%s: %v", via, err)
				}
				if got := p.TakeTargets(); len(got) == 0 || slices.ContainsFunc(got, func(g string) bool { return "https://"+g != r.HTTPS }) {
					t.Errorf("%s: connected to %v, want %s", via, got, r.HTTPS)
				}
				if sent, received := p.TakeBytes(); sent < 100 || received < 100 {
					t.Errorf("%s: counted %d and %d bytes", via, sent, received)
				}
				u, _ := url.Parse(via)
				u.User = url.UserPassword("ann", "wrong")
				if err := fetchVia(t, r, u.String()); (err != nil) != (opts.User != "") {
					t.Errorf("%s: wrong password: got %v", via, err)
				}
				p.TakeTargets()
				p.TakeBytes()
			}
		})
	}
}

func fetchVia(t *testing.T, r *Repository, proxy string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "-c", "http.sslVerify=false", "-c", "http.proxy="+proxy, "ls-remote", r.HTTPSURL())
	cmd.Env = append(gitEnvironment(), "GIT_TERMINAL_PROMPT=0", "SSL_CERT_DIR="+os.DevNull)
	return cmd.Run()
}
