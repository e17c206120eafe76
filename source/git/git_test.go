package git_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSource(t *testing.T, url string, opts git.Options) *git.Source {
	t.Helper()
	s, err := git.New(url, opts)
	must(t, err)
	return s
}

func fetch(t *testing.T, s source.Source, known source.Revision) *source.Snapshot {
	t.Helper()
	snapshot, err := s.Fetch(t.Context(), known)
	must(t, err)
	return snapshot
}

func commit(t *testing.T, repo *testbed.Repository, files map[string][]byte) string {
	t.Helper()
	hash, err := repo.Commit(t.Context(), files)
	must(t, err)
	return hash
}

func run(t *testing.T, repo *testbed.Repository, args ...string) string {
	t.Helper()
	out, err := repo.Git(t.Context(), args...)
	must(t, err)
	return out
}

func TestConformance(t *testing.T) {
	for name, opts := range map[string]git.Options{"branch": {Branch: "main"}, "HEAD": {}} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
				repo := testbed.Git(t)
				return sourcetest.Origin{
					New: func() (source.Source, error) { return git.New(repo.URL(), opts) },
					Write: func(ctx context.Context, files map[string][]byte) error {
						_, err := repo.Commit(ctx, files)
						return err
					},
				}
			})
		})
	}
}

// listing is what git ls-tree -r prints, of a snapshot.
func listing(t *testing.T, content fs.FS) []string {
	t.Helper()
	var lines []string
	must(t, fs.WalkDir(content, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode, body := "100644", []byte(nil)
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := fs.ReadLink(content, path)
			if err != nil {
				return err
			}
			mode, body = "120000", []byte(target)
		case info.Mode()&0o111 != 0:
			mode = "100755"
			fallthrough
		default:
			body, err = fs.ReadFile(content, path)
		}
		lines = append(lines, fmt.Sprintf("%s blob %s\t%s", mode, blobHash(t, body), path))
		return err
	}))
	slices.Sort(lines)
	return lines
}

func blobHash(t *testing.T, body []byte) object.Hash {
	t.Helper()
	hash, err := object.NewHasher().Sum(object.Blob, body)
	must(t, err)
	return hash
}

// lsTree is git's own listing without submodules.
func lsTree(t *testing.T, repo *testbed.Repository, commit string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(run(t, repo, "ls-tree", "-r", "-z", commit), "\x00"), "\x00")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "160000") })
	slices.Sort(lines)
	return lines
}

func TestSnapshotIsWhatGitLists(t *testing.T) {
	repo := testbed.Git(t)
	files := fstest.MapFS{
		"run.sh":              {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"deep/er/and/er":      {Data: []byte("x")},
		"link":                {Data: []byte("deep/er/and/er"), Mode: fs.ModeSymlink},
		"escape":              {Data: []byte("../../etc/passwd"), Mode: fs.ModeSymlink},
		"with space/ünïcode%": {Data: []byte("y")},
		"empty":               {},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 { // similar files, so that the pack has deltas
		body := strings.Repeat(fmt.Sprintf("line of file %d\n", i%7), 50+random.IntN(50))
		files[fmt.Sprintf("many/%d/%d.yaml", i%13, i)] = &fstest.MapFile{Data: []byte(body)}
	}
	hash, err := repo.CommitFS(t.Context(), files)
	must(t, err)
	run(t, repo, "repack", "-adfq", "--depth=50", "--window=50")
	s := newSource(t, repo.URL(), git.Options{})
	snapshot := fetch(t, s, source.Revision{})
	if got, want := snapshot.Revision.String(), "main@sha1:"+hash; got != want {
		t.Errorf("got revision %s, want %s", got, want)
	}
	if got, want := listing(t, snapshot), lsTree(t, repo, hash); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := snapshot.ReadFile("escape"); !errors.As(err, new(*source.LinkError)) {
		t.Errorf("got %v", err)
	}
	for i := range 4 { // the same Source goes on from what it has
		hash = commit(t, repo, map[string][]byte{"many/1/1.yaml": nil, fmt.Sprintf("new/%d", i): []byte("new"), "empty": []byte(strings.Repeat("z", i))})
		if i == 2 {
			run(t, repo, "repack", "-adfq")
		}
		if i == 0 {
			files["many/1/1.yaml"] = nil
		}
		if got, want := listing(t, fetch(t, s, source.Revision{})), lsTree(t, repo, hash); !slices.Equal(got, want) {
			t.Errorf("%d: got %q, want %q", i, got, want)
		}
		commit(t, repo, map[string][]byte{"many/1/1.yaml": []byte("back")})
	}
}

func TestSubmoduleIsAbsent(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("a")})
	blob := strings.Fields(run(t, repo, "ls-tree", hash))[2]
	run(t, repo, "update-index", "--add", "--cacheinfo", "160000,"+hash+",module", "--cacheinfo", "100644,"+blob+",a")
	tree := run(t, repo, "write-tree")
	run(t, repo, "update-ref", "refs/heads/main", run(t, repo, "commit-tree", "-m", "x", tree))
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	if got := listing(t, snapshot); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestReferences(t *testing.T) {
	repo := testbed.Git(t)
	old := commit(t, repo, map[string][]byte{"v": []byte("1")})
	run(t, repo, "tag", "light", old)
	run(t, repo, "-c", "user.name=a", "-c", "user.email=b", "tag", "-a", "-m", "x", "annotated", old)
	run(t, repo, "-c", "user.name=a", "-c", "user.email=b", "tag", "-a", "-m", "x", "nested", "annotated")
	middle := commit(t, repo, map[string][]byte{"v": []byte("2")})
	side, err := repo.CommitTo(t.Context(), "feature/a@b", map[string][]byte{"v": []byte("side")})
	must(t, err)
	run(t, repo, "update-ref", "refs/pull/7/head", side)
	now := commit(t, repo, map[string][]byte{"v": []byte("3")})
	for want, opts := range map[string]git.Options{
		"main@sha1:" + now:                {},
		"light@sha1:" + old:               {Tag: "light"},
		"annotated@sha1:" + old:           {Tag: "annotated"},
		"nested@sha1:" + old:              {Tag: "nested"},
		"feature/a@b@sha1:" + side:        {Branch: "feature/a@b"},
		"refs/pull/7/head@sha1:" + side:   {Reference: "refs/pull/7/head"},
		"refs/tags/annotated@sha1:" + old: {Reference: "refs/tags/annotated"},
		"sha1:" + middle:                  {Commit: middle},
		"main@sha1:" + middle:             {Commit: middle, Branch: "main"},
	} {
		t.Run(want, func(t *testing.T) {
			repo.TakeRequests()
			s := newSource(t, repo.URL(), opts)
			snapshot := fetch(t, s, source.Revision{})
			if got := snapshot.Revision.String(); got != want {
				t.Errorf("got %s", got)
			}
			if got := listing(t, snapshot); !slices.Equal(got, lsTree(t, repo, want[strings.LastIndex(want, ":")+1:])) {
				t.Errorf("got %q", got)
			}
			if requests := repo.TakeRequests(); len(requests) != 2 {
				t.Errorf("got requests %q", requests)
			}
			if _, err := s.Fetch(t.Context(), snapshot.Revision); !errors.Is(err, source.ErrNotModified) {
				t.Errorf("got %v", err)
			}
			wantRequests := 1
			if opts.Commit != "" && opts.Branch == "" {
				wantRequests = 0
			}
			if requests := repo.TakeRequests(); len(requests) != wantRequests {
				t.Errorf("nothing changed: got requests %q", requests)
			}
		})
	}
}

// A meter counts what is received.
type meter struct {
	next  http.RoundTripper
	bytes atomic.Int64
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := m.next.RoundTrip(r)
	if err == nil {
		response.Body = &metered{response.Body, &m.bytes}
	}
	return response, err
}

type metered struct {
	io.ReadCloser
	bytes *atomic.Int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.bytes.Add(int64(n))
	return n, err
}

func TestOneCommitInABigRepositoryBringsOnlyWhatIsNew(t *testing.T) {
	repo := testbed.Git(t)
	files := make(map[string][]byte)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		files[fmt.Sprintf("d%d/%d", i%10, i)] = fmt.Appendf(nil, "%x %x %x", random.Uint64(), random.Uint64(), random.Uint64())
	}
	commit(t, repo, files)
	m := &meter{next: http.DefaultTransport}
	s := newSource(t, repo.URL(), git.Options{Transport: m})
	known := fetch(t, s, source.Revision{}).Revision
	all := m.bytes.Swap(0)
	for i := range 3 {
		hash := commit(t, repo, map[string][]byte{"d3/3": fmt.Appendf(nil, "new %d", i)})
		repo.TakeRequests()
		snapshot := fetch(t, s, known)
		known = snapshot.Revision
		if got := m.bytes.Swap(0); got > all/10 {
			t.Errorf("%d bytes were received for one new file, and %d for all", got, all)
		}
		if requests := repo.TakeRequests(); len(requests) != 2 {
			t.Errorf("got %q", requests)
		}
		if !slices.Equal(listing(t, snapshot), lsTree(t, repo, hash)) {
			t.Error("the content is not git's")
		}
	}
	// A second caller who knows nothing gets what is here already.
	fetch(t, s, source.Revision{})
	if requests := repo.TakeRequests(); len(requests) != 1 {
		t.Errorf("got %q", requests)
	}
}

func TestForcedPush(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1"), "b": []byte("1")})
	s := newSource(t, repo.URL(), git.Options{})
	first := fetch(t, s, source.Revision{})
	run(t, repo, "update-ref", "-d", "refs/heads/main")
	run(t, repo, "reflog", "expire", "--expire=now", "--all")
	run(t, repo, "gc", "--prune=now", "--quiet")
	hash := commit(t, repo, map[string][]byte{"a": []byte("2"), "c": []byte("1")})
	if got := listing(t, fetch(t, s, first.Revision)); !slices.Equal(got, lsTree(t, repo, hash)) {
		t.Errorf("got %q", got)
	}
}

func TestHTTPSWithCredentials(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "p@ss/wörd?"})
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	inURL := strings.Replace(repo.HTTPSURL(), "https://", "https://reader:p%40ss%2Fw%C3%B6rd%3F@", 1)
	for url, opts := range map[string]git.Options{
		repo.HTTPSURL(): {CA: repo.CA, Username: "reader", Password: "p@ss/wörd?"},
		inURL:           {CA: repo.CA},
	} {
		fetch(t, newSource(t, url, opts), source.Revision{})
		opts.CA = nil
		if _, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	}
}
