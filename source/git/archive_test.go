package git_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// attributesOff has git archive give what the commit has: no file is left out, and none is changed. What stands in this file
// counts more than any .gitattributes.
func attributesOff(t testing.TB, repo *testbed.Repository) {
	t.Helper()
	const off = "* -export-ignore -export-subst -text -eol -crlf -ident -filter -working-tree-encoding\n"
	if err := errors.Join(os.MkdirAll(filepath.Join(repo.Dir, "info"), 0o755),
		os.WriteFile(filepath.Join(repo.Dir, "info", "attributes"), []byte(off), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// A truth is what git says that a commit has.
type truth struct {
	files      map[string]string // kind and content by path, of files and links
	identities map[string]string // of files and folders
	modules    map[string]bool   // where submodules are
}

// truthOf asks git archive for the content, and git ls-tree for the hashes; neither may know a file that the other does not.
func truthOf(t testing.TB, repo *testbed.Repository, commit string) truth {
	t.Helper()
	w := truth{make(map[string]string), make(map[string]string), make(map[string]bool)}
	archive := tar.NewReader(strings.NewReader(gitIn(t, repo, nil, "archive", "--format=tar", commit)))
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		body, err := io.ReadAll(archive)
		switch {
		case err != nil:
			t.Fatal(err)
		case h.Typeflag == tar.TypeReg:
			w.files[h.Name] = fmt.Sprintf("file %t %s", h.Mode&0o111 != 0, body)
		case h.Typeflag == tar.TypeSymlink:
			w.files[h.Name] = "link " + h.Linkname
		}
	}
	listed := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(gitIn(t, repo, nil, "ls-tree", "-rtz", commit), "\x00"), "\x00") {
		about, path, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about)
		if len(fields) != 3 || fields[1] == "commit" {
			w.modules[path] = len(fields) == 3
			continue
		}
		if fields[1] == "tree" {
			w.identities[path] = "folder:git-sha1:" + fields[2]
			continue
		}
		if listed++; w.files[path] == "" {
			t.Fatalf("git archive leaves out %q", path)
		}
		if fields[0] != "120000" {
			w.identities[path] = "file:git-sha1:" + fields[2]
		}
	}
	if listed != len(w.files) {
		t.Fatalf("git archive has %d files, and git ls-tree %d", len(w.files), listed)
	}
	return w
}

// part is the truth of what is below paths and has no ignored element, each of which is the end of a name.
func (w truth) part(paths []string, endings ...string) truth {
	ignored := func(path string) bool {
		return slices.ContainsFunc(strings.Split(path, "/"), func(element string) bool {
			return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(element, e) })
		})
	}
	outside := func(path string) bool {
		return len(paths) > 0 && !slices.ContainsFunc(paths,
			func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	}
	part := truth{files: maps.Clone(w.files)}
	maps.DeleteFunc(part.files, func(path, _ string) bool { return ignored(path) || outside(path) })
	return part
}

// filesOf is what a snapshot has, as a truth says it.
func filesOf(t testing.TB, content fs.FS) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(content, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Type() == fs.ModeSymlink {
			target, err := fs.ReadLink(content, path)
			files[path] = "link " + target
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		body, err := fs.ReadFile(content, path)
		if err == nil && info.Size() != int64(len(body)) {
			err = fmt.Errorf("%q has %d bytes, and says %d", path, len(body), info.Size())
		}
		files[path] = fmt.Sprintf("file %t %s", info.Mode()&0o111 != 0, body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// check holds a snapshot against the truth.
func (w truth) check(t testing.TB, what string, content fs.FS) {
	t.Helper()
	got := filesOf(t, content)
	for path, is := range got {
		if want, ok := w.files[path]; !ok || is != want {
			t.Errorf("%s: %q is %.100q, and git says %.100q", what, path, is, want)
		}
	}
	for path := range w.files {
		if _, ok := got[path]; !ok {
			t.Errorf("%s: %q is not there", what, path)
		}
	}
	for path, want := range w.identities {
		identity, err := source.Identity(content, path)
		// A folder with submodules alone is not in a snapshot.
		if identity != want && !(errors.Is(err, source.ErrNotFetched) && !w.within(path)) {
			t.Errorf("%s: %q has the identity %q, %v; git says %q", what, path, identity, err, want)
		}
	}
}

func (w truth) within(folder string) bool {
	for path := range w.files {
		if path == folder || strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return false
}

// seeded is bytes for a grower.
func seeded(seed uint64, size int) []byte {
	random, data := rand.New(rand.NewPCG(seed, 8)), make([]byte, size)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// grownWays are the sources that go from commit to commit of one repository: one by itself, and two with one cache, in memory
// or in a folder.
func grownWays(t *testing.T, url string, opts git.Options, folder bool) map[string]*git.Source {
	t.Helper()
	alone, dir := newSource(t, url, opts), t.TempDir()
	ways := map[string]*git.Source{"1 the same source": alone}
	opts.Cache = git.NewCache(git.CacheOptions{})
	for _, way := range []string{"2 with a cache", "3 with the same cache"} {
		if folder { // opened twice, as by two processes
			var err error
			opts.Cache, err = git.OpenCache(dir, git.CacheOptions{})
			must(t, err)
		}
		ways[way] = newSource(t, url, opts)
	}
	return ways
}

func TestGrownRepositoriesAreWhatGitArchives(t *testing.T) {
	kinds := slices.Sorted(maps.Keys(servers))
	for seed := range uint64(4) {
		kind := kinds[int(seed)%len(kinds)]
		t.Run(fmt.Sprintf("%d, %s", seed, kind), func(t *testing.T) {
			repo := testbed.GitWith(t, servers[kind])
			attributesOff(t, repo)
			url := []string{repo.URL(), repo.SSHURL(), repo.DaemonURL()}[seed%3]
			opts := git.Options{KnownHosts: repo.KnownHosts()}
			ways := grownWays(t, url, opts, seed%2 == 0)
			for i, hash := range grow(t, repo, seeded(seed, 4000), 5) {
				run(t, repo, "update-ref", "refs/heads/main", hash)
				if i == 3 {
					run(t, repo, "repack", "-adfq", "--depth=200", "--window=50")
				}
				want := truthOf(t, repo, hash)
				ways["9 a fresh source"] = newSource(t, url, opts)
				for _, way := range slices.Sorted(maps.Keys(ways)) {
					snapshot := fetch(t, ways[way], source.Revision{})
					if got := snapshot.Revision.String(); got != "main@sha1:"+hash {
						t.Fatalf("%s: got %s", way, got)
					}
					want.check(t, fmt.Sprintf("commit %d, %s", i, way), snapshot)
				}
			}
		})
	}
}
