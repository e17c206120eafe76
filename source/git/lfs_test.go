package git_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// largeFiles commits files that are in LFS, one of them executable, and one that is not.
func largeFiles(t *testing.T, repo *testbed.Repository) (hash string, pointer []byte) {
	t.Helper()
	pointer = repo.PutLFS([]byte("large"))
	hash, err := repo.CommitFS(t.Context(), fstest.MapFS{
		"apps/large.bin": {Data: pointer},
		"apps/run":       {Data: repo.PutLFS([]byte("#!/bin/sh\n")), Mode: 0o755},
		"apps/twin.bin":  {Data: pointer},
		"apps/a":         {Data: []byte("a")},
		"other/far.bin":  {Data: repo.PutLFS([]byte("far"))},
		"small/b":        {Data: []byte("b")},
	})
	must(t, err)
	return hash, pointer
}

// downloads are the LFS objects that were asked for since the last call.
func downloads(repo *testbed.Repository) (objects []string) {
	for _, line := range repo.TakeRequests() {
		if _, oid, ok := strings.Cut(line, "/info/lfs/objects/"); ok && oid != "batch" {
			objects = append(objects, oid)
		}
	}
	slices.Sort(objects)
	return objects
}

func readFile(t *testing.T, content fs.FS, name string) string {
	t.Helper()
	body, err := fs.ReadFile(content, name)
	must(t, err)
	return string(body)
}

func TestLFSPointersAreWhatGitHas(t *testing.T) {
	repo := testbed.Git(t)
	hash, pointer := largeFiles(t, repo)
	for url, opts := range map[string]git.Options{repo.URL(): {}, repo.SSHURL(): {KnownHosts: repo.KnownHosts()}} {
		snapshot := fetch(t, newSource(t, url, opts), source.Revision{})
		if got := listing(t, snapshot); !slices.Equal(got, lsTree(t, repo, hash)) {
			t.Errorf("got %q", got)
		}
		if got := readFile(t, snapshot, "apps/large.bin"); got != string(pointer) {
			t.Errorf("got %q", got)
		}
		if got := downloads(repo); len(got) > 0 {
			t.Errorf("asked for %q", got)
		}
	}
}

func TestLFSIsFetched(t *testing.T) {
	repo := testbed.Git(t)
	hash, pointer := largeFiles(t, repo)
	pointers := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	s := newSource(t, repo.URL(), git.Options{LFS: git.LFSFetch})
	repo.TakeRequests()
	snapshot := fetch(t, s, source.Revision{})
	if got := downloads(repo); len(got) != 3 {
		t.Errorf("asked for %q, want each of three contents once", got)
	}
	for name, want := range map[string]string{"apps/large.bin": "large", "apps/twin.bin": "large", "apps/run": "#!/bin/sh\n",
		"apps/a": "a", "other/far.bin": "far", "small/b": "b"} {
		if got := readFile(t, snapshot, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]fs.FileMode{"apps/run": 0o755, "apps/large.bin": 0o644} {
		if info, err := snapshot.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
	// What has other content has another identity, and so has each folder with such a file in it.
	for name, same := range map[string]bool{
		".": false, "apps": false, "apps/large.bin": false, "apps/run": false, "apps/a": true, "other": false, "small": true,
	} {
		got, want := identityOf(t, snapshot, name), identityOf(t, pointers, name)
		if got == "" || (got == want) != same {
			t.Errorf("%s: got identity %s, and with pointers %s", name, got, want)
		}
	}
	_, oid, _ := strings.Cut(strings.Fields(string(pointer))[3], ":")
	if got := identityOf(t, snapshot, "apps/large.bin"); got != "file:sha256:"+oid || got != identityOf(t, snapshot, "apps/twin.bin") {
		t.Errorf("got identity %s, want that of %s", got, oid)
	}
	if got := snapshot.Revision.Digest.Encoded(); got != hash {
		t.Errorf("got commit %s", got)
	}
	checkNewLFS(t, repo, s, snapshot)
}

// checkNewLFS is for a new commit: only what is new is fetched.
func checkNewLFS(t *testing.T, repo *testbed.Repository, s *git.Source, before *source.Snapshot) {
	t.Helper()
	if _, err := s.Fetch(t.Context(), before.Revision); err != source.ErrNotModified {
		t.Errorf("got %v", err)
	}
	if got := repo.TakeRequests(); len(got) != 1 {
		t.Errorf("nothing is new: got requests %q", got)
	}
	commit(t, repo, map[string][]byte{"apps/new.bin": repo.PutLFS([]byte("new")), "other/far.bin": nil})
	after := fetch(t, s, before.Revision)
	if got := downloads(repo); len(got) != 1 {
		t.Errorf("of one new content, asked for %q", got)
	}
	if readFile(t, after, "apps/new.bin") != "new" || readFile(t, after, "apps/run") != "#!/bin/sh\n" {
		t.Error("the content is another")
	}
	commit(t, repo, map[string][]byte{"small/b": []byte("2")})
	if readFile(t, fetch(t, s, after.Revision), "apps/new.bin") != "new" {
		t.Error("the content is another")
	}
	if got := repo.TakeRequests(); len(got) != 2 {
		t.Errorf("without new content: got requests %q", got)
	}
}

func TestLFSIsRefused(t *testing.T) {
	repo := testbed.Git(t)
	largeFiles(t, repo)
	refuse := git.Options{LFS: git.LFSRefuse}
	_, err := newSource(t, repo.URL(), refuse).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, `"apps/large.bin" is in Git LFS, as 4 files are: set Options.LFS`)
	if got := downloads(repo); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
	refuse.Paths = []string{"small"}
	fetch(t, newSource(t, repo.URL(), refuse), source.Revision{})
	refuse.Paths = []string{"apps/large.bin"}
	_, err = newSource(t, repo.URL(), refuse).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, `"apps/large.bin" is in Git LFS: set Options.LFS`)
	refuse.Paths, refuse.Ignore = nil, "*.bin\n/apps/run\n"
	fetch(t, newSource(t, repo.URL(), refuse), source.Revision{})
}

func TestLFSIsOverHTTPOnly(t *testing.T) {
	repo := testbed.Git(t)
	largeFiles(t, repo)
	for _, url := range []string{repo.SSHURL(), repo.DaemonURL()} {
		opts := git.Options{LFS: git.LFSFetch, KnownHosts: repo.KnownHosts()}
		_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, nil, `"apps/large.bin" is in Git LFS, which is fetched over HTTP and HTTPS only`)
		opts.Paths = []string{"small"} // where nothing is
		fetch(t, newSource(t, url, opts), source.Revision{})
	}
}

func TestLFSWithCredentials(t *testing.T) {
	for name, tt := range map[string]struct {
		server testbed.GitOptions
		opts   git.Options
	}{
		"basic":  {testbed.GitOptions{User: "reader", Password: "right"}, git.Options{Username: "reader", Password: "right"}},
		"bearer": {testbed.GitOptions{Token: "right"}, git.Options{Token: "right"}},
		"function": {testbed.GitOptions{Token: "right"}, git.Options{
			Credentials: (&giver{give: []git.Credential{{Token: "hunter2"}, {Token: "right"}}}).credential}},
		"certificate": {testbed.GitOptions{ClientCertificates: true}, git.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			repo := testbed.GitWith(t, tt.server)
			largeFiles(t, repo)
			tt.opts.CA, tt.opts.LFS = repo.CA, git.LFSFetch
			if tt.server.ClientCertificates {
				var err error
				tt.opts.ClientCertificate, tt.opts.ClientKey, err = repo.ClientPEM()
				must(t, err)
			}
			snapshot := fetch(t, newSource(t, repo.HTTPSURL(), tt.opts), source.Revision{})
			if got := readFile(t, snapshot, "apps/large.bin"); got != "large" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestLFSIsFetchedWhereItIsWanted(t *testing.T) {
	for name, opts := range map[string]git.Options{
		"paths": {Paths: []string{"other"}}, "a file": {Paths: []string{"other/far.bin"}}, "ignore": {Ignore: "/apps/\n"},
	} {
		for server, able := range map[string]testbed.GitOptions{"able": {}, "no filters": {NoFilters: true}} {
			t.Run(name+", "+server, func(t *testing.T) {
				repo := testbed.GitWith(t, able)
				largeFiles(t, repo)
				opts.LFS = git.LFSFetch
				snapshot := fetch(t, newSource(t, repo.URL(), opts), source.Revision{})
				if got := downloads(repo); len(got) != 1 {
					t.Errorf("asked for %q", got)
				}
				if got := readFile(t, snapshot, "other/far.bin"); got != "far" {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}

func TestLFSErrorsNameTheFile(t *testing.T) {
	for name, tt := range map[string]struct {
		opts  git.Options
		spoil func(repo *testbed.Repository, oid string)
		want  error
		text  string
	}{
		"gone":     {git.Options{}, func(r *testbed.Repository, oid string) { r.RemoveLFS(oid) }, source.ErrNotFound, `"apps/large.bin"`},
		"too long": {git.Options{Limits: source.Limits{MaxFileBytes: 1000}}, nil, source.ErrTooLarge, `"huge"`},
		"too much": {git.Options{Limits: source.Limits{MaxBytes: 1500}}, nil, source.ErrTooLarge, "Limits.MaxBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := testbed.Git(t)
			_, pointer := largeFiles(t, repo)
			if tt.spoil != nil {
				_, oid, _ := strings.Cut(strings.Fields(string(pointer))[3], ":")
				tt.spoil(repo, oid)
			} else {
				commit(t, repo, map[string][]byte{"huge": repo.PutLFS(fmt.Append(nil, strings.Repeat("x", 2000)))})
			}
			tt.opts.LFS = git.LFSFetch
			_, err := newSource(t, repo.URL(), tt.opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, tt.want, tt.text)
			if got := downloads(repo); tt.spoil == nil && len(got) > 0 {
				t.Errorf("asked for %q", got)
			}
			if errors.Is(err, source.ErrUnauthorized) {
				t.Errorf("got %v", err)
			}
		})
	}
}
