package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

func TestWithheldIsToldApartFromMissing(t *testing.T) {
	tree := source.NewTree(source.Limits{})
	must(t, tree.AddFile("apps/web/a", false, []byte("1")))
	must(t, tree.AddSymlink("apps/web/link", "../other/b"))
	why := fmt.Errorf("is outside: %w", source.ErrNotFetched)
	for _, name := range []string{"other", "apps/other", "none/x", "apps/none/x", "apps/web/a/x", "../x"} {
		must(t, tree.Withhold(name, why))
	}
	content := tree.FS()
	for name, want := range map[string]error{
		"other": source.ErrNotFetched, "other/b/c": source.ErrNotFetched, "apps/other": source.ErrNotFetched,
		"apps/web/link": source.ErrNotFetched, "missing": fs.ErrNotExist, "apps/missing": fs.ErrNotExist,
		"none": source.ErrNotFetched, "none/x": source.ErrNotFetched, "apps/none/x": source.ErrNotFetched, "apps/web/a": nil,
	} {
		_, err := fs.Stat(content, name)
		if !errors.Is(err, want) || errors.Is(err, fs.ErrNotExist) != (want == fs.ErrNotExist) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	if entries, err := fs.ReadDir(content, "apps"); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v", entries, err)
	}
	if err := tree.Withhold("apps/late", why); err == nil {
		t.Error("something can be withheld after the tree was handed out")
	}
}
