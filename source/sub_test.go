package source_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/source"
)

// subs are ways to a folder of newTree.
func subs(t *testing.T, dir string) (map[string]fs.FS, *source.Snapshot) {
	t.Helper()
	tree := newTree(t)
	snapshot := tree.Snapshot(source.Revision{})
	all := make(map[string]fs.FS)
	for name, whole := range map[string]fs.FS{"tree": tree.FS(), "snapshot": snapshot, "its FS": snapshot.FS} {
		folder, err := fs.Sub(whole, dir)
		must(t, err)
		all[name] = folder
	}
	parent, err := fs.Sub(snapshot, "x")
	must(t, err)
	all["twice"], err = fs.Sub(parent, strings.TrimPrefix(dir, "x/"))
	must(t, err)
	return all, snapshot
}

func TestSubIsTheFolderOfTheWhole(t *testing.T) {
	all, snapshot := subs(t, "x/y")
	for name, folder := range all {
		if got, want := identityOf(t, folder, "z/deep"), identityOf(t, snapshot, "x/y/z/deep"); got != want || got == "" {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got, want := identityOf(t, folder, "."), identityOf(t, snapshot, "x/y"); got != want || got == "" {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if err := fstest.TestFS(folder, "z/deep", "far"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if target, err := fs.ReadLink(folder, "far"); err != nil || target != "./.././y//z/deep" {
			t.Errorf("%s: got %q, %v", name, target, err)
		}
		if info, err := fs.Lstat(folder, "far"); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
}

// opaque leaves fs.Sub to make its own.
type opaque struct {
	fs.ReadDirFS
	fs.ReadLinkFS
}

func (o opaque) Open(name string) (fs.File, error) { return o.ReadDirFS.Open(name) }

// Links in a Sub may lead out of the folder, and not out of the root, just as with fs.Sub's own.
func TestSubFollowsLinksAsTheStandardLibraryDoes(t *testing.T) {
	snapshot := newTree(t).Snapshot(source.Revision{})
	standard, err := fs.Sub(opaque{snapshot, snapshot}, "x")
	must(t, err)
	own, err := fs.Sub(snapshot, "x")
	must(t, err)
	for _, name := range []string{
		"up", "dir/deep", "root/a.txt", "root/x/root/link", "escape", "l1", "none", "root/out", "root/absolute", "../a.txt", "",
	} {
		want, wantErr := fs.ReadFile(standard, name)
		got, err := fs.ReadFile(own, name)
		if string(got) != string(want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: got %q, %v, want %q, %v", name, got, err, want, wantErr)
		}
		for _, kind := range []error{fs.ErrNotExist, fs.ErrInvalid} {
			if errors.Is(err, kind) != errors.Is(wantErr, kind) {
				t.Errorf("%q: got %v, want %v", name, err, wantErr)
			}
		}
		identity, failed := source.Identity(own, name)
		if (identity == "") != (failed != nil) || (failed == nil) != (err == nil) {
			t.Errorf("%q: got %q, %v, and reading %v", name, identity, failed, err)
		}
	}
	if _, err := fs.ReadFile(own, "escape"); !errors.As(err, new(*source.LinkError)) {
		t.Errorf("got %v", err)
	}
}

func TestSubErrorsNameWhatWasAskedFor(t *testing.T) {
	all, snapshot := subs(t, "x/y")
	must(t, snapshot.Close())
	for name, folder := range all {
		for asked, want := range map[string]error{
			"none": fs.ErrNotExist, "z/none": fs.ErrNotExist, ".": nil, "../a": fs.ErrInvalid,
		} {
			if name != "tree" && want != fs.ErrInvalid {
				want = fs.ErrClosed
			}
			_, err := source.Identity(folder, asked)
			placed := new(fs.PathError)
			if !errors.Is(err, want) || want != nil && (!errors.As(err, &placed) || placed.Path != asked) {
				t.Errorf("%s %s: got %v, want %v", name, asked, err, want)
			}
		}
	}
	for _, whole := range []fs.FS{snapshot, all["tree"], all["snapshot"]} {
		if _, err := fs.Sub(whole, "../x"); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("got %v", err)
		}
		if same, err := fs.Sub(whole, "."); err != nil || same == nil {
			t.Errorf("got %v, %v", same, err)
		}
	}
}
