package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// TestTreeTakesFilesInAnyOrder adds the same files in many orders, with names that must not be taken for one another.
func TestTreeTakesFilesInAnyOrder(t *testing.T) {
	names := []string{"a", "b/a", "b/c", "b/c.d/a", "b/d/a", "b/d/b", "bb/a", "c/b/a", "c/b/b", "c/d"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tree := source.NewTree(source.Limits{})
		for _, i := range random.Perm(len(names)) {
			must(t, tree.AddFile(names[i], false, []byte(names[i])))
			must(t, tree.Identify(names[i], "test:"+names[i]))
			if err := tree.AddFile(names[i], false, nil); !errors.As(err, new(*source.NameError)) {
				t.Fatalf("%s twice: got %v", names[i], err)
			}
			if err := tree.AddFile(names[i]+"/below", false, nil); !errors.As(err, new(*source.NameError)) {
				t.Fatalf("below %s: got %v", names[i], err)
			}
			if err := tree.Identify(names[i]+"/below", "test:"); !errors.As(err, new(*source.NameError)) {
				t.Fatalf("the identity below %s: got %v", names[i], err)
			}
		}
		must(t, tree.Identify("b/d", "test:folder"))
		content := tree.FS()
		var got []string
		must(t, fs.WalkDir(content, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				got = append(got, name)
			}
			return err
		}))
		if !slices.Equal(got, names) || tree.Len() != len(names)+6 {
			t.Fatalf("got %q, and %d nodes", got, tree.Len())
		}
		for _, name := range names {
			body, err := fs.ReadFile(content, name)
			identity, unknown := source.Identity(content, name)
			if string(body) != name || identity != "file:test:"+name || err != nil || unknown != nil {
				t.Fatalf("%s: got %q, %q, %v, %v", name, body, identity, err, unknown)
			}
		}
		if identity, err := source.Identity(content, "b/d"); identity != "folder:test:folder" || err != nil {
			t.Fatalf("got %q, %v", identity, err)
		}
		if _, err := fs.Stat(content, "b/dd"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestTreeIsAsItWasAfterAFileTooMany(t *testing.T) {
	tree := source.NewTree(source.Limits{MaxFiles: 3})
	must(t, tree.AddFile("a/b", false, nil))
	var limit *source.LimitError
	if err := tree.AddFile("c/d/e", false, nil); !errors.As(err, &limit) {
		t.Fatalf("got %v", err)
	}
	if err := tree.AddFile("a/c", false, nil); !errors.As(err, &limit) {
		t.Fatalf("got %v", err) // the folder c is there
	}
	entries, err := fs.ReadDir(tree.FS(), "a")
	if err != nil || fmt.Sprint(entries) != "[- b]" {
		t.Errorf("got %v, %v", entries, err)
	}
}
