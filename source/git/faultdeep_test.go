package git_test

import (
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// With the commit in the cache for another path, the folders on the way are asked for one by one, and not without end.
func TestDeepPathOfACommitThatIsHere(t *testing.T) {
	for _, scheme := range []string{"http", "git"} {
		t.Run(scheme, func(t *testing.T) {
			r := newHandmade()
			tree := r.tree(entryLine("100644", "f", r.blob("deep")))
			for range 70 {
				tree = r.tree(entryLine("40000", "d", tree))
			}
			r.commit(r.tree(entryLine("40000", "a", r.tree(entryLine("100644", "f", r.blob("high")))), entryLine("40000", "d", tree)))
			site, url := r.serve(t, scheme)
			opts := git.Options{Cache: git.NewCache(git.CacheOptions{}), Paths: []string{"a"}, KnownHosts: site.knownHosts}
			fetch(t, newSource(t, url, opts), source.Revision{})
			deep := strings.Repeat("d/", 71) + "f"
			opts.Paths = []string{deep}
			snapshot := fetch(t, newSource(t, url, opts), source.Revision{})
			if body, err := snapshot.ReadFile(deep); err != nil || string(body) != "deep" || len(filesOf(t, snapshot)) != 1 {
				t.Errorf("got %q, %v in %q", body, err, filesOf(t, snapshot))
			}
		})
	}
}
