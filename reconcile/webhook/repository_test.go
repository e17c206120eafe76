package webhook_test

import (
	"testing"

	"github.com/gitopskit/gitopskit/reconcile/webhook"
)

func TestSameRepository(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"https://github.com/example/fleet", "https://GitHub.com/Example/fleet.git", true},
		{"https://github.com/example/fleet/", "git@github.com:example/fleet.git", true},
		{"ssh://git@ssh.github.com:443/example/fleet", "git://github.com/example/fleet", true},
		{"ssh://git@git.example.com:2222/a/b.git", "https://user:pass@git.example.com:8443/a/b", true},
		{"https://git.example.com/A/b", "https://git.example.com/a/b", false},
		{"https://git.example.com/a/b", "https://git.example.com/a/b/c", false},
		{"https://git.example.com/a/b", "https://git.example.org/a/b", false},
		{"https://git.example.com/", "https://git.example.com/", false},
		{"", "", false}, {"fleet", "fleet", false}, {"/srv/git/fleet", "/srv/git/fleet", false},
	} {
		if got := webhook.SameRepository(c.a, c.b); got != c.want {
			t.Errorf("SameRepository(%q, %q) is %v", c.a, c.b, got)
		}
		if got := webhook.SameRepository(c.b, c.a); got != c.want {
			t.Errorf("SameRepository(%q, %q) is %v", c.b, c.a, got)
		}
	}
}

func TestPushConcerns(t *testing.T) {
	push := webhook.Push{Repositories: []string{"https://example.com/a/b.git", "git@example.com:a/b.git"}, Ref: "refs/heads/main"}
	for _, c := range []struct {
		push       webhook.Push
		repository string
		refs       []string
		want       bool
	}{
		{push, "https://example.com/a/b", nil, true},
		{push, "ssh://git@example.com/a/b", []string{"refs/tags/v1", "refs/heads/main"}, true},
		{push, "https://example.com/a/b", []string{"refs/heads/other"}, false},
		{push, "https://example.com/a/c", nil, false},
		{webhook.Push{}, "https://example.com/a/c", []string{"refs/heads/other"}, true},
	} {
		if got := c.push.Concerns(c.repository, c.refs...); got != c.want {
			t.Errorf("%v concerns %s %v: %v", c.push, c.repository, c.refs, got)
		}
	}
	if tag := (webhook.Push{Ref: "refs/tags/v1/a"}).Tag(); tag != "v1/a" {
		t.Errorf("tag is %q", tag)
	}
}
