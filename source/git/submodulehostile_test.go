package git_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func TestSubmoduleURLsThatAreRefused(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	for given, text := range map[string]string{
		"file:///etc":                  "unsupported",
		"/srv/git/x.git":               "unsupported",
		"lib.git":                      "unsupported",
		"..":                           "unsupported",
		"ext::sh -c touch% /tmp/pwned": "names a program",
		"fd::17":                       "names a program",
		"http::http://127.0.0.1/a.git": "names a program",
		"-u./x":                        "dash",
		"--upload-pack=touch:x":        "dash",
		"ssh://-oProxyCommand=x/a.git": "dash",
		"-oProxyCommand=x:a.git":       "dash",
		"ftp://example.com/a.git":      `"ftp"`,
		"../../x.git":                  "leads out of the host",
		"../../../../evil.test/x.git":  "leads out of the host",
		"./../../../x":                 "leads out of the host",
		"https://example.com":          "no path",
		"https://u:hunter2@:x/a.git":   "not a URL",
		"":                             "no URL",
	} {
		t.Run(given, func(t *testing.T) {
			commitModules(t, repo, map[string][]byte{".gitmodules": fmt.Appendf(nil,
				"[submodule \"x\"]\npath = libs/x\nurl = \"%s\"", given)}, map[string]string{"libs/x": hash})
			repo.TakeRequests()
			err := refusal(t, repo.URL(), git.Options{})
			checkError(t, err, nil, text)
			checkError(t, err, nil, `submodule "libs/x"`)
			if got := repo.TakeRequests(); len(got) != 2 {
				t.Errorf("got requests %q", got)
			}
		})
	}
}

func TestModulesFileThatIsWrong(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	right := modulesText(map[string]string{"x": repo.URL()})
	blob := func(body string) string {
		t.Helper()
		commit(t, repo, map[string][]byte{"body": []byte(body)})
		return run(t, repo, "rev-parse", "main:body")
	}
	for name, tt := range map[string]struct {
		mode, object, text string
		want               error
	}{
		"missing":    {"", "", `submodule "x": .gitmodules has no entry`, nil},
		"other path": {"100644", blob(strings.ReplaceAll(string(right), "= x", "= ../x")), `"x": .gitmodules has no entry`, nil},
		"malformed":  {"100644", blob(string(right) + "[submodule"), ".gitmodules: line 4", nil},
		"submodule":  {"160000", hash, "not a regular file", nil},
		"too large":  {"100644", blob(strings.Repeat(string(right), 40000)), ".gitmodules has", source.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, repo, "read-tree", hash)
			run(t, repo, "update-index", "--add", "--cacheinfo", "160000,"+hash+",x")
			if tt.mode != "" {
				run(t, repo, "update-index", "--add", "--cacheinfo", tt.mode+","+tt.object+",.gitmodules")
			}
			tip := run(t, repo, "commit-tree", "-m", "x", run(t, repo, "write-tree"))
			checkError(t, refusal(t, repo.URL(), git.Options{Commit: tip}), tt.want, tt.text)
			// Nobody needs it where no submodule is wanted.
			for _, opts := range []git.Options{{}, {Submodules: true, Paths: []string{"a"}}, {Submodules: true, Ignore: "/x"}} {
				opts.Commit = tip
				if name != "submodule" || !opts.Submodules || opts.Paths != nil {
					fetch(t, newSource(t, repo.URL(), opts), source.Revision{})
				}
			}
		})
	}
}

// Git makes no such tree, except by its import of others' histories.
func TestModulesFileThatIsALink(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": modulesText(map[string]string{"x": repo.URL()})})
	cmd := exec.CommandContext(t.Context(), "git", "-C", repo.Dir, "-c", "safe.directory=*", "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader("commit refs/heads/main\ncommitter a <b> 1 +0000\ndata 1\nx\nfrom " + hash +
		"\nM 120000 inline .gitmodules\ndata 1\na\nM 160000 " + hash + " x\n")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, submodules := range []bool{true, false} {
		_, err := newSource(t, repo.URL(), git.Options{Submodules: submodules}).Fetch(t.Context(), source.Revision{})
		checkError(t, err, nil, `".gitmodules" is a symbolic link`)
	}
}

func TestModulesFileWithThousandsOfEntries(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	urls := map[string]string{"x": "./../" + repo.Name + ".git"}
	for i := range 5000 {
		urls[fmt.Sprintf("other/%d", i)] = fmt.Sprintf("https://nonexistent.invalid/%d.git", i)
	}
	commitModules(t, repo, map[string][]byte{".gitmodules": modulesText(urls)}, map[string]string{"x": hash})
	snapshot := fetch(t, newSource(t, repo.URL(), git.Options{Submodules: true}), source.Revision{})
	if got := namesIn(t, snapshot); got != ".gitmodules a x/a" {
		t.Errorf("got %s", got)
	}
}

func TestSubmoduleWithoutItsCommit(t *testing.T) {
	f := newFamily(t)
	none := strings.Repeat("1", 40)
	f.super(t, "x", none)
	err := refusal(t, f.top.URL(), git.Options{})
	checkError(t, err, source.ErrNotFound, `submodule "libs/x" (`+f.lib.URL()+`): commit `+none)
	blob := run(t, f.lib, "rev-parse", "main:x")
	f.super(t, "y", blob)
	checkError(t, refusal(t, f.top.URL(), git.Options{}), nil, `submodule "libs/x" (`+f.lib.URL()+`)`)
	// A fetch that went wrong leaves nothing behind that the next one would take.
	s := newSource(t, f.top.URL(), git.Options{Submodules: true})
	for range 2 {
		if _, err := s.Fetch(t.Context(), source.Revision{}); err == nil {
			t.Error("a submodule's commit is a blob")
		}
	}
	f.super(t, "z", run(t, f.lib, "rev-parse", "main"))
	if got := namesIn(t, fetch(t, s, source.Revision{})); !strings.Contains(got, "libs/x/deep/y/y") {
		t.Errorf("got %s", got)
	}
}

func TestSubmodulesInEachOtherTooDeep(t *testing.T) {
	top := testbed.Git(t)
	text := modulesText(map[string]string{"m": top.URL()})
	hash := commit(t, top, map[string][]byte{"a": []byte("1"), ".gitmodules": text})
	for range 8 {
		hash = commitModules(t, top, nil, map[string]string{"m": hash})
	}
	snapshot := fetch(t, newSource(t, top.URL(), git.Options{Submodules: true}), source.Revision{})
	if body, err := fs.ReadFile(snapshot, strings.Repeat("m/", 8)+"a"); err != nil || string(body) != "1" {
		t.Errorf("got %q, %v", body, err)
	}
	commitModules(t, top, nil, map[string]string{"m": hash})
	checkError(t, refusal(t, top.URL(), git.Options{}), source.ErrTooLarge, "in each other more than 8 times")
}

func TestSubmodulesThatMultiplyEndAtALimit(t *testing.T) {
	top := testbed.Git(t)
	urls := map[string]string{}
	for i := range 11 {
		urls[fmt.Sprint("m", i)] = top.URL()
	}
	hash := commit(t, top, map[string][]byte{".gitmodules": modulesText(urls)})
	for range 3 {
		links := map[string]string{}
		for path := range urls {
			links[path] = hash
		}
		hash = commitModules(t, top, nil, links)
	}
	top.TakeRequests()
	checkError(t, refusal(t, top.URL(), git.Options{}), source.ErrTooLarge, "more than 1000 submodules")
	if got := top.TakeRequests(); len(got) > 8 {
		t.Errorf("%d requests for 4 commits", len(got))
	}
}

func TestSubmoduleThatIsNotToBeUpdated(t *testing.T) {
	top := testbed.Git(t)
	hash := commit(t, top, map[string][]byte{"a": []byte("1")})
	text := append(modulesText(map[string]string{"x": top.URL()}), "\tupdate = none\n"...)
	commitModules(t, top, map[string][]byte{".gitmodules": text}, map[string]string{"x": hash})
	snapshot := fetch(t, newSource(t, top.URL(), git.Options{Submodules: true}), source.Revision{})
	_, err := fs.Stat(snapshot, "x/a")
	if !errors.Is(err, source.ErrNotFetched) || !strings.Contains(err.Error(), "update = none") {
		t.Errorf("got %v", err)
	}
}
