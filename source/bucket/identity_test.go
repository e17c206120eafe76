package bucket_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

func identityOf(t *testing.T, content fs.FS, name string) string {
	t.Helper()
	identity, err := source.Identity(content, name)
	if err != nil || identity == "" {
		t.Errorf("%s: got %q, %v", name, identity, err)
	}
	return identity
}

func TestIdentitiesAreOfTheListing(t *testing.T) {
	b, other := testbed.S3(t), testbed.S3(t)
	files := map[string][]byte{
		"a": []byte("1"), "twin": []byte("1"), "apps/b": []byte("1"), "apps/deep/c": []byte("1"), "other/d": []byte("1"),
		"p x/n": []byte("1"), "p%20x/n": []byte("1"),
	}
	must(t, put(t.Context(), b, files))
	must(t, put(t.Context(), other, files))
	s := newSource(t, options(b))
	first := fetch(t, s, source.Revision{})
	must(t, put(t.Context(), b, map[string][]byte{"apps/deep/c": []byte("2"), "a": []byte("1")}))
	second := fetch(t, s, first.Revision)
	fresh := fetch(t, newSource(t, options(b)), source.Revision{})
	for name, changed := range map[string]bool{
		".": true, "apps": true, "apps/deep": true, "apps/deep/c": true, "a": false, "apps/b": false, "other": false, "other/d": false,
	} {
		was, is := identityOf(t, first, name), identityOf(t, second, name)
		if (was != is) != changed {
			t.Errorf("%s: %s became %s", name, was, is)
		}
		if same := identityOf(t, fresh, name); same != is {
			t.Errorf("%s: one Source says %s, and another %s", name, is, same)
		}
	}
	if got := identityOf(t, second, "a"); !strings.HasPrefix(got, "file:etag:") || strings.Contains(got, b.SecretKey) {
		t.Errorf("got %s", got)
	}
	// An ETag is of one key of one bucket, however it is reached.
	elsewhere := fetch(t, newSource(t, options(other)), source.Revision{})
	if one, two := identityOf(t, second, "a"), identityOf(t, second, "twin"); one == two {
		t.Errorf("two keys have the identity %s", one)
	}
	if one, two := identityOf(t, second, "a"), identityOf(t, elsewhere, "a"); one == two {
		t.Errorf("two buckets have the identity %s", one)
	}
	prefixed := func(prefix, name string) string {
		opts := options(b)
		opts.Prefix = prefix
		return identityOf(t, fetch(t, newSource(t, opts), source.Revision{}), name)
	}
	if one, two := identityOf(t, second, "apps/deep/c"), prefixed("apps", "deep/c"); one != two {
		t.Errorf("one key has the identities %s and %s", one, two)
	}
	if one, two := prefixed("p x", "n"), identityOf(t, second, "p%20x/n"); one == two {
		t.Errorf("two keys have the identity %s", one)
	}
}
