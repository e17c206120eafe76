package git

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/transport"
	"github.com/gitopskit/gitopskit/source/internal/network"
)

// gitModuleURLs are what git submodule init makes of URLs in a clone of the parent.
func gitModuleURLs(t *testing.T, parent string, given []string) []string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v: %s", args, err, said)
		}
		return strings.TrimSuffix(string(said), "\n")
	}
	git("init", "--quiet")
	git("config", "remote.origin.url", parent)
	var text strings.Builder
	add := []string{"update-index", "--add"}
	for i, u := range given {
		fmt.Fprintf(&text, "[submodule \"%d\"]\n\tpath = %d\n\turl = %s\n", i, i, u)
		add = append(add, "--cacheinfo", fmt.Sprintf("160000,%040d,%d", 1, i))
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitmodules"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	git(add...)
	git("submodule", "--quiet", "init")
	resolved := make([]string, len(given))
	for i := range given {
		resolved[i] = git("config", fmt.Sprintf("submodule.%d.url", i))
	}
	return resolved
}

func TestModuleURLIsGits(t *testing.T) {
	for _, parent := range []string{
		"https://example.com/org/repo.git", "https://example.com:8443/a/b/c/", "https://example.com/org//repo",
		"https://example.com/a%2Fb/c%20d.git", "ssh://git@example.com:2222/org/repo", "git@example.com:org/sub/repo.git",
		"example.com:/abs/repo.git", "git@example.com:~/org/repo.git", "git://example.com/a/b",
	} {
		all := []string{
			"../x.git", "./x.git", "../../x", "../../y/x/", ".././../x", "./../x%20y", "../é", "../a/../b", "../..x", "../x.git/",
			"https://other.example/z.git", "git@other.example:z", "ssh://other.example/~/z",
		}
		gits := gitModuleURLs(t, parent, all)
		for i, given := range all {
			if parent[0] == 'e' && strings.Contains(given, "%") {
				continue // the short form with a slash is an ssh:// URL once it is parsed
			}
			parsed, _, err := parseURL(parent)
			if err != nil {
				t.Fatal(err)
			}
			want, _, wrong := parseURL(gits[i])
			got, _, err := moduleURL(parsed, given)
			if (err != nil) != (wrong != nil) || err == nil && got.String() != want.String() {
				t.Errorf("%s of %s: got %v, %v, and git has %v, %v", given, parent, got, err, want, wrong)
			}
		}
	}
}

func TestModuleURLOfAHomeStaysRelative(t *testing.T) {
	parent, _, err := parseURL("git@example.com:repo.git")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := moduleURL(parent, "../x.git")
	if err != nil || got.Path != "x.git" || got.User.Username() != "git" {
		t.Errorf("got %#v, %v", got, err)
	}
	if got, _, err = moduleURL(parent, "../../x.git"); err == nil {
		t.Errorf("got %v", got)
	}
}

func TestSameOrigin(t *testing.T) {
	for text, want := range map[string]bool{
		"https://a.test/x https://A.test:443/y": true, "http://a.test/x http://a.test:80/": true,
		"ssh://git@a.test/x ssh://other@a.test:22/y": true, "https://a.test/x https://a.test:8443/x": false,
		"https://a.test/x http://a.test/x": false, "https://a.test/x https://b.a.test/x": false,
		"https://a.test/x https://a.test.evil.test/x": false, "ssh://a.test/x https://a.test/x": false,
		"git://a.test/x git://a.test:9418/x": true, "http://a.test:443/x https://a.test/x": false,
	} {
		first, second, _ := strings.Cut(text, " ")
		a, err := url.Parse(first)
		b, wrong := url.Parse(second)
		if err != nil || wrong != nil || network.SameOrigin(a, b) != want {
			t.Errorf("%s: got %t", text, !want)
		}
	}
}

func TestAccessOfASubmodule(t *testing.T) {
	opts := Options{Username: "u", Password: "p", Proxy: "none", KnownHosts: []byte("k"), CA: []byte("ca"),
		ClientCertificate: []byte("c"), ClientKey: []byte("k")}
	credentials, err := opts.credentials(nil)
	if err != nil {
		t.Fatal(err)
	}
	parent := &access{}
	parent.url = url.URL{Scheme: "https", Host: "a.test", Path: "/x"}
	parent.Credentials, parent.ClientCertificate, parent.ClientKey = credentials, opts.ClientCertificate, opts.ClientKey
	parent.CA, parent.Proxy, parent.KnownHosts = opts.CA, opts.Proxy, opts.KnownHosts
	same := parent.to(&url.URL{Scheme: "https", Host: "a.test", Path: "/y"}, nil)
	if same.Credentials == nil || len(same.ClientCertificate) == 0 || len(same.ClientKey) == 0 {
		t.Errorf("the same origin: got %+v", same.Options)
	}
	other := &url.URL{Scheme: "https", Host: "b.test", Path: "/y"}
	foreign := parent.to(other, nil)
	if foreign.Credentials != nil || len(foreign.ClientCertificate)+len(foreign.ClientKey) > 0 {
		t.Errorf("another origin: got %+v", foreign.Options)
	}
	if string(foreign.CA) != "ca" || foreign.Proxy != "none" || string(foreign.KnownHosts) != "k" {
		t.Errorf("another origin: got %+v", foreign.Options)
	}
	if back := foreign.to(&parent.url, nil); back.Credentials != nil {
		t.Error("what another origin names gets the credentials")
	}
	own := parent.to(other, url.UserPassword("deploy", "public"))
	if c, err := own.Credentials(t.Context(), transport.Request{}); err != nil || c.Username != "deploy" || c.Password != "public" {
		t.Errorf("got %v, %v", c, err)
	}
	if named := parent.to(other, url.User("git")); named.Credentials != nil {
		t.Error("a name alone is taken for credentials")
	}
	parent.asks = true
	if asked := parent.to(other, url.UserPassword("deploy", "public")); asked.Credentials == nil || len(asked.ClientKey) > 0 {
		t.Errorf("a function is asked with the URL: got %+v", asked.Options)
	}
}

func FuzzModuleURLStaysOnItsHost(f *testing.F) {
	for _, given := range []string{"../x", "./x", "../../../x", "../@evil.test/x", "..//evil.test/x", "./:8443/x", "../?x", "../%2e%2e/x"} {
		f.Add(given)
	}
	f.Fuzz(func(t *testing.T, given string) {
		for _, at := range []string{"https://example.com/org/repo.git", "git@example.com:org/repo.git"} {
			parent, _, err := parseURL(at)
			if err != nil {
				t.Fatal(err)
			}
			for _, relative := range []string{"./" + given, "../" + given} {
				got, credentials, err := moduleURL(parent, relative)
				if err == nil && (!network.SameOrigin(parent, got) || got.User.String() != parent.User.String() || credentials != nil) {
					t.Errorf("%q of %s is %q", relative, at, got)
				}
			}
		}
	})
}
