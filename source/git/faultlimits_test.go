package git_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// What a server sends of files that are not wanted, and of folders, is in no limit on files, whether it filters or not.
func TestLimitsOnFilesAreOnThoseWanted(t *testing.T) {
	for _, server := range []string{"able", "no filters", "version 0, tips"} {
		repo := testbed.GitWith(t, servers[server])
		files := map[string][]byte{"out/big": []byte(strings.Repeat("x", 5000)), ".sourceignore": []byte("out/\nother/\n")}
		for i := range 50 {
			files[fmt.Sprintf("in/a-file-with-a-name-%d", i)] = fmt.Appendf(nil, "%0100d", i)
			files[fmt.Sprintf("other/%d", i)] = fmt.Append(nil, i)
		}
		commit(t, repo, files)
		for name, opts := range map[string]git.Options{
			"paths": {Paths: []string{"in"}}, "ignored": {Ignore: "out/\nother/\n.sourceignore\n"}, "ignore file": {},
		} {
			want := 51
			if name == "ignore file" {
				want++
			}
			opts.Limits = source.Limits{MaxFileBytes: 100, MaxFiles: want}
			if got := filesOf(t, fetch(t, newSource(t, repo.URL(), opts), source.Revision{})); len(got) != want-1 {
				t.Errorf("%s, %s: got %d files, want %d", server, name, len(got), want-1)
			}
			opts.Limits.MaxFileBytes--
			_, err := newSource(t, repo.URL(), opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrTooLarge, "Limits.MaxFileBytes")
			opts.Limits = source.Limits{MaxFiles: want - 1}
			_, err = newSource(t, repo.URL(), opts).Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrTooLarge, "Limits.MaxFiles")
		}
	}
}

// What leaves no trace in a snapshot is in no limit on what it has.
func TestFoldersWithNothingInThemAreInNoLimit(t *testing.T) {
	r := newHandmade()
	x := r.blob("x")
	var entries []string
	for i := range 30 {
		entries = append(entries, entryLine("40000", fmt.Sprintf("empty%02d", i), r.tree(entryLine("100644", "a.tmp", x))))
	}
	slices.Sort(entries)
	entries = append(entries, entryLine("100644", "f", x), entryLine("100644", "g", x), entryLine("160000", "module", x))
	r.commit(r.tree(entries...))
	_, url := r.serve(t, "http")
	for most, want := range map[int]string{33: "", 2: "", 1: "Limits.MaxFiles"} {
		opts := git.Options{Ignore: "*.tmp", Limits: source.Limits{MaxFiles: most}}
		snapshot, err := newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
		if want != "" {
			checkError(t, err, source.ErrTooLarge, want)
			continue
		}
		must(t, err)
		if got := filesOf(t, snapshot); len(got) != 2 {
			t.Errorf("got %q", got)
		}
	}
}
