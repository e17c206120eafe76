package git_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// What the tree's own files leave out came with the commit, and is what the next pack may build on.
func TestIgnoredFilesAreKeptForTheNextPack(t *testing.T) {
	repo := testbed.Git(t)
	files := map[string][]byte{".sourceignore": []byte("docs/\n"), "a": []byte("1")}
	for i := range 300 {
		files[fmt.Sprintf("docs/%d", i)] = []byte(strings.Repeat(fmt.Sprintf("%d ", i), 200))
	}
	commit(t, repo, files)
	m := &meter{next: http.DefaultTransport}
	// The ignored files are more than the limit, which is for what is left.
	s := newSource(t, repo.URL(), git.Options{Transport: m, Limits: source.Limits{MaxFiles: 400}})
	first := fetch(t, s, source.Revision{})
	if got := listing(t, first); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	all := m.bytes.Swap(0)
	hash := commit(t, repo, map[string][]byte{"a": []byte("2"), "docs/7": []byte(strings.Repeat("7 ", 199))})
	repo.TakeRequests()
	second := fetch(t, s, first.Revision)
	if got := m.bytes.Swap(0); got > all/10 {
		t.Errorf("%d bytes were received for one new file, and %d for all", got, all)
	}
	if requests := repo.TakeRequests(); len(requests) != 2 {
		t.Errorf("got requests %q", requests)
	}
	want := slices.DeleteFunc(lsTree(t, repo, hash), func(line string) bool { return strings.Contains(line, "\tdocs/") })
	if got := listing(t, second); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Of two folders' rules the deeper one's count more, and the options' most of all.
func TestIgnoreRulesOfTheTreeAndOfTheOptions(t *testing.T) {
	repo := testbed.Git(t)
	commit(t, repo, map[string][]byte{
		".sourceignore": []byte("*.txt\n"), "a.txt": []byte("1"), "b/.sourceignore": []byte("!keep.txt\n"),
		"b/keep.txt": []byte("1"), "b/other.txt": []byte("1"), "c.yaml": []byte("1"),
	})
	for name, tt := range map[string]struct {
		opts git.Options
		want []string
	}{
		"files":   {git.Options{}, []string{".sourceignore", "b/.sourceignore", "b/keep.txt", "c.yaml"}},
		"none":    {git.Options{NoIgnoreFiles: true}, []string{".sourceignore", "a.txt", "b/.sourceignore", "b/keep.txt", "b/other.txt", "c.yaml"}},
		"options": {git.Options{Ignore: "keep.txt\n!other.txt\n.sourceignore"}, []string{"b/other.txt", "c.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, line := range listing(t, fetch(t, newSource(t, repo.URL(), tt.opts), source.Revision{})) {
				got = append(got, line[strings.IndexByte(line, '\t')+1:])
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
