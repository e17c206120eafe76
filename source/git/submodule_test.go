package git_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// moduleRepo is another repository of the same server.
func moduleRepo(t *testing.T, like *testbed.Repository, name string) *testbed.Repository {
	t.Helper()
	repo, err := like.NewRepository(t.Context(), name)
	must(t, err)
	return repo
}

// modulesText is a .gitmodules of paths and URLs.
func modulesText(urls map[string]string) []byte {
	var text strings.Builder
	for i, path := range slices.Sorted(maps.Keys(urls)) {
		fmt.Fprintf(&text, "[submodule \"m%d\"]\n\tpath = %s\n\turl = %s\n", i, path, urls[path])
	}
	return []byte(text.String())
}

// commitModules commits files and gitlinks, by their paths, on top of main.
func commitModules(t *testing.T, repo *testbed.Repository, files map[string][]byte, links map[string]string) string {
	t.Helper()
	parent := commit(t, repo, files)
	run(t, repo, "read-tree", parent)
	for path, hash := range links {
		run(t, repo, "update-index", "--add", "--cacheinfo", "160000,"+hash+","+path)
	}
	hash := run(t, repo, "commit-tree", "-m", "x", "-p", parent, run(t, repo, "write-tree"))
	run(t, repo, "update-ref", "refs/heads/main", hash)
	return hash
}

// family is a repository with a submodule in libs/x, which has one in deep/y.
type family struct{ top, lib, deep *testbed.Repository }

func newFamily(t *testing.T) family {
	t.Helper()
	f := family{top: testbed.Git(t)}
	f.lib, f.deep = moduleRepo(t, f.top, "lib"), moduleRepo(t, f.top, "deep")
	f.advance(t, "1")
	return f
}

// advance commits to all of them.
func (f family) advance(t *testing.T, text string) {
	t.Helper()
	deep := commit(t, f.deep, map[string][]byte{"y": []byte("y" + text), "sub/z": []byte("z")})
	lib := commitModules(t, f.lib, map[string][]byte{"x": []byte("x" + text), "deploy/a": []byte("a"), "deploy/b": []byte("b"),
		".gitmodules": modulesText(map[string]string{"deep/y": "../deep.git"})}, map[string]string{"deep/y": deep})
	f.super(t, text, lib)
}

func (f family) super(t *testing.T, text, lib string) {
	t.Helper()
	commitModules(t, f.top, map[string][]byte{"own": []byte(text), "other/c": []byte("c"),
		".gitmodules": modulesText(map[string]string{"libs/x": "../lib.git"})}, map[string]string{"libs/x": lib})
}

// cloned is what git clone --recurse-submodules checks out, as listing has it.
func cloned(t *testing.T, repo *testbed.Repository) []string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	run(t, repo, "clone", "--quiet", "--recurse-submodules", repo.URL(), dir)
	var lines []string
	for line := range strings.SplitSeq(run(t, repo, "-C", dir, "ls-files", "--recurse-submodules", "-s"), "\n") {
		stage, path, _ := strings.Cut(line, "\t")
		fields := strings.Fields(stage)
		lines = append(lines, fmt.Sprintf("%s blob %s\t%s", fields[0], fields[1], path))
	}
	slices.Sort(lines)
	return lines
}

func TestSubmodulesAreThoseOfARecursiveClone(t *testing.T) {
	f := newFamily(t)
	old := run(t, f.deep, "rev-parse", "main")
	now := commit(t, f.deep, map[string][]byte{"y": []byte("y9"), "new": nil})
	commitModules(t, f.top, map[string][]byte{".gitmodules": modulesText(map[string]string{
		"libs/x": "../lib.git", "a/b/old": "../deep.git", "now": f.deep.URL(), "ünï côde": "../deep", "self": "./",
		"../outside": "ext::sh -c true", "own": "file:///etc", "gone": "-x",
	})}, map[string]string{"a/b/old": old, "now": now, "ünï côde": old})
	s := newSource(t, f.top.URL(), git.Options{Submodules: true})
	got, want := listing(t, fetch(t, s, source.Revision{})), cloned(t, f.top)
	for i, line := range want { // git quotes these
		want[i] = strings.NewReplacer(`"`, "", `\303\274`, "ü", `\303\257`, "ï", `\303\264`, "ô").Replace(line)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) || len(got) < 15 {
		t.Errorf("got\n%s\nand git has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSubmodulesCostRequestsOnlyWhenTheyAreNew(t *testing.T) {
	f := newFamily(t)
	for name, shared := range map[string]*git.Cache{"own": nil, "shared": git.NewCache(git.CacheOptions{})} {
		t.Run(name, func(t *testing.T) {
			f.top.TakeRequests()
			s := newSource(t, f.top.URL(), git.Options{Submodules: true, Cache: shared})
			first := fetch(t, s, source.Revision{})
			if got := f.top.TakeRequests(); len(got) != 6 {
				t.Errorf("at first: %q", got)
			}
			if _, err := s.Fetch(t.Context(), first.Revision); !errors.Is(err, source.ErrNotModified) {
				t.Errorf("got %v", err)
			}
			if got := f.top.TakeRequests(); len(got) != 1 {
				t.Errorf("nothing new: %q", got)
			}
			if got := listing(t, fetch(t, s, source.Revision{})); !slices.Equal(got, listing(t, first)) {
				t.Errorf("again: %q", got)
			}
			if got := f.top.TakeRequests(); len(got) != 1 {
				t.Errorf("again: %q", got)
			}
			f.super(t, "new "+name, run(t, f.lib, "rev-parse", "main"))
			if got := listing(t, fetch(t, s, source.Revision{})); !slices.Equal(got, cloned(t, f.top)) {
				t.Errorf("a new commit with the same submodules: %q", got)
			}
			if got := f.top.TakeRequests(); testbed.Count(got, "GET /lib") != 1 { // of git clone
				t.Errorf("a new commit with the same submodules: %q", got)
			}
		})
	}
}

// Whoever shares a cache has to be let in by the server all the same.
func TestSharedCacheGivesNoSubmoduleToStrangers(t *testing.T) {
	private := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"})
	hash := commit(t, private, map[string][]byte{"secret": []byte("1")})
	shared := git.NewCache(git.CacheOptions{})
	opts := git.Options{Cache: shared, Username: "reader", Password: "right", AllowPlainHTTP: true}
	fetch(t, newSource(t, private.URL(), opts), source.Revision{})
	top := testbed.Git(t)
	linkTo(t, top, map[string]string{"x": private.URL()}, map[string]string{"x": hash})
	checkError(t, refusal(t, top.URL(), git.Options{Cache: shared}), source.ErrUnauthorized, `submodule "x"`)
}

// A gatekeeper remembers who was shown which Authorization.
type gatekeeper struct {
	mu   sync.Mutex
	seen map[string][]string // by host
}

func (g *gatekeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	if g.seen == nil {
		g.seen = make(map[string][]string)
	}
	shown := r.Header.Get("Authorization")
	if !slices.Contains(g.seen[r.URL.Host], shown) {
		g.seen[r.URL.Host] = append(g.seen[r.URL.Host], shown)
	}
	g.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// refusal is the error of a fetch with submodules.
func refusal(t *testing.T, repository string, opts git.Options) error {
	t.Helper()
	opts.Submodules = true
	snapshot, err := newSource(t, repository, opts).Fetch(t.Context(), source.Revision{})
	if err == nil {
		t.Errorf("got %s", namesIn(t, snapshot))
	}
	return err
}

// linkTo has a repository's next commit name submodules.
func linkTo(t *testing.T, repo *testbed.Repository, urls, links map[string]string) string {
	t.Helper()
	return commitModules(t, repo, map[string][]byte{".gitmodules": modulesText(urls)}, links)
}

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	return u.Host
}

func TestSubmoduleCredentialsStayWithTheirHost(t *testing.T) {
	ours, other := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"}), testbed.Git(t)
	sibling := moduleRepo(t, ours, "sibling")
	inside := commit(t, sibling, map[string][]byte{"a": []byte("1")})
	outside := commit(t, other, map[string][]byte{"b": []byte("1")})
	links := map[string]string{"same": inside, "foreign": outside}
	commitModules(t, ours, map[string][]byte{".gitmodules": modulesText(map[string]string{
		"same": "../sibling.git", "foreign": other.URL()})}, links)
	basic := "Basic cmVhZGVyOnJpZ2h0"
	asked := map[string]bool{}
	for name, opts := range map[string]git.Options{
		"static": {Username: "reader", Password: "right"},
		"function": {Credentials: func(_ context.Context, r git.CredentialRequest) (git.Credential, error) {
			asked[r.URL] = true
			if hostOf(t, r.URL) != hostOf(t, ours.URL()) {
				return git.Credential{Token: "other"}, nil
			}
			return git.Credential{Username: "reader", Password: "right"}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			keeper := &gatekeeper{}
			opts.Submodules, opts.AllowPlainHTTP, opts.Transport = true, true, keeper
			snapshot := fetch(t, newSource(t, ours.URL(), opts), source.Revision{})
			for _, file := range []string{"same/a", "foreign/b"} {
				if _, err := fs.Stat(snapshot, file); err != nil {
					t.Error(err)
				}
			}
			foreign := ""
			if opts.Credentials != nil {
				foreign = "Bearer other"
			}
			want := map[string][]string{hostOf(t, ours.URL()): {basic}, hostOf(t, other.URL()): {foreign}}
			if !maps.EqualFunc(keeper.seen, want, slices.Equal[[]string]) {
				t.Errorf("got %q, want %q", keeper.seen, want)
			}
		})
	}
	if want := map[string]bool{ours.URL(): true, sibling.URL(): true, other.URL(): true}; !maps.Equal(asked, want) {
		t.Errorf("asked for %v", asked)
	}
}

// A foreign repository that names one of ours does not get it by our credentials.
func TestForeignSubmoduleDoesNotBorrowCredentials(t *testing.T) {
	ours, other := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"}), testbed.Git(t)
	private := moduleRepo(t, ours, "private")
	secret := commit(t, private, map[string][]byte{"a": []byte("1")})
	between := linkTo(t, other, map[string]string{"p": private.URL()}, map[string]string{"p": secret})
	linkTo(t, ours, map[string]string{"o": other.URL()}, map[string]string{"o": between})
	err := refusal(t, ours.URL(), git.Options{Username: "reader", Password: "right", AllowPlainHTTP: true})
	checkError(t, err, source.ErrUnauthorized, `submodule "p" (`+private.URL()+`)`)
}

func TestSubmoduleHasTheCAAndKnownHosts(t *testing.T) {
	repo := testbed.Git(t)
	lib := moduleRepo(t, repo, "lib")
	hash := commit(t, lib, map[string][]byte{"a": []byte("1")})
	linkTo(t, repo, map[string]string{"x": lib.HTTPSURL(), "y": "../lib.git"}, map[string]string{"x": hash, "y": hash})
	snapshot := fetch(t, newSource(t, repo.HTTPSURL(), git.Options{CA: repo.CA, Submodules: true}), source.Revision{})
	for _, name := range []string{"x/a", "y/a"} {
		if body, err := fs.ReadFile(snapshot, name); err != nil || string(body) != "1" {
			t.Errorf("%s: got %q, %v", name, body, err)
		}
	}
	linkTo(t, repo, map[string]string{"x": "git@example.com:lib.git", "y": "../lib"}, nil)
	checkError(t, refusal(t, repo.HTTPSURL(), git.Options{CA: repo.CA}), nil, "Options.KnownHosts")
}

func TestSubmodulesOfEachOtherDoNotWaitForEachOther(t *testing.T) {
	a := testbed.Git(t)
	b := moduleRepo(t, a, "b")
	first := commit(t, b, map[string][]byte{"b": []byte("1")})
	one := commitModules(t, a, map[string][]byte{"a": []byte("1"), ".gitmodules": modulesText(map[string]string{
		"b": b.URL(), "self": a.URL()})}, map[string]string{"b": first})
	linkTo(t, b, map[string]string{"a": a.URL()}, map[string]string{"a": one})
	commitModules(t, a, nil, map[string]string{"self": one})
	wants := map[*testbed.Repository][]string{a: cloned(t, a), b: cloned(t, b)}
	shared := git.NewCache(git.CacheOptions{})
	var done sync.WaitGroup
	for range 3 {
		for repo, want := range wants {
			s := newSource(t, repo.URL(), git.Options{Submodules: true, Cache: shared})
			for range 2 {
				done.Go(func() {
					snapshot, err := s.Fetch(t.Context(), source.Revision{})
					if err != nil {
						t.Error(err)
						return
					}
					if got := listing(t, snapshot); !slices.Equal(got, want) {
						t.Errorf("got %q, want %q", got, want)
					}
				})
			}
		}
	}
	done.Wait()
}
