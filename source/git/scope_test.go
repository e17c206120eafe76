package git

import (
	"slices"
	"testing"
)

func TestScope(t *testing.T) {
	s, err := newScope([]string{"./apps/web/", "apps/web/deep", "apps/api/a.yaml", "base"})
	if err != nil || !slices.Equal(s, scope{"apps/api/a.yaml", "apps/web", "base"}) {
		t.Fatalf("got %q, %v", s, err)
	}
	for name, want := range map[string]relation{
		"": above, "apps": above, "apps/web": inside, "apps/web/deep/x": inside, "apps/webs": outside, "app": outside,
		"apps/api": above, "apps/api/a.yaml": inside, "apps/api/b.yaml": outside, "base/x": inside, "x": outside,
	} {
		if got := s.relation(name); got != want {
			t.Errorf("%q: got %d, want %d", name, got, want)
		}
	}
	if got := s.depth(); got != 2 {
		t.Errorf("got depth %d", got)
	}
	for _, all := range [][]string{nil, {"."}, {"./"}, {"a", "."}} {
		if s, err := newScope(all); len(s) > 0 || err != nil || s.relation("a/b") != inside {
			t.Errorf("%q: got %q, %v", all, s, err)
		}
	}
	for _, bad := range []string{"", "/", "/a", "../a", "a/../b", "a//b", "a\xff"} {
		if s, err := newScope([]string{bad}); err == nil {
			t.Errorf("%q: got %q", bad, s)
		}
	}
}
