package git

import "testing"

func TestCacheKey(t *testing.T) {
	key := func(raw, username string) string {
		u, _, err := parseURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		return cacheKey(*u, username)
	}
	for _, tt := range []struct {
		one, other string
		user       string // of the other's options
		same       bool
	}{
		{"https://example.com/a/b.git", "https://u:p@EXAMPLE.com:443/a/b/", "", true},
		{"http://example.com:80/a", "http://example.com/a.git/", "", true},
		{"git://example.com/a", "git://example.com:9418/a", "", true},
		{"ssh://ann@example.com/srv/a", "ssh://bob@example.com:22/srv/a.git", "", true},
		{"git@example.com:a/b.git", "ssh://git@example.com/~/a/b", "", true},
		{"ann@example.com:a", "example.com:a", "ann", true},
		{"https://example.com/a", "http://example.com/a", "", false},
		{"https://example.com/a", "https://example.com:8443/a", "", false},
		{"https://example.com:44/a", "https://example.com:443/a", "", false},
		{"https://example.com/a", "https://example.com/A", "", false},
		{"https://example.com/a", "https://a.example.com/a", "", false},
		{"ann@example.com:a", "bob@example.com:a", "", false},
		{"ann@example.com:a", "example.com:a", "bob", false},
		{"ann@example.com:a", "ann@example.com:/a", "", false},
		{"ssh://ann@example.com/~/a", "ssh://bob@example.com/~/a", "", false},
		{"ssh://ann@example.com/~ann/a", "ssh://ann@example.com/~bob/a", "", false},
	} {
		if got := key(tt.one, "") == key(tt.other, tt.user); got != tt.same {
			t.Errorf("%s and %s: shared: %v", tt.one, tt.other, got)
		}
	}
}
