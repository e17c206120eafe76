package git_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// fetchHandmade fetches the repository over HTTP.
func fetchHandmade(t *testing.T, r *handmade, opts git.Options) (*source.Snapshot, error) {
	t.Helper()
	_, url := r.serve(t, "http")
	return newSource(t, url, opts).Fetch(t.Context(), source.Revision{})
}

// ways are those in which a tree is walked: all of it, a path of it that has what is bad, and with something ignored.
var ways = map[string]git.Options{"whole": {}, "path": {Paths: []string{"in"}}, "ignoring": {Ignore: "/other\n"}}

func TestBadTreesAreRefused(t *testing.T) {
	type maker func(r *handmade) string // returns a tree's body
	file := func(name string) maker {
		return func(r *handmade) string { return entryLine("100644", name, r.blob("x")) }
	}
	folder := func(r *handmade, name string) string {
		return entryLine("40000", name, r.tree(entryLine("100644", name+"1", r.blob("x"))))
	}
	for name, tt := range map[string]struct {
		make maker
		text string
	}{
		"up":          {file(".."), "may have"},
		"here":        {file("."), "may have"},
		"empty":       {file(""), "may have"},
		"slash":       {file("a/b"), "may have"},
		"absolute":    {file("/etc/passwd"), "may have"},
		".git":        {file(".git"), "may have"},
		".GIT":        {file(".GIT"), "may have"},
		".git space":  {file(".git "), "may have"},
		".git dot":    {file(".git."), "may have"},
		"git~1":       {file("git~1"), "may have"},
		"HFS+":        {file(".g\u200cit"), "may have"},
		"stream":      {file(".git::$INDEX_ALLOCATION"), "may have"},
		"not UTF-8":   {file("a\xff"), "not a valid path"},
		"long name":   {file(strings.Repeat("n", 5000)), "Limits.MaxPathBytes"},
		".git folder": {func(r *handmade) string { return folder(r, ".git") }, "may have"},
		".git submodule": {func(*handmade) string {
			return entryLine("160000", ".git", object.Hash{1})
		}, "may have"},
		".gitmodules link": {func(r *handmade) string { return entryLine("120000", ".gitmodules", r.blob("x")) }, "symbolic link"},
		"unknown mode":     {func(r *handmade) string { return entryLine("140000", "a", r.blob("x")) }, "mode"},
		"mode of letters":  {func(r *handmade) string { return entryLine("100abc", "a", r.blob("x")) }, "mode"},
		"empty mode":       {func(r *handmade) string { return entryLine("", "a", r.blob("x")) }, "mode"},
		"huge mode":        {func(r *handmade) string { return entryLine(strings.Repeat("1", 9999), "a", r.blob("x")) }, "mode"},
		"no NUL":           {func(*handmade) string { return "100644 a" }, "malformed tree"},
		"half a hash":      {func(*handmade) string { return "100644 a\x00short" }, "malformed tree"},
		"a file twice": {func(r *handmade) string {
			return entryLine("100644", "a", r.blob("1")) + entryLine("100644", "a", r.blob("2"))
		}, "twice"},
		"a file and a folder": {func(r *handmade) string {
			return entryLine("100644", "a", r.blob("1")) + entryLine("100644", "a.b", r.blob("1")) + folder(r, "a")
		}, "twice"},
		"a folder twice": {func(r *handmade) string {
			return folder(r, "a") + entryLine("40000", "a", r.tree(entryLine("100644", "z", r.blob("x"))))
		}, "twice"},
		"an empty folder twice": {func(r *handmade) string {
			return entryLine("40000", "a", r.tree()) + entryLine("40000", "a", r.tree())
		}, "twice"},
		"a file and a link": {func(r *handmade) string {
			return entryLine("100644", "a", r.blob("1")) + entryLine("120000", "a", r.blob("/etc"))
		}, "twice"},
		"a submodule and a file": {func(r *handmade) string {
			return entryLine("100644", "a", r.blob("1")) + entryLine("160000", "a", object.Hash{1})
		}, "twice"},
		"a submodule and a folder": {func(r *handmade) string {
			return entryLine("160000", "a", object.Hash{1}) + folder(r, "a")
		}, "twice"},
		"twice, unsorted": {func(r *handmade) string {
			return entryLine("100644", "b", r.blob("1")) + folder(r, "a") + entryLine("100644", "b", r.blob("1"))
		}, "twice"},
		"a blob as a folder": {func(r *handmade) string { return entryLine("40000", "a", r.blob("x")) }, "blob instead of a tree"},
		"a folder as a blob": {func(r *handmade) string { return entryLine("100644", "a", r.tree()) }, "tree instead of a blob"},
		"nothing there":      {func(*handmade) string { return entryLine("100644", "a", object.Hash{9}) }, "left out"},
		"no folder there":    {func(*handmade) string { return entryLine("40000", "a", object.Hash{9}) }, "left out"},
		"ignore file as a link": {func(r *handmade) string {
			return entryLine("100644", source.IgnoreFile, r.tree())
		}, "tree instead of a blob"},
	} {
		for way, opts := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				r := newHandmade()
				bad := r.add(object.Tree, tt.make(r))
				r.commit(r.tree(entryLine("40000", "in", bad), entryLine("40000", "other", r.tree(entryLine("100644", "o", r.blob("o"))))))
				snapshot, err := fetchHandmade(t, r, opts)
				if snapshot != nil {
					t.Error("there is a snapshot")
				}
				checkError(t, err, nil, tt.text)
				if len(err.Error()) > 2000 {
					t.Errorf("the error has %d bytes", len(err.Error()))
				}
			})
		}
	}
}

// Trees that git's own tools never wrote, and that mean only one thing, are read.
func TestOddTreesAreRead(t *testing.T) {
	r := newHandmade()
	r.commit(r.tree(
		entryLine("100664", "z", r.blob("old tools wrote this mode")), entryLine("040000", "folder", r.tree(entryLine("100755", "x", r.blob("x")))),
		entryLine("120000", "outside", r.blob("../../etc/passwd")), entryLine("120000", "absolute", r.blob("/etc/passwd")),
		entryLine("120000", "zero", r.blob("a\x00b")), entryLine("120000", "nowhere", r.blob("")), entryLine("120000", "loop", r.blob("loop")),
		entryLine("40000", "nothing", r.tree()), entryLine("100644", "a:b\\c\n\x1b", r.blob("odd"))))
	snapshot, err := fetchHandmade(t, r, git.Options{})
	must(t, err)
	if got := listing(t, snapshot); len(got) != 8 {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"outside", "absolute", "loop"} {
		if body, err := snapshot.ReadFile(name); !errors.As(err, new(*source.LinkError)) {
			t.Errorf("%s: got %q, %v", name, body, err)
		}
	}
	for _, name := range []string{"zero", "nowhere"} {
		if body, err := snapshot.ReadFile(name); err == nil {
			t.Errorf("%s: got %q", name, body)
		}
	}
	if _, err := snapshot.Stat("nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestBombsOfTreesAreLimited(t *testing.T) {
	for name, leaf := range map[string]func(r *handmade) object.Hash{
		"files":   func(r *handmade) object.Hash { return r.tree(entryLine("100644", "f", r.blob("x"))) },
		"nothing": func(r *handmade) object.Hash { return r.tree() },
		"submodules": func(r *handmade) object.Hash {
			return r.tree(entryLine("160000", "s", object.Hash{1}))
		},
		"links": func(r *handmade) object.Hash { return r.tree(entryLine("120000", "l", r.blob("x"))) },
	} {
		for way, opts := range map[string]git.Options{"whole": {}, "path": {Paths: []string{"0/0"}}, "ignoring": {Ignore: "0\n"},
			"no filters": {Paths: []string{"0"}, Ignore: "1\n"}} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				r := newHandmade()
				r.filters = way != "no filters"
				tree := leaf(r)
				for range 10 {
					var entries []string
					for i := range 10 {
						entries = append(entries, entryLine("40000", fmt.Sprint(i), tree))
					}
					tree = r.tree(entries...)
				}
				r.commit(tree)
				_, err := fetchHandmade(t, r, opts)
				checkError(t, err, source.ErrTooLarge, "Limits.MaxFiles")
			})
		}
	}
}

// What is outside of the paths has to be remembered, too.
func TestNamesOutsideAreLimited(t *testing.T) {
	r := newHandmade()
	var entries []string
	for i := range 101 {
		entries = append(entries, entryLine("100644", fmt.Sprintf("f%03d", i), r.blob("x")))
	}
	r.commit(r.tree(append(entries, entryLine("40000", "in", r.tree(entryLine("100644", "a", r.blob("x")))))...))
	_, err := fetchHandmade(t, r, git.Options{Paths: []string{"in"}, Limits: source.Limits{MaxFiles: 101}})
	must(t, err)
	_, err = fetchHandmade(t, r, git.Options{Paths: []string{"in"}, Limits: source.Limits{MaxFiles: 100}})
	checkError(t, err, source.ErrTooLarge, "Limits.MaxFiles")
}

func TestLimitsOfAHandmadeTree(t *testing.T) {
	r := newHandmade()
	tree := r.tree(entryLine("100644", "f", r.blob(strings.Repeat("x", 1000))))
	for range 4 {
		tree = r.tree(entryLine("40000", "d", tree))
	}
	r.commit(tree) // 5 elements, 5 nodes
	_, url := r.serve(t, "http")
	for _, tt := range []struct {
		limits source.Limits
		option string // that is crossed
	}{
		{source.Limits{MaxFiles: 5, MaxDepth: 5, MaxFileBytes: 1000, MaxPathBytes: 9, MaxBytes: 2000}, ""},
		{source.Limits{MaxFiles: 4}, "Limits.MaxFiles"},
		{source.Limits{MaxDepth: 4}, "Limits.MaxDepth"},
		{source.Limits{MaxFileBytes: 999}, "Limits.MaxFileBytes"},
		{source.Limits{MaxPathBytes: 8}, "Limits.MaxPathBytes"},
		{source.Limits{MaxBytes: 1000}, "Limits.MaxBytes"},
	} {
		for _, paths := range [][]string{nil, {"d/d"}} {
			_, err := newSource(t, url, git.Options{Limits: tt.limits, Paths: paths}).Fetch(t.Context(), source.Revision{})
			if tt.option == "" {
				must(t, err)
				continue
			}
			checkError(t, err, source.ErrTooLarge, tt.option)
			crossed := new(source.LimitError)
			if errors.As(err, &crossed); tt.option == "Limits.MaxBytes" && crossed.Max != 1000 {
				t.Errorf("%v: the limit is %d", paths, crossed.Max)
			}
		}
	}
}

func TestBadCommitsAndTagsAreRefused(t *testing.T) {
	good := func(r *handmade) object.Hash { return r.tree(entryLine("100644", "a", r.blob("x"))) }
	for name, tt := range map[string]struct {
		make func(r *handmade) object.Hash
		text string
	}{
		"empty":        {func(r *handmade) object.Hash { return r.add(object.Commit, "") }, "does not start with its tree"},
		"no tree":      {func(r *handmade) object.Hash { return r.add(object.Commit, "author x\n\nx") }, "does not start with its tree"},
		"short tree":   {func(r *handmade) object.Hash { return r.add(object.Commit, "tree abc\n\nx") }, "its tree"},
		"no such tree": {func(r *handmade) object.Hash { return r.add(object.Commit, "tree "+strings.Repeat("1", 40)+"\n") }, "left out"},
		"tree of blob": {func(r *handmade) object.Hash {
			return r.add(object.Commit, fmt.Sprintf("tree %s\n", r.blob("x")))
		}, "blob instead of a tree"},
		"a tree": {good, "tree instead of a commit"},
		"a blob": {func(r *handmade) object.Hash { return r.blob("x") }, "blob instead of a commit"},
		"itself as its tree's": {func(r *handmade) object.Hash {
			return r.add(object.Commit, fmt.Sprintf("tree %s\n", r.add(object.Commit, fmt.Sprintf("tree %s\n", good(r)))))
		}, "commit instead of a tree"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range []git.Options{{}, {Paths: []string{"a"}}} {
				r := newHandmade()
				r.main(tt.make(r))
				_, err := fetchHandmade(t, r, opts)
				checkError(t, err, nil, tt.text)
			}
		})
	}
	r := newHandmade()
	tip, kind := r.commit(good(r)), object.Commit
	commit := tip
	for i := range 200 {
		tip, kind = r.tag(fmt.Sprintf("t%d", i), kind, tip), object.Tag
	}
	r.refs = append(r.refs, tip.String()+" refs/tags/t199", commit.String()+" refs/tags/t199^{}")
	snapshot, err := fetchHandmade(t, r, git.Options{Tag: "t199"})
	must(t, err)
	if got := snapshot.Revision.Digest.Encoded(); got != commit.String() {
		t.Errorf("got %s", got)
	}
}
