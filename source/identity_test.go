package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// planted are the parts of a tree: a target for a link, "!" and content for an executable, else content.
type planted map[string]string

func (p planted) tree(t *testing.T) *source.Tree {
	t.Helper()
	tree := source.NewTree(source.Limits{})
	for name, what := range p {
		if target, ok := strings.CutPrefix(what, "-> "); ok {
			must(t, tree.AddSymlink(name, target))
			continue
		}
		body, executable := strings.CutPrefix(what, "!")
		must(t, tree.AddFile(name, executable, []byte(body)))
	}
	return tree
}

func (p planted) with(name, what string) planted {
	changed := maps.Clone(p)
	changed[name] = what
	if what == "" {
		delete(changed, name)
	}
	return changed
}

func identityOf(t *testing.T, fsys fs.FS, name string) string {
	t.Helper()
	identity, err := source.Identity(fsys, name)
	if err != nil {
		t.Error(err)
	}
	return identity
}

var orchard = planted{
	"a": "1", "apps/b": "1", "apps/deep/c": "3", "apps/deep/run": "!4", "apps/deep/in": "-> c", "apps/deep/out": "-> ../b",
	"other/d": "5",
}

func TestIdentityOfFileIsItsContent(t *testing.T) {
	snapshot := orchard.tree(t).Snapshot(source.Revision{})
	for name, body := range map[string]string{
		"a": "1", "apps/b": "1", "apps/deep/c": "3", "apps/deep/run": "4", "apps/deep/in": "3", "apps/deep/out": "1",
	} {
		if got, want := identityOf(t, snapshot, name), "file:"+digest.FromString(body).String(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestIdentityOfFolderIsOfAllInIt(t *testing.T) {
	folders := []string{".", "apps", "apps/deep", "other"}
	first := orchard.tree(t).FS()
	for name, tt := range map[string]struct {
		to   planted
		want []string // the folders that change
	}{
		"nothing":            {orchard, nil},
		"top file":           {orchard.with("a", "2"), []string{"."}},
		"deep file":          {orchard.with("apps/deep/c", "4"), folders[:3]},
		"executable bit":     {orchard.with("apps/deep/c", "!3"), folders[:3]},
		"link":               {orchard.with("apps/deep/in", "-> run"), folders[:3]},
		"link to itself":     {orchard.with("apps/deep/in", "-> ./c"), folders[:3]},
		"link becomes file":  {orchard.with("apps/deep/in", "c"), folders[:3]},
		"more":               {orchard.with("apps/deep/new", "1"), folders[:3]},
		"less":               {orchard.with("apps/deep/c", ""), folders[:3]},
		"renamed":            {orchard.with("apps/b", "").with("apps/b2", "1"), folders[:2]},
		"where a link leads": {orchard.with("apps/b", "2"), folders[:2]}, // apps/deep has a link to it, and only that
		"line in a name":     {orchard.with("other/d\" \"x", "5"), []string{".", "other"}},
	} {
		t.Run(name, func(t *testing.T) {
			second := tt.to.tree(t).FS()
			for _, folder := range folders {
				was, is := identityOf(t, first, folder), identityOf(t, second, folder)
				if !strings.HasPrefix(is, "folder:sha256:") || (was != is) != slices.Contains(tt.want, folder) {
					t.Errorf("%s: %s became %s", folder, was, is)
				}
			}
		})
	}
}

func TestIdentityErrors(t *testing.T) {
	snapshot := newTree(t).Snapshot(source.Revision{})
	for name, want := range map[string]error{
		"none": fs.ErrNotExist, "a.txt/x": fs.ErrNotExist, "dangling": fs.ErrNotExist,
		"../a.txt": fs.ErrInvalid, "/a.txt": fs.ErrInvalid,
		"absolute": nil, "x/escape": nil, "loop": nil,
	} {
		got, err := snapshot.Identity(name)
		placed := new(fs.PathError)
		if !errors.As(err, &placed) || placed.Path != name || got != "" || want != nil && !errors.Is(err, want) ||
			want == nil && !errors.As(err, new(*source.LinkError)) {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, want)
		}
	}
	must(t, snapshot.Close())
	if got, err := snapshot.Identity("a.txt"); got != "" || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: got %q, %v", got, err)
	}
}

func TestIdentityReadsNothing(t *testing.T) {
	tree := source.NewTree(source.Limits{})
	unread := func() ([]byte, error) { t.Error("a file was opened"); return []byte("1"), nil }
	must(t, tree.AddLazyFile("known/a", false, 1, unread))
	must(t, tree.Identify("known/a", "sha1:aa"))
	must(t, tree.AddLazyFile("unknown/deep/b", false, 1, unread))
	must(t, tree.Identify("unknown/deep/b", ""))
	must(t, tree.AddFile("unknown/c", false, []byte("1")))
	must(t, tree.AddLazyFile("told/deep/d", false, 1, unread))
	must(t, tree.Identify("told", "git-sha1:bb"))
	snapshot := tree.Snapshot(source.Revision{})
	for name, prefix := range map[string]string{
		"known/a": "file:sha1:aa", "known": "folder:sha256:", "unknown/c": "file:sha256:", "told": "folder:git-sha1:bb",
		"unknown/deep/b": "", "unknown/deep": "", "unknown": "", ".": "", "told/deep": "",
	} {
		if got := identityOf(t, snapshot, name); !strings.HasPrefix(got, prefix) || (got == "") != (prefix == "") {
			t.Errorf("%s: got %q, want %q", name, got, prefix)
		}
	}
}

func TestIdentifyRefuses(t *testing.T) {
	tree := newTree(t)
	must(t, tree.Identify("a.txt", "x:1"))
	must(t, tree.Identify("x/y", "x:2"))
	must(t, tree.Identify(".", "x:3"))
	for name, text := range map[string]string{
		"none": `"none" is not there`, "x/none/z": "is not there", "a.txt/z": "is not there", "": "is not there",
		"../x": "is not there",
		"link": "is a symbolic link", "x/dir/deep": "is not there",
		"a.txt": "there twice", "x/y": "there twice", ".": "there twice",
	} {
		err := tree.Identify(name, "x:4")
		if named := new(source.NameError); !errors.As(err, &named) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: got %v, want %s", name, err, text)
		}
	}
	content := tree.FS()
	if err := tree.Identify("x", "x:5"); err == nil {
		t.Error("an identity can be told after the tree was handed out")
	}
	for name, want := range map[string]string{"a.txt": "file:x:1", "x/y": "folder:x:2", ".": "folder:x:3"} {
		if got := identityOf(t, content, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestIdentityForManyAtOnce(t *testing.T) {
	files := planted{}
	for i := range 200 {
		files[fmt.Sprintf("%d/%d/f", i%7, i)] = fmt.Sprint(i)
	}
	want := identityOf(t, files.tree(t).FS(), ".")
	content := files.tree(t).FS()
	got := make([]string, 8)
	var group sync.WaitGroup
	for i := range got {
		group.Go(func() {
			identityOf(t, content, fmt.Sprint(i%7))
			got[i] = identityOf(t, content, ".")
		})
	}
	group.Wait()
	for _, one := range got {
		if one != want {
			t.Errorf("got %s, want %s", one, want)
		}
	}
}

// hidden has nothing but Open.
type hidden struct{ fs.FS }

func TestIdentityWhereNoneIsTold(t *testing.T) {
	plain := hidden{fstest.MapFS{"a": {Data: []byte("1")}}}
	for name, fsys := range map[string]fs.FS{"plain": plain, "snapshot": source.NewSnapshot(plain, source.Revision{})} {
		if got, err := source.Identity(fsys, "a"); got != "" || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if got, err := source.Identity(fsys, "b"); got != "" || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestDirIdentities(t *testing.T) {
	path := newFolder(t, map[string][]byte{"a": []byte("1"), "x/b": []byte("2"), "y/c": []byte("3")})
	first := fetchDir(t, path, source.DirOptions{})
	if got, want := identityOf(t, first, "a"), "file:"+digest.FromString("1").String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	must(t, os.Chmod(filepath.Join(path, "x/b"), 0o755))
	second := fetchDir(t, path, source.DirOptions{})
	for name, changed := range map[string]bool{".": true, "x": true, "x/b": false, "y": false, "y/c": false} {
		if was, is := identityOf(t, first, name), identityOf(t, second, name); is == "" || (was != is) != changed {
			t.Errorf("%s: %s became %s", name, was, is)
		}
	}
}

// Names and targets are an origin's choice, and one with lines in it could look like several.
func TestIdentityOfFolderIsOfOneListing(t *testing.T) {
	second := fmt.Sprintf("\n%o b y", uint32(fs.ModeSymlink|0o777))
	two := planted{"f/a": "-> x", "f/b": "-> y"}.tree(t).FS()
	one := planted{"f/a": "-> x" + second}.tree(t).FS()
	if got := identityOf(t, one, "f"); got == identityOf(t, two, "f") {
		t.Errorf("one link and two links have the identity %s", got)
	}
}
