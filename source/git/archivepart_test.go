package git_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// somePaths picks files, links and folders of a commit.
func somePaths(random *rand.Rand, w truth) []string {
	all := slices.Sorted(maps.Keys(w.files))
	var paths []string
	for range random.IntN(4) {
		if len(all) == 0 {
			break
		}
		path := all[random.IntN(len(all))]
		if i := strings.LastIndexByte(path, '/'); i > 0 && random.IntN(2) == 0 {
			path = path[:i]
		}
		paths = append(paths, path)
	}
	return paths
}

// Paths and rules at random, on each kind of server, over commits in which a path may come and go.
func TestGrownPartsAreWhatGitArchives(t *testing.T) {
	kinds := slices.Sorted(maps.Keys(servers))
	for seed := range uint64(6) {
		kind := kinds[int(seed)%len(kinds)]
		t.Run(fmt.Sprintf("%d, %s", seed, kind), func(t *testing.T) {
			repo := testbed.GitWith(t, servers[kind])
			attributesOff(t, repo)
			url := []string{repo.SSHURL(), repo.URL(), repo.DaemonURL()}[seed%3]
			hashes := grow(t, repo, seeded(100+seed, 4000), 4)
			random := rand.New(rand.NewPCG(seed, 1))
			opts := git.Options{KnownHosts: repo.KnownHosts(), Paths: somePaths(random, truthOf(t, repo, hashes[1]))}
			endings := [][]string{nil, {".yaml"}, {"b", "x"}}[seed%3]
			for _, e := range endings {
				opts.Ignore += "*" + e + "\n"
			}
			ways := grownWays(t, url, opts, seed%2 == 1)
			for i, hash := range hashes {
				run(t, repo, "update-ref", "refs/heads/main", hash)
				all := truthOf(t, repo, hash)
				want := all.part(opts.Paths, endings...)
				for _, way := range slices.Sorted(maps.Keys(ways)) {
					snapshot, err := ways[way].Fetch(t.Context(), source.Revision{})
					if lost := lostPaths(all, opts.Paths, endings); len(lost) > 0 || len(want.files) == 0 {
						if !errors.Is(err, source.ErrNotFound) {
							t.Errorf("commit %d, %s: got %v, and %q is not in it", i, way, err, lost)
						}
						continue
					}
					must(t, err)
					want.check(t, fmt.Sprintf("commit %d, %s", i, way), snapshot)
				}
			}
		})
	}
}

// lostPaths are those of which a commit has no files, or only ignored ones.
func lostPaths(w truth, paths, endings []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		return len(w.part([]string{p}, endings...).files) > 0
	})
}

// FuzzGrownHistory fetches what the bytes grow, from commit to commit, whole and in part.
func FuzzGrownHistory(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(seeded(200+seed, 300))
	}
	f.Add([]byte("\x03\x06\x00\x00\x00\x05"))
	server, err := testbed.StartGit(testbed.GitOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := server.Close(); err != nil {
			f.Error(err)
		}
	})
	count := 0
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		count++
		repo, err := server.NewRepository(t.Context(), fmt.Sprintf("grown-%d", count))
		must(t, err)
		attributesOff(t, repo)
		hashes := grow(t, repo, data, 2)
		first := truthOf(t, repo, hashes[0])
		paths := somePaths(rand.New(rand.NewPCG(uint64(len(data)), 1)), first)
		whole := newSource(t, repo.URL(), git.Options{})
		part := newSource(t, repo.URL(), git.Options{Paths: paths, Ignore: "*b"})
		for _, hash := range hashes {
			run(t, repo, "update-ref", "refs/heads/main", hash)
			all := truthOf(t, repo, hash)
			snapshot, err := whole.Fetch(t.Context(), source.Revision{})
			if len(all.files) == 0 && errors.Is(err, source.ErrNotFound) {
				continue
			}
			must(t, err)
			all.check(t, "whole", snapshot)
			snapshot, err = part.Fetch(t.Context(), source.Revision{})
			if len(lostPaths(all, paths, []string{"b"})) > 0 || len(all.part(paths, "b").files) == 0 {
				if !errors.Is(err, source.ErrNotFound) {
					t.Errorf("got %v", err)
				}
				continue
			}
			must(t, err)
			all.part(paths, "b").check(t, "part", snapshot)
		}
	})
}

// What git archive leaves out or changes by .gitattributes is content like any other: it is the tree's.
func TestArchiveAttributesChangeNothing(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{
		".gitattributes": []byte("hidden export-ignore\nsub export-ignore\n* export-subst\n*.txt text eol=crlf\nid ident\n"),
		"hidden":         []byte("h"), "sub/a": []byte("a"), "subst": []byte("$Format:%H$"), "a.txt": []byte("1\n"),
		"id": []byte("$Id$"),
	})
	archived := run(t, repo, "archive", "--format=tar", hash)
	if strings.Contains(archived, "hidden\x00") || strings.Contains(archived, "$Format") {
		t.Fatal("git archive heeds no attributes, and this test shows nothing")
	}
	attributesOff(t, repo)
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	want := truthOf(t, repo, hash)
	want.check(t, "with attributes", snapshot)
	if len(want.files) != 6 || want.files["subst"] != "file false $Format:%H$" {
		t.Errorf("got %q", want.files)
	}
}

func TestCommitWithoutFiles(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{"a": []byte("1")})
	s := newSource(t, repo.URL(), git.Options{})
	fetch(t, s, source.Revision{})
	commit(t, repo, map[string][]byte{"a": nil})
	for what, s := range map[string]*git.Source{"after another": s, "at first": newSource(t, repo.URL(), git.Options{}),
		"ignoring": newSource(t, repo.URL(), git.Options{Ignore: "b"})} {
		snapshot, err := s.Fetch(t.Context(), source.Revision{})
		if checkError(t, err, source.ErrNotFound, "has no files"); snapshot != nil {
			t.Errorf("%s: got %s", what, snapshot.Revision)
		}
	}
	_, err := newSource(t, repo.URL(), git.Options{Paths: []string{"a"}}).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrNotFound, `"a"`)
}

// Links of every kind are there as they are written, and followed inside of the root alone.
func TestLinksAreFollowedInsideOnly(t *testing.T) {
	repo := testbed.Git(t)
	links := fstest.MapFS{"apps/web/a": {Data: []byte("1")}}
	for name, target := range map[string]string{
		"inside": "apps/web/a", "apps/web/up": "../../apps/web/a", "apps/folder": "web", "through": "apps/folder/up",
		"dangling": "none", "absolute": "/etc/passwd", "apps/outside": "../../x", "loop": "pool", "pool": "loop", "self": "self",
	} {
		links[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink}
	}
	hash, err := repo.CommitFS(t.Context(), links)
	must(t, err)
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{}), source.Revision{})
	truthOf(t, repo, hash).check(t, "links", snapshot)
	for _, name := range []string{"inside", "apps/web/up", "apps/folder/a", "through"} {
		if body, err := snapshot.ReadFile(name); err != nil || string(body) != "1" {
			t.Errorf("%s: got %q, %v", name, body, err)
		}
	}
	for _, name := range []string{"absolute", "apps/outside", "loop", "self"} {
		if _, err := snapshot.ReadFile(name); !errors.As(err, new(*source.LinkError)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := snapshot.ReadFile("dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Whether a server filters decides what comes, and not what counts: ignored files are neither content nor in its limits.
func TestIgnoredFilesCountForNoLimit(t *testing.T) {
	everyWay(t, func(t *testing.T, repo *testbed.Repository, url string, opts git.Options) {
		files := map[string][]byte{"a": []byte("1"), "z": []byte("1")}
		for i := range 12 { // a whole pack may have a few objects more than MaxFiles
			files[fmt.Sprintf("b/%d.tmp", i)] = fmt.Append(nil, i)
		}
		commit(t, repo, files)
		opts.Ignore, opts.Limits = "*.tmp", source.Limits{MaxFiles: 5}
		if snapshot := fetch(t, newSource(t, url, opts), source.Revision{}); len(filesOf(t, snapshot)) != 2 {
			t.Errorf("got %q", filesOf(t, snapshot))
		}
		opts.Limits.MaxFiles = 1
		_, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, source.ErrTooLarge, "Limits.MaxFiles")
	})
}
