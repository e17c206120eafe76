package git_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// knownHost is the line that the server of SSH is known by.
func knownHost(repo *testbed.Repository) []byte {
	host := strings.TrimPrefix(repo.SSH, "ssh://")
	name, port, _ := strings.Cut(host, ":")
	return fmt.Appendf(nil, "[%s]:%s %s", name, port, ssh.MarshalAuthorizedKey(repo.HostKey))
}

// servers are what real ones differ in.
var servers = map[string]testbed.GitOptions{
	"able":                 {},
	"no filters":           {NoFilters: true},
	"tips":                 {TipsOnly: true},
	"version 0":            {NoProtocol2: true},
	"version 0, tips":      {NoProtocol2: true, TipsOnly: true},
	"version 0, able less": {NoProtocol2: true, TipsOnly: true, NoFilters: true},
}

// everyWay runs f for each kind of server and each transport.
func everyWay(t *testing.T, f func(t *testing.T, repo *testbed.Repository, url string, opts git.Options)) {
	for name, server := range servers {
		if testbed.Race && server.TipsOnly != server.NoProtocol2 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := testbed.GitWith(t, server)
			for scheme, url := range map[string]string{"http": repo.URL(), "ssh": repo.SSHURL(), "git": repo.DaemonURL()} {
				t.Run(scheme, func(t *testing.T) { f(t, repo, url, git.Options{KnownHosts: knownHost(repo)}) })
			}
		})
	}
}

func grown(t *testing.T, repo *testbed.Repository) string {
	t.Helper()
	files := map[string][]byte{"README": []byte("x"), "apps/web/empty": {}, ".sourceignore": []byte("*.tmp\n")}
	for i := range 30 {
		files[fmt.Sprintf("apps/web/%d/file.yaml", i)] = fmt.Appendf(nil, "web %d", i)
		files[fmt.Sprintf("apps/api/%d/file.yaml", i)] = fmt.Appendf(nil, "api %d", i)
		files[fmt.Sprintf("other/%d/%d.bin", i%5, i)] = []byte(strings.Repeat(fmt.Sprint(i), 4000))
	}
	files["apps/web/1/big.tmp"] = []byte(strings.Repeat("t", 100_000))
	files["apps/web/docs/page.md"] = []byte("docs")
	return commit(t, repo, files)
}

func TestPathsBringWhatGitHasThere(t *testing.T) {
	everyWay(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options) {
		hash := grown(t, repo)
		opts.Paths, opts.Ignore = []string{"apps/web", "other/2/12.bin"}, "docs/\n"
		s := newSource(t, url, opts)
		check := func(hash string) *source.Snapshot {
			t.Helper()
			snapshot := fetch(t, s, source.Revision{})
			want := slices.DeleteFunc(lsTree(t, repo, hash), func(line string) bool {
				path := line[strings.IndexByte(line, '\t')+1:]
				return !strings.HasPrefix(path, "apps/web/") && path != "other/2/12.bin" ||
					strings.HasSuffix(path, ".tmp") || strings.Contains(path, "/docs/")
			})
			if got := listing(t, snapshot); !slices.Equal(got, want) {
				t.Errorf("got %d files, want %d", len(got), len(want))
			}
			return snapshot
		}
		snapshot := check(hash)
		for name, want := range map[string]error{
			"apps/api": source.ErrNotFetched, "apps/api/3/file.yaml": source.ErrNotFetched, "README": source.ErrNotFetched,
			"other/2/2.bin": source.ErrNotFetched, "none": fs.ErrNotExist, "apps/none": fs.ErrNotExist,
			"apps/web/none": fs.ErrNotExist, "apps/web/1/big.tmp": fs.ErrNotExist,
		} {
			if _, err := snapshot.Stat(name); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", name, err, want)
			}
		}
		// What moves into a path from outside is known to the server to be here, and is not.
		run(t, repo, "read-tree", "main")
		moved := strings.Fields(run(t, repo, "ls-tree", "main", "apps/api/7/file.yaml"))[2]
		run(t, repo, "update-index", "--add", "--cacheinfo", "100755,"+moved+",apps/web/moved")
		tree := run(t, repo, "write-tree")
		next := run(t, repo, "commit-tree", "-p", "main", "-m", "x", tree)
		run(t, repo, "update-ref", "refs/heads/main", next)
		check(next)
	})
}

func TestMissingPathIsNamed(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"apps/web/a": []byte("1"), "file": []byte("1")})
	for _, path := range []string{"apps/none", "none", "apps/web/a/b", "apps/web/b"} {
		_, err := newSource(t, repo.URL(), git.Options{Paths: []string{path, "file"}}).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrNotFound, fmt.Sprintf("Options.Paths: %q", path))
	}
}

// The cost follows what is asked for: of the folders outside, not even the list of their files is sent.
func TestPathsCostWhatTheyHold(t *testing.T) {
	repo := testbed.Git(t)
	files := map[string][]byte{"apps/web/a.yaml": []byte("1"), "apps/web/b.tmp": []byte(strings.Repeat("ignored", 20_000))}
	for i := range 2000 {
		files[fmt.Sprintf("apps/other/%d/%d", i%50, i)] = fmt.Append(nil, i)
	}
	commit(t, repo, files)
	m := &meter{next: http.DefaultTransport}
	s := newSource(t, repo.URL(), git.Options{Transport: m, Paths: []string{"apps/web"}, Ignore: "*.tmp"})
	known := fetch(t, s, source.Revision{}).Revision
	if got := m.bytes.Swap(0); got > 3000 {
		t.Errorf("%d bytes were received", got)
	}
	if requests := repo.TakeRequests(); len(requests) > 4 {
		t.Errorf("got requests %q", requests)
	}
	commit(t, repo, map[string][]byte{"apps/web/a.yaml": []byte("2"), "apps/other/3/3": []byte("2")})
	snapshot := fetch(t, s, known)
	if body, err := snapshot.ReadFile("apps/web/a.yaml"); err != nil || string(body) != "2" {
		t.Errorf("got %q, %v", body, err)
	}
	if got := m.bytes.Swap(0); got > 6000 {
		t.Errorf("%d bytes were received for a new commit", got)
	}
	if requests := repo.TakeRequests(); len(requests) != 3 {
		t.Errorf("got requests %q", requests)
	}
}

func TestOldCommitByItsHash(t *testing.T) {
	everyWay(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options) {
		if _, err := repo.Git(t.Context(), "rev-parse", "--verify", "--quiet", "refs/heads/main"); err != nil {
			var in bytes.Buffer
			for i := range 100 {
				fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@b> %d +0000\ndata 0\n", 1e9+i)
				fmt.Fprintf(&in, "M 644 inline v\ndata 3\n%03d\nM 644 inline other\ndata 1\no\n", i)
			}
			gitIn(t, repo, &in, "fast-import", "--quiet")
		}
		hashes := strings.Fields(run(t, repo, "rev-list", "--reverse", "main"))
		for _, branch := range []string{"", "main"} {
			for _, i := range []int{99, 98, 10} {
				opts.Commit, opts.Branch = hashes[i], branch
				snapshot := fetch(t, newSource(t, url, opts), source.Revision{})
				if got := listing(t, snapshot); !slices.Equal(got, lsTree(t, repo, hashes[i])) {
					t.Errorf("%d commits back: got %q", 99-i, got)
				}
			}
		}
		opts.Commit = strings.Repeat("1", 40)
		_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrNotFound, opts.Commit)
	})
}
