package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestParseReferenceAsKustomizeDoes has the forms that kustomize's own parser is tested with, and what it makes of them.
func TestParseReferenceAsKustomizeDoes(t *testing.T) {
	for text, want := range map[string]struct{ url, path, ref string }{
		"https://git-codecommit.us-east-2.amazonaws.com/o/r/dir?ref=b": {"https://git-codecommit.us-east-2.amazonaws.com/o/r", "dir", "b"},
		"https://fabrikops2.visualstudio.com/o/r?ref=master":           {"https://fabrikops2.visualstudio.com/o/r", ".", "master"},
		"gitHub.com/o/r":                                                 {"https://github.com/o/r", ".", ""},
		"github.com:o/r/README.md":                                       {"https://github.com/o/r", "README.md", ""},
		"http://github.com/o/r.git/dir":                                  {"https://github.com/o/r.git", "dir", ""},
		"hTTps://github.com/o/r":                                         {"https://github.com/o/r", ".", ""},
		"ssh://git.example.com:7999/o/r/d":                               {"ssh://git.example.com:7999/o/r", "d", ""},
		"git::https://gitlab.com/o/r?ref=g/v":                            {"https://gitlab.com/o/r", ".", "g/v"},
		"git::http://git.example.com/o/r/a/b":                            {"http://git.example.com/o/r", "a/b", ""},
		"git@github.com:o/r":                                             {"git@github.com:o/r", ".", ""},
		"git@github.com/o/r/d":                                           {"git@github.com:o/r", "d", ""},
		"GIT::git@github.com:o/r":                                        {"git@github.com:o/r", ".", ""},
		"org-12345@github.com/o/r//d":                                    {"org-12345@github.com:o/r", "d", ""},
		"ssh://org-12345@github.com/o/r":                                 {"org-12345@github.com:o/r", ".", ""},
		"ssh://git@github.com/o/r//e/m?ref=v":                            {"git@github.com:o/r", "e/m", "v"},
		"git@gitlab2.example.ru:infra/kubernetes/base.git?ref=v0.1.0":    {"git@gitlab2.example.ru:infra/kubernetes/base.git", ".", "v0.1.0"},
		"git@bitbucket.org:company/project.git//path?ref=branch":         {"git@bitbucket.org:company/project.git", "path", "branch"},
		"git@bitbucket.org/company/project.git//path":                    {"git@bitbucket.org/company/project.git", "path", ""},
		"ssh://git@bitbucket.org/company/project.git//path?ref=b":        {"ssh://git@bitbucket.org/company/project.git", "path", "b"},
		"https://itfs.example.com/c/p/_git/repo":                         {"https://itfs.example.com/c/p/_git/repo", ".", ""},
		"https://itfs.example.com/c/p/_git/repo/d?version=v1":            {"https://itfs.example.com/c/p/_git/repo", "d", "v1"},
		"https://me@dev.azure.com/o/p/_git/repo//a/b":                    {"https://me@dev.azure.com/o/p/_git/repo", "a/b", ""},
		"https://bitbucket.example.com/scm/project/repo.git":             {"https://bitbucket.example.com/scm/project/repo.git", ".", ""},
		"https://github.com/o/r//examples/multibases/dev/?ref=v1.0.6":    {"https://github.com/o/r", "examples/multibases/dev", "v1.0.6"},
		"https://example.org/path/to/repo//examples/dev":                 {"https://example.org/path/to/repo", "examples/dev", ""},
		"https://example.org/path/to/repo.git/examples/dev":              {"https://example.org/path/to/repo.git", "examples/dev", ""},
		"https://authority/org/repo/?ref=includes_git/for_some_reason":   {"https://authority/org/repo", ".", "includes_git/for_some_reason"},
		"https://authority/org/repo/?ref=includes.git/for_some_reason":   {"https://authority/org/repo", ".", "includes.git/for_some_reason"},
		"https://authority/org/repo/%-not-parsable/dir":                  {"https://authority/org/repo", "%-not-parsable/dir", ""},
		"http://git@home.example.com/path/to/repository.git//path":       {"http://git@home.example.com/path/to/repository.git", "path", ""},
		"ssh://git@ssh.github.com:443/YOUR-USERNAME/YOUR-REPOSITORY.git": {"ssh://git@ssh.github.com:443/YOUR-USERNAME/YOUR-REPOSITORY.git", ".", ""},
		"git@gitlab.com/user:name/repo.git/path":                         {"git@gitlab.com/user:name/repo.git", "path", ""},
		"git@gitlab.com:gitlab-tests/sample-project":                     {"git@gitlab.com:gitlab-tests/sample-project", ".", ""},
		"git@gist.github.com:bc7947cb727d7f9217e7862d961a1ffd.git":       {"git@gist.github.com:bc7947cb727d7f9217e7862d961a1ffd.git", ".", ""},
		"https://gist.github.com/bc7947cb727d7f9217e7862d961a1ffd.git":   {"https://gist.github.com/bc7947cb727d7f9217e7862d961a1ffd.git", ".", ""},
		"https://h/o/r?version=old&ref=new":                              {"https://h/o/r", ".", "new"},
		"https://h/o/r?ref=%zz":                                          {"https://h/o/r", ".", ""},
		"https://h/o/r//a/../b/./c":                                      {"https://h/o/r", "b/c", ""},
		"https://h/o/r//deploy/a.yaml?ref=v1":                            {"https://h/o/r", "deploy/a.yaml", "v1"},
		"https://user:hunter2@github.com/o/r":                            {"https://user:hunter2@github.com/o/r", ".", ""},
		// Where kustomize would look for the repositories org/my.git, o/r/.git and a/my_git/deploy.
		"https://github.com/org/my.github.io/deploy": {"https://github.com/org/my.github.io", "deploy", ""},
		"https://github.com/o/r/.github/deploy":      {"https://github.com/o/r", ".github/deploy", ""},
		"https://h/a/my_git/deploy":                  {"https://h/a/my_git", "deploy", ""},
	} {
		r, err := parseReference(text, anything)
		if err != nil || r.URL != want.url || r.Path != want.path || r.Ref != want.ref || r.File || r.Text != text {
			t.Errorf("%s: got URL %q, Path %q, Ref %q, File %v, %v", text, r.URL, r.Path, r.Ref, r.File, err)
		}
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"/tmp":                              ErrRemote,
		"../../tmp":                         ErrRemote,
		"src/github.com/org/repo/path":      ErrRemote,
		"iauhsdiuashduas":                   ErrRemote,
		"htxxxtp://github.com/":             ErrRemote,
		"ssh://git.example.com":             ErrRemote,
		"git::___":                          ErrRemote,
		"https://host?ref=group/version":    ErrRemote,
		"github.com!org/repo.git//path":     ErrRemote,
		"gh:org/repo":                       ErrRemote,
		"ssh://github.com/onlyone":          ErrRemote,
		"https://h//x/":                     ErrRemote,
		"git@scp://github.com/o/r.git//p":   ErrRemote,
		"git@ssh://github.com/o/r.git//p":   ErrRemote,
		"s3::https://s3.amazonaws.com/b/k":  ErrRemote,
		"oci://example.com/o/r":             ErrRemote,
		"http:example.com":                  ErrRemote,
		"https:///o/r":                      ErrRemote,
		"file:///etc":                       ErrRemote,
		"file://a/b/c/someRepo.git/d?ref=b": ErrRemote,
		"FILE:///etc/a.yaml":                ErrRemote,
		"git::file:///etc":                  ErrRemote,
		"https://h/o/r\n":                   ErrRemote,
		"https://h/o/r\xff":                 ErrRemote,
		"":                                  ErrRemote,
		"https://h/o/r.git//p/../../exits":  ErrOutside,
		"https://h/o/r////../x":             ErrOutside,
		"git@h:o/r/..":                      ErrOutside,
	} {
		for _, w := range []nameable{anything, folders, onlyFiles} {
			if r, err := parseReference(text, w); !errors.Is(err, want) {
				t.Errorf("%q: got URL %q, Path %q, %v", text, r.URL, r.Path, err)
			}
		}
	}
}

// TestParseReferenceTellsFilesFromFolders has the rule that stands for kustomize's request.
func TestParseReferenceTellsFilesFromFolders(t *testing.T) {
	for text, want := range map[string][3]string{ // what is the file's path, in a field of anything, of folders and of files
		"https://h/a.yaml":                    {"a.yaml", "", "a.yaml"},
		"HTTP://h/x/y/a.yml?token=t":          {"a.yml", "", "a.yml"},
		"https://h/x/a.json":                  {"a.json", "", "a.json"},
		"https://h/x/y/settings.env":          {"", "", "settings.env"},
		"https://h/x":                         {"", "", "x"},
		"https://raw.h/o/r/v1/.github/a.yaml": {"a.yaml", "", "a.yaml"},
		"https://h/o/r//a.yaml":               {"", "", ""},
		"https://h/o/r.git/a.yaml":            {"", "", ""},
		"https://h/o/_git/r/a.yaml":           {"", "", ""},
		"git::https://h/o/r/a.yaml":           {"", "", ""},
		"ssh://h/o/r/a.yaml":                  {"", "", ""},
		"github.com/o/r/a.yaml":               {"", "", ""},
		"https://h/o/r/":                      {"", "", ""},
	} {
		for w, path := range want {
			r, err := parseReference(text, kindOf(w))
			if r.File != (path != "") || r.File && (r.Path != path || r.URL != text || r.Ref != "" || err != nil) {
				t.Errorf("%s as %d: got %v, %q in %q, %v", text, w, r.File, r.Path, r.URL, err)
			}
		}
	}
}

func kindOf(i int) nameable { return []nameable{anything, folders, onlyFiles}[i] }

func TestParseRepositoryQuery(t *testing.T) {
	for query, want := range map[string]struct {
		timeout    time.Duration
		submodules bool
	}{
		"":                               {0, true},
		"timeout=61":                     {61 * time.Second, true},
		"timeout=1m1s":                   {61 * time.Second, true},
		"timeout=0":                      {0, true},
		"timeout=-1":                     {0, true},
		"timeout=0s":                     {0, true},
		"timeout=jiffy":                  {0, true},
		"timeout=":                       {0, true},
		"submodules=false":               {0, false},
		"submodules=0":                   {0, false},
		"submodules=maybe":               {0, true},
		"submodules=":                    {0, true},
		"submodules=false&timeout=2&x=y": {2 * time.Second, false},
		"submodules=false&ref=%zz":       {0, true}, // as if there were no query
	} {
		r, err := parseReference("https://h/o/r?"+query, anything)
		if err != nil || r.Timeout != want.timeout || r.Submodules != want.submodules {
			t.Errorf("%q: got %v, %v, %v", query, r.Timeout, r.Submodules, err)
		}
	}
}

// TestReferenceDoesNotShowCredentials formats references by every way to print them.
func TestReferenceDoesNotShowCredentials(t *testing.T) {
	for text, want := range map[string]string{
		"https://user:hunter2@h/o/r//d?ref=v1&token=hunter2": "https://h/o/r//d?ref=v1",
		"https://hunter2@h/o/r?token=hunter2":                "https://h/o/r",
		"https://user:hun@hunter2@h/o/r":                     "https://h/o/r",
		"https://hunter2@h/x/a.yaml?token=hunter2":           "https://h/x/a.yaml",
		"ssh://hunter2@h/o/r//d":                             "ssh://h/o/r//d",
		"hunter2@h:o/r":                                      "h:o/r",
		"https://h/o/r//d#hunter2":                           "https://h/o/r//d",
	} {
		r, err := parseReference(text, anything)
		if err != nil || r.String() != want {
			t.Errorf("%s is shown as %q (%v), want %q", text, r, err, want)
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("fetching", "reference", r)
		shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", r, r, r, r, r, r, r, []any{&r, struct{ R Reference }{r}}) + log.String()
		if strings.Contains(shown, "hunter2") || !strings.Contains(log.String(), want) {
			t.Errorf("%s is shown as %s", text, shown)
		}
	}
}

// FuzzParseReference checks what holds for every reference: what is shown has no credential, the path is one in the
// repository, and the parts put together again are the same reference.
func FuzzParseReference(f *testing.F) {
	for _, text := range []string{
		"https://github.com/o/r//d?ref=v1&timeout=3&submodules=0", "git@github.com:o/r.git/d?version=v1", "ssh://u@h:7/o/r/d",
		"git::https://h/o/r", "github.com/o/r", "GitHub.com:o/r", "https://h/p/_git/r/d", "https://u:p@h/a/b.yaml?t=x", "file:///etc",
		"https://h/a/b/../c", "u@h:x.git", "https://h//a/b//c", "https://h/o/r//../x", "https://h/o/r#f", "a//b/_git/r", "https://@h/a/b",
	} {
		for w := range 3 {
			f.Add(text, w)
		}
	}
	const secret = "s3cr3t"
	f.Fuzz(func(t *testing.T, text string, w int) {
		kind := kindOf(((w % 3) + 3) % 3)
		r, err := parseReference(text, kind)
		if err != nil {
			if !errors.Is(err, ErrRemote) && !errors.Is(err, ErrOutside) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if !fs.ValidPath(r.Path) || r.URL == "" || r.Text != text || r.Timeout < 0 || r.File && kind == folders {
			t.Fatalf("%q: %#v, path %q", text, r, r.Path)
		}
		if shown := fmt.Sprintf("%#v", r); strings.Contains(withoutPath(r, shown), "@") || r.File && strings.Contains(shown, "?") {
			t.Fatalf("%q is shown as %q", text, shown)
		}
		canonical := r.URL
		if !r.File {
			canonical += "//" + r.Path
		}
		again, err := parseReference(canonical, kind)
		if err != nil || again.URL != r.URL || again.Path != r.Path || again.File != r.File {
			t.Fatalf("%q is URL %q and path %q, and that is %q and %q (%v)", text, r.URL, r.Path, again.URL, again.Path, err)
		}
		if scheme, rest, ok := strings.Cut(text, "://"); ok && strings.HasPrefix(scheme, "http") {
			planted, err := parseReference(scheme+"://user:"+secret+"@"+rest, kind)
			if err == nil && strings.Contains(planted.String(), secret) {
				t.Fatalf("%q is shown as %q", planted.Text, planted)
			}
		}
	})
}

// withoutPath removes the parts that may have any character from what is shown of r.
func withoutPath(r Reference, shown string) string {
	shown = strings.TrimSuffix(shown, r.query())
	return strings.TrimSuffix(shown, cutAt(r.Path, '#'))
}
