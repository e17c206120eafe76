package source_test

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/source"
)

func treeWith(t *testing.T, limits source.Limits, names ...string) *source.Tree {
	t.Helper()
	tree := source.NewTree(limits)
	for _, name := range names {
		if err := tree.AddFile(name, false, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func TestAddTreePutsAllOfItUnderTheName(t *testing.T) {
	added := treeWith(t, source.Limits{}, "a", "deep/b")
	for name, identity := range map[string]string{".": "x:root", "a": "x:a"} {
		if err := added.Identify(name, identity); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(added.AddSymlink("out", "../../../top"), added.Withhold("gone", source.ErrNotFetched)); err != nil {
		t.Fatal(err)
	}
	whole := treeWith(t, source.Limits{}, "top", "libs/c")
	if err := whole.AddTree("libs/x/y", added); err != nil {
		t.Fatal(err)
	}
	if err := added.AddFile("late", false, nil); err == nil {
		t.Error("a tree that is another's folder grows")
	}
	if got := whole.Len(); got != 9 {
		t.Errorf("there are %d files, links and folders", got)
	}
	content := whole.FS()
	if err := fstest.TestFS(content, "top", "libs/c", "libs/x/y/a", "libs/x/y/deep/b", "libs/x/y/out"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"libs/x/y": "folder:x:root", "libs/x/y/a": "file:x:a"} {
		if got, err := source.Identity(content, name); err != nil || got != want {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	if body, err := fs.ReadFile(content, "libs/x/y/out"); err != nil || string(body) != "top" {
		t.Errorf("a link out of the added tree: got %q, %v", body, err)
	}
	if _, err := fs.Stat(content, "libs/x/y/gone"); !errors.Is(err, source.ErrNotFetched) {
		t.Errorf("got %v", err)
	}
}

func TestAddTreeOfNothingAddsNothing(t *testing.T) {
	whole := treeWith(t, source.Limits{}, "a")
	if err := whole.AddTree("b/c", source.NewTree(source.Limits{})); err != nil {
		t.Fatal(err)
	}
	if entries, err := fs.ReadDir(whole.FS(), "."); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
}

func TestAddTreeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		at     string
		limits source.Limits
		added  []string
		want   error
	}{
		"a file's name":    {"a", source.Limits{}, []string{"x"}, nil},
		"a folder's name":  {"b", source.Limits{}, []string{"x"}, nil},
		"below a file":     {"a/b", source.Limits{}, []string{"x"}, nil},
		"a way out":        {"../b", source.Limits{}, []string{"x"}, nil},
		"too many":         {"m", source.Limits{MaxFiles: 5}, []string{"x", "y"}, source.ErrTooLarge},
		"one too many":     {"m/n", source.Limits{MaxFiles: 6}, []string{"x", "y"}, source.ErrTooLarge},
		"too much":         {"m", source.Limits{MaxBytes: 7}, []string{"x", "yyy"}, source.ErrTooLarge},
		"too deep":         {"m/n", source.Limits{MaxDepth: 3}, []string{"x/y"}, source.ErrTooLarge},
		"a long path":      {"m/n", source.Limits{MaxPathBytes: 8}, []string{"x", "yyyyy"}, source.ErrTooLarge},
		"a file too large": {"m", source.Limits{MaxFileBytes: 3}, []string{"xxxx"}, source.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			whole := treeWith(t, tt.limits, "a", "b/c")
			before := whole.Len()
			err := whole.AddTree(tt.at, treeWith(t, source.Limits{}, tt.added...))
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v", err)
			}
			if tt.want == nil && !errors.As(err, new(*source.NameError)) {
				t.Errorf("got %v", err)
			}
			entries, err := fs.ReadDir(whole.FS(), ".")
			names := slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "m" })
			if err != nil || len(names) != 2 || before != 3 {
				t.Errorf("got %v, %v", entries, err)
			}
		})
	}
}

func TestLimitsBelowAreWhatAddTreeTakes(t *testing.T) {
	limits := source.Limits{MaxFiles: 10, MaxBytes: 20, MaxFileBytes: 19, MaxPathBytes: 30, MaxDepth: 5, MaxIgnoreBytes: 7}
	whole := treeWith(t, limits, "aa", "b/cc") // 3 and 6 bytes
	left, err := whole.LimitsBelow("x/yy")
	want := source.Limits{MaxFiles: 5, MaxBytes: 14, MaxFileBytes: 19, MaxPathBytes: 25, MaxDepth: 3, MaxIgnoreBytes: 7}
	if err != nil || left != want {
		t.Errorf("got %+v, %v", left, err)
	}
	if err := whole.AddTree("x/yy", treeWith(t, left, "1", "2", "3", "4", "5")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"z", "a/b/c/d/e", "0123456789012345678901234567890"} {
		if left, err := whole.LimitsBelow(name); !errors.Is(err, source.ErrTooLarge) {
			t.Errorf("%s: got %+v, %v", name, left, err)
		}
	}
}
