package git_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/crypto/ssh"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// namesIn are the paths of all files and links.
func namesIn(t *testing.T, content fs.FS) string {
	t.Helper()
	var names []string
	for _, line := range listing(t, content) {
		_, name, _ := strings.Cut(line, "\t")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestPathsWithinSubmodules(t *testing.T) {
	f := newFamily(t)
	hidden := commitModules(t, f.top, nil, map[string]string{"unlisted": run(t, f.deep, "rev-parse", "main")})
	for paths, want := range map[string]string{
		"libs/x/deploy":              "libs/x/deploy/a libs/x/deploy/b",
		"libs/x/deploy/b other":      "libs/x/deploy/b other/c",
		"libs/x/deep/y/sub libs/x/x": "libs/x/deep/y/sub/z libs/x/x",
		"libs/x": "libs/x/.gitmodules libs/x/deep/y/sub/z libs/x/deep/y/y libs/x/deploy/a libs/x/deploy/b " +
			"libs/x/x",
		"other": "other/c",
	} {
		t.Run(paths, func(t *testing.T) {
			f.top.TakeRequests()
			s := newSource(t, f.top.URL(), git.Options{Submodules: true, Paths: strings.Fields(paths)})
			snapshot := fetch(t, s, source.Revision{})
			if got := namesIn(t, snapshot); got != want {
				t.Errorf("got %s", got)
			}
			for _, outside := range []string{"own", "unlisted/y"} {
				if _, err := fs.Stat(snapshot, outside); !errors.Is(err, source.ErrNotFetched) {
					t.Errorf("%s: got %v", outside, err)
				}
			}
			if got := f.top.TakeRequests(); paths == "other" && testbed.Count(got, "GET ") != 1 {
				t.Errorf("no submodule is wanted: got %q", got)
			}
		})
	}
	for path, text := range map[string]string{
		"libs/x/none":          `"libs/x/none": "libs/x" has no "none": not found`,
		"libs/x/deep/y/none/z": `"libs/x/deep/y/none/z": "libs/x/deep/y" has no "none": not found`,
		"unlisted/y":           "submodule \"unlisted\": .gitmodules has no entry",
	} {
		checkError(t, refusal(t, f.top.URL(), git.Options{Paths: []string{path}}), nil, text)
	}
	without := newSource(t, f.top.URL(), git.Options{Commit: hidden, Paths: []string{"libs/x/deploy"}})
	_, err := without.Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrNotFound, "Options.Submodules")
}

func TestIgnoreRulesReachIntoSubmodules(t *testing.T) {
	f := newFamily(t)
	lib := commit(t, f.lib, map[string][]byte{".sourceignore": []byte("/x\n/deploy/b\n")})
	deep := commitModules(t, f.deep, map[string][]byte{"kept": []byte("1")}, nil)
	modules := modulesText(map[string]string{"libs/x": "../lib.git", "skipped": "../none.git", "second": "../deep.git"})
	commitModules(t, f.top, map[string][]byte{"libs/.sourceignore": []byte("y\n/x/deploy/a\n"), ".gitmodules": modules},
		map[string]string{"libs/x": lib, "skipped": deep, "second": deep})
	for ignore, want := range map[string]string{
		"skipped\n.*\nown\nother":                                      "second/kept second/sub/z second/y",
		"/skipped/\n.*\n/second/sub\n!/libs/x/deploy/b\n/own\n/y\nx/x": "libs/x/deploy/b other/c second/kept second/y",
	} {
		for _, opts := range []git.Options{{}, {Cache: git.NewCache(git.CacheOptions{})}} {
			opts.Submodules, opts.Ignore = true, ignore
			snapshot := fetch(t, newSource(t, f.top.URL(), opts), source.Revision{})
			if got := namesIn(t, snapshot); got != want {
				t.Errorf("%q: got %s, want %s", ignore, got, want)
			}
		}
	}
}

func TestIdentitiesWithSubmodules(t *testing.T) {
	f := newFamily(t)
	with := fetch(t, newSource(t, f.top.URL(), git.Options{Submodules: true}), source.Revision{})
	without := fetch(t, newSource(t, f.top.URL(), git.Options{}), source.Revision{})
	for name, object := range map[string]string{
		"libs/x/x": "lib file main:x", "libs/x/deploy": "lib folder main:deploy", "libs/x/deep/y": "deep folder main:",
		"libs/x/deep/y/sub": "deep folder main:sub", "other": "top folder main:other",
	} {
		fields := strings.Fields(object)
		repo := map[string]*testbed.Repository{"lib": f.lib, "deep": f.deep, "top": f.top}[fields[0]]
		if got, want := identityOf(t, with, name), fields[1]+":git-sha1:"+run(t, repo, "rev-parse", fields[2]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	// What the trees' hashes stand for is these folders without their submodules.
	for _, name := range []string{".", "libs", "libs/x", "libs/x/deep"} {
		if got := identityOf(t, with, name); !strings.HasPrefix(got, "folder:sha256:") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if got, want := identityOf(t, without, "."), "folder:git-sha1:"+run(t, f.top, "rev-parse", "main:"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again := fetch(t, newSource(t, f.top.URL(), git.Options{Submodules: true}), source.Revision{})
	if got, want := identityOf(t, again, "."), identityOf(t, with, "."); got != want {
		t.Errorf("one content is %s and %s", got, want)
	}
	f.advance(t, "2")
	now := fetch(t, newSource(t, f.top.URL(), git.Options{Submodules: true}), source.Revision{})
	for _, name := range []string{".", "libs", "libs/x", "libs/x/deep"} {
		if identityOf(t, now, name) == identityOf(t, with, name) {
			t.Errorf("%s: it has changed, and its identity has not", name)
		}
	}
}

func TestSubmoduleKeepsModesAndLinks(t *testing.T) {
	top := testbed.Git(t)
	lib := moduleRepo(t, top, "lib")
	hash, err := lib.CommitFS(t.Context(), fstest.MapFS{
		"run": {Data: []byte("1"), Mode: 0o755}, "in": {Data: []byte("run"), Mode: fs.ModeSymlink},
		"out": {Data: []byte("../own"), Mode: fs.ModeSymlink}, "far": {Data: []byte("../../own"), Mode: fs.ModeSymlink},
	})
	must(t, err)
	commit(t, top, map[string][]byte{"own": []byte("own")})
	linkTo(t, top, map[string]string{"x": "../lib"}, map[string]string{"x": hash})
	snapshot := fetch(t, newSource(t, top.URL(), git.Options{Submodules: true}), source.Revision{})
	if got := listing(t, snapshot); !slices.Equal(got, cloned(t, top)) {
		t.Errorf("got %q", got)
	}
	if body, err := fs.ReadFile(snapshot, "x/out"); err != nil || string(body) != "own" {
		t.Errorf("got %q, %v", body, err)
	}
	if body, err := fs.ReadFile(snapshot, "x/far"); !errors.As(err, new(*source.LinkError)) {
		t.Errorf("a link out of the root: got %q, %v", body, err)
	}
}

func TestSubmodulesCountTogetherAgainstLimits(t *testing.T) {
	f := newFamily(t)
	size := 0
	snapshot := fetch(t, newSource(t, f.top.URL(), git.Options{Submodules: true}), source.Revision{})
	must(t, fs.WalkDir(snapshot, ".", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, _ := d.Info()
			size += int(info.Size())
		}
		return err
	}))
	const files, depth, longest = 16, 6, len("libs/x/deep/y/sub/z")
	for name, tt := range map[string]struct {
		enough, little source.Limits
		max            int64
		option         string
	}{
		"files": {source.Limits{MaxFiles: files}, source.Limits{MaxFiles: files - 1}, files - 1, "Limits.MaxFiles"},
		"depth": {source.Limits{MaxDepth: depth}, source.Limits{MaxDepth: depth - 1}, depth - 1, "Limits.MaxDepth"},
		"path": {source.Limits{MaxPathBytes: longest}, source.Limits{MaxPathBytes: longest - 1}, int64(longest - 1),
			"Limits.MaxPathBytes"},
		"bytes": {source.Limits{MaxBytes: int64(size) + 2000}, source.Limits{MaxBytes: int64(size) - 1}, int64(size) - 1,
			"Limits.MaxBytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got := fetch(t, newSource(t, f.top.URL(), git.Options{Submodules: true, Limits: tt.enough}), source.Revision{})
			if !slices.Equal(listing(t, got), listing(t, snapshot)) {
				t.Error("something lacks")
			}
			err := refusal(t, f.top.URL(), git.Options{Limits: tt.little})
			crossed := new(source.LimitError)
			if !errors.As(err, &crossed) || crossed.Option != tt.option || crossed.Max != tt.max {
				t.Errorf("got %v", err)
			}
		})
	}
	f.top.TakeRequests()
	checkError(t, refusal(t, f.top.URL(), git.Options{Limits: source.Limits{MaxFiles: 6}}), source.ErrTooLarge, `"libs/x"`)
	if got := f.top.TakeRequests(); testbed.Count(got, "GET /lib") != 0 {
		t.Errorf("nothing is left for the submodule: got %q", got)
	}
}

func TestSubmodulesHaveTheirOwnLFS(t *testing.T) {
	f := newFamily(t)
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("1", 64) + "\nsize 5\n"
	f.super(t, "2", commit(t, f.lib, map[string][]byte{"big": []byte(pointer)}))
	snapshot := fetch(t, newSource(t, f.top.URL(), git.Options{Submodules: true}), source.Revision{})
	if body, err := fs.ReadFile(snapshot, "libs/x/big"); err != nil || string(body) != pointer {
		t.Errorf("got %q, %v", body, err)
	}
	checkError(t, refusal(t, f.top.URL(), git.Options{LFS: git.LFSRefuse}), nil, `submodule "libs/x"`)
	f.top.TakeRequests()
	checkError(t, refusal(t, f.top.URL(), git.Options{LFS: git.LFSFetch}), nil, `submodule "libs/x"`)
	if got := f.top.TakeRequests(); testbed.Count(got, "POST /lib.git/info/lfs/objects/batch") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestSubmodulesOverSSH(t *testing.T) {
	repo := testbed.GitWith(t, testbed.GitOptions{User: "reader", Password: "right"})
	lib := moduleRepo(t, repo, "lib")
	hash := commit(t, lib, map[string][]byte{"a": []byte("1")})
	linkTo(t, repo, map[string]string{"x": "../lib.git", "y": lib.SSHURL()}, map[string]string{"x": hash, "y": hash})
	host, port, _ := strings.Cut(strings.TrimPrefix(repo.SSH, "ssh://"), ":")
	known := fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(repo.HostKey))
	opts := git.Options{Submodules: true, KnownHosts: known, Username: "reader", Password: "right", AllowPlainHTTP: true}
	if got := namesIn(t, fetch(t, newSource(t, repo.SSHURL(), opts), source.Revision{})); got != ".gitmodules x/a y/a" {
		t.Errorf("got %s", got)
	}
	// The same host by another scheme is another origin.
	checkError(t, refusal(t, repo.URL(), opts), source.ErrUnauthorized, `submodule "y"`)
}
