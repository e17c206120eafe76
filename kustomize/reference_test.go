package kustomize

import (
	"errors"
	"strings"
	"testing"
)

// TestIsRemote has what kustomize would fetch or clone, and what it would not.
func TestIsRemote(t *testing.T) {
	for _, ref := range []string{
		"https://example.com/a.yaml",
		"HTTP://example.com/a.yaml",
		"http:example.com", // url.Parse finds the scheme, and kustomize goes by that
		"github.com/org/repo",
		"GitHub.com/org/repo?ref=main",
		"github.com:org/repo",
		"git@github.com:org/repo.git",
		"git@example.com/org/repo",
		"user@host:path/to/repo",
		"git::https://example.com/org/repo",
		"GIT::git@example.com:org/repo",
		"git::file:///etc",
		"ssh://git@example.com/org/repo",
		"file:///etc",
		"org-12345@github.com:org/repo//path?ref=v1",
		"https://example.com/_git/repo",
		"s3::https://s3.amazonaws.com/bucket/key",
		"oci://example.com/repo",
	} {
		if !isRemote(ref) {
			t.Errorf("%s is not taken for remote", ref)
		}
	}
	for _, ref := range []string{
		"../base", "a.yaml", "./github.com/org/repo", "apps/github.com/x", "file.yaml", "http", "https.yaml", "git.yaml",
		"user@example.yaml", "../user@host/a.yaml", "a:b", "name=a.yaml", "überlay", ".",
	} {
		if isRemote(ref) {
			t.Errorf("%s is taken for remote", ref)
		}
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct{ dir, ref, want string }{
		{"app", "a.yaml", "app/a.yaml"},
		{"app", "../base/", "base"},
		{"app", "..", "."},
		{".", "./a", "a"},
		{"a/b", "../../c//d/./e", "c/d/e"},
	} {
		if got, err := resolve(c.dir, c.ref); got != c.want || err != nil {
			t.Errorf("resolve(%q, %q) = %q, %v; want %q", c.dir, c.ref, got, err, c.want)
		}
	}
	for _, c := range []struct{ dir, ref string }{{".", ".."}, {"app", "../.."}, {"app", "../../app/a.yaml"}, {"app", "/app/a.yaml"}} {
		if got, err := resolve(c.dir, c.ref); !errors.Is(err, ErrOutside) {
			t.Errorf("resolve(%q, %q) = %q, %v; want ErrOutside", c.dir, c.ref, got, err)
		}
	}
	for _, ref := range []string{"", "a\xff.yaml"} {
		if got, err := resolve("app", ref); err == nil {
			t.Errorf("resolve(%q) = %q", ref, got)
		}
	}
}

func TestRedact(t *testing.T) {
	for ref, want := range map[string]string{
		"https://user:hunter2@example.com/a?token=hunter2#hunter2": "https://example.com/a",
		"git@example.com:org/repo?ref=main":                        "example.com:org/repo",
		"https://user:hunter2%zz@example.com/a":                    "example.com/a",
		"git::https://hunter2@example.com/a":                       "example.com/a",
		"../base":                                                  "../base",
	} {
		if got := redact(ref); got != want || strings.Contains(got, "hunter2") {
			t.Errorf("redact(%q) = %q, want %q", ref, got, want)
		}
	}
}
