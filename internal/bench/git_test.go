package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// TestEveryContenderFetchesTheSame relies on the area to compare the files; see TestOtherFilesAreAnotherContent.
func TestEveryContenderFetchesTheSame(t *testing.T) {
	const n = 400
	var out, log bytes.Buffer
	o := options{scales: []scale{{n: n, runs: 1}}, who: regexp.MustCompile("."), works: ".", log: &log,
		print: func(rows []row) error { printFetches(&out, rows); return nil }}
	rows, err := runGit(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	files := map[string]int{fetch.Full: n / 10, fetch.Path: leastInFolder, fetch.NewCommit: n, fetch.SemVer: n / 100,
		fetch.OldCommit: n / 10}
	for _, work := range gitWorks {
		for _, c := range gitContenders {
			i := slices.IndexFunc(rows, func(r row) bool { return r.Work == work && r.Who == c.name })
			if able := !slices.Contains(c.without, work); able != (i >= 0) {
				t.Errorf("%s by %s: able %t, done %t", work, c.name, able, i >= 0)
			}
			if i >= 0 {
				checkFetch(t, rows[i], n, files[work])
			}
		}
	}
	gitArea.printBars(&out, rows)
	wantLines(t, out.String(), `nothing new +gitopskit +0 .* 1: 1 GET\n`, `full +git clone +40 .* 3: 1 GET, 2 POST\n`,
		`new commit +gitopskit +400 .* 2: 1 GET, 1 POST\n`, `new commit +git partial +400 .* 3: 1 GET, 2 POST\n`,
		`nothing new requests +- +1\.0 .* met\n`, `full ms +fluxcd/pkg/git +\d`)
}

func checkFetch(t *testing.T, r row, n, files int) {
	t.Helper()
	if r.MS <= 0 || r.MinMS > r.MS || r.Runs != 1 || r.N != n || r.Objects != files ||
		r.Requests < 1 || r.Sent < 50 || r.Received < 200 {
		t.Errorf("a row says %+v, and there are %d files", r, files)
	}
	// Whoever has the commit before gets one file and its folders; others get all.
	small := r.Who == ourselves || r.Who == gitPartial
	if r.Work == fetch.NewCommit && (r.Received < 8<<10) != small {
		t.Errorf("%s got %d bytes", r.Who, r.Received)
	}
	if r.Work == fetch.NothingNew && (r.Requests != 1 || r.Received > 2<<10) {
		t.Errorf("%s knows that nothing is new by %d requests and %d bytes", r.Who, r.Requests, r.Received)
	}
}

func TestRepositoriesAreAsTheWorksSay(t *testing.T) {
	server, err := testbed.StartGit(testbed.GitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	all, err := makeRepositories(t.Context(), server, 2000)
	if err != nil {
		t.Fatal(err)
	}
	tree := lines(t, all.big, "ls-tree", "-r", all.big.last(0))
	for what, got := range map[string]int{
		"2000 files of the big one":      len(tree),
		"100 links of the big one":       strings.Count(strings.Join(tree, "\n"), "120000 blob"),
		"1 file that the new one has":    len(lines(t, all.big, "diff", "--name-only", all.big.last(1), all.big.last(0))),
		"20 commits of the full one":     len(all.full.commits),
		"8 commits behind":               len(lines(t, all.full, "rev-list", all.of(fetch.OldCommit).want+"..main")),
		"200 tags":                       len(lines(t, all.tagged, "tag")),
		"100 annotated tags":             len(lines(t, all.tagged, "for-each-ref", "--format=%(*objectname)", "refs/tags")),
		"20 files of a path":             len(lines(t, all.big, "ls-tree", "-r", "main", all.of(fetch.Path).path)),
		"1 commit of the chosen version": len(lines(t, all.tagged, "rev-list", "--no-walk", all.of(fetch.SemVer).want)),
	} {
		var want int
		if _, err := fmt.Sscan(what, &want); err != nil || got != want {
			t.Errorf("%d are not the %s", got, what)
		}
	}
	const first = "37c2d439" // of the big one's first commit: it is the same on every machine
	if !strings.HasPrefix(all.big.commits[0], first) {
		t.Errorf("the first commit is %s", all.big.commits[0])
	}
}

// lines are those that git prints and that have something in them.
func lines(t *testing.T, m *made, args ...string) []string {
	t.Helper()
	out, err := m.Git(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool { return l == "" })
}

func TestHighestIsNoPrerelease(t *testing.T) {
	for tags, want := range map[int]string{1: "v1.0.0", 10: "v1.0.8", 11: "v1.0.10", 1000: "v1.49.18", 5000: "v1.49.18"} {
		if got := tagName(highest(tags)); got != want {
			t.Errorf("of %d tags: got %s, want %s", tags, got, want)
		}
	}
}

func TestOtherFilesAreAnotherContent(t *testing.T) {
	folder := t.TempDir()
	read := func() fetch.Content {
		t.Helper()
		content, err := fetch.Read(os.DirFS(folder), "a")
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	if err := write(folder, map[string]string{"a/one": "1", "a/two": "2", "a/.git/x": "x", "b/other": "3"}); err != nil {
		t.Fatal(err)
	}
	was := read()
	for _, change := range []func() error{
		func() error { return os.WriteFile(filepath.Join(folder, "a/one"), []byte("3"), 0o600) },
		func() error { return os.Chmod(filepath.Join(folder, "a/one"), 0o700) },
		func() error { return os.Rename(filepath.Join(folder, "a/one"), filepath.Join(folder, "a/three")) },
		func() error { return os.Symlink("two", filepath.Join(folder, "a/one")) },
		func() error { return os.Remove(filepath.Join(folder, "a/two")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		now := read()
		if now.Digest == was.Digest {
			t.Errorf("%+v is still the same", now)
		}
		was = now
	}
	if was.Files != 2 {
		t.Errorf("%d files", was.Files)
	}
}

// A folder and git's archive of it have the same content.
func TestArchiveIsReadAsTheFolderIs(t *testing.T) {
	folder := t.TempDir()
	if err := write(folder, map[string]string{"a/one": "1", "b c": ""}); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.Symlink("nowhere", filepath.Join(folder, "link")),
		os.Chmod(filepath.Join(folder, "a/one"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var archive []byte
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=b", "commit", "--quiet", "-m", "c"}, {"archive", "--format=tar", "HEAD"}} {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", folder}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		archive = out
	}
	want, err := fetch.Read(os.DirFS(folder), "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fetch.ReadArchive(bytes.NewReader(archive)); err != nil || got != want || got.Files != 3 {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestWireCountsBothWays(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 5000))
	}))
	t.Cleanup(server.Close)
	w, err := newWire(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answer, err := http.Post(w.URL, "text/plain", strings.NewReader(strings.Repeat("x", 3000)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || len(body) != 5000 {
			t.Errorf("got %d bytes, %v", len(body), err)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		// Headers are some hundred bytes.
		if now := w.take(); now.sent <= 3000 || now.sent > 4000 || now.received <= 5000 || now.received > 6000 {
			t.Errorf("sent %d, received %d", now.sent, now.received)
		}
	}
	if err := w.Close(); err != nil { // with a connection that is kept alive
		t.Error(err)
	}
}

func TestBarsOfFetches(t *testing.T) {
	made := func(work, who string, ms, mib float64, requests, received int64) row {
		g := result{traffic: traffic{requests: requests, received: received}, samples: []measure.Sample{{MS: ms, PeakMiB: mib}}}
		r := row{Work: work, Who: who, N: 50_000}
		g.fill(&r)
		return r
	}
	var out bytes.Buffer
	gitArea.printBars(&out, []row{
		made(fetch.NothingNew, ourselves, 5, 10, 2, 9), made(fetch.NothingNew, peerFetches[0], 5, 20, 1, 9),
		made(fetch.Full, ourselves, 100, 21, 2, 9), made(fetch.Full, gitClone, 99, 9, 2, 9),
		made(fetch.Full, peerFetches[0], 200, 50, 2, 9), made(fetch.Full, peerFetches[1], 199, 40, 2, 9),
		made(fetch.NewCommit, ourselves, 100, 20, 2, 1024), made(fetch.NewCommit, peerFetches[0], 499, 40, 2, 10*1024),
	})
	wantLines(t, out.String(),
		`50000  nothing new requests +- +2\.0 +- +- +<= 1\.00  NOT met\n`,
		`nothing new peak MiB +fluxcd/pkg/git .* 0\.50 +<= 0\.50  met\n`,
		`full ms +git clone +100\.0 +99\.0 +1\.01 +<= 1\.00  NOT met\n`,
		`full ms +fluxcd/pkg/git +100\.0 .* 2\.00 +>= 2\.00  met\n`,
		`full ms +fluxcd/pkg/git memory +100\.0 .* 1\.99 +>= 2\.00  NOT met\n`,
		`full peak MiB +fluxcd/pkg/git memory .* 0\.53 .* NOT met\n`,
		`new commit KiB +fluxcd/pkg/git +1\.0 +10\.0 +10\.00 +>= 10\.00  met\n`,
		`new commit ms +fluxcd/pkg/git .* 4\.99 .* NOT met\n`,
		`semver ms +fluxcd/pkg/git +not measured\n`)
}
