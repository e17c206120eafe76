package source_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
)

// dirFiles returns the paths of all files and links in what a folder's snapshot is.
func dirFiles(t *testing.T, path string, opts source.DirOptions) []string {
	t.Helper()
	var all []string
	must(t, fs.WalkDir(fetchDir(t, path, opts), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

var dirIgnoreTree = map[string][]byte{
	".sourceignore":     []byte("*.md\n/out/\nx\n"),
	"README.md":         []byte("readme"),
	"out/.sourceignore": []byte("!*"),
	"out/big":           make([]byte, 1000),
	"web/.sourceignore": []byte("!a.md\n/.sourceignore\nlink\n"),
	"web/a.md":          []byte("a"),
	"web/b.md":          []byte("b"),
	"web/deep/c.md":     []byte("c"),
	"web/deep/app.yaml": []byte("app"),
	"x/y":               []byte("y"),
}

func TestDirIgnores(t *testing.T) {
	path := newFolder(t, dirIgnoreTree)
	must(t, os.Symlink("../web", filepath.Join(path, "web", "link")))
	for _, tt := range []struct {
		opts source.DirOptions
		want string
	}{
		{source.DirOptions{}, ".sourceignore web/a.md web/deep/app.yaml"},
		{source.DirOptions{Ignore: "!*.md\nweb/a.md\n!out"},
			".sourceignore README.md out/.sourceignore out/big web/b.md web/deep/app.yaml web/deep/c.md"},
		{source.DirOptions{Ignore: "*.md\n.sourceignore", NoIgnoreFiles: true}, "out/big web/deep/app.yaml web/link x/y"},
		{source.DirOptions{NoIgnoreFiles: true}, strings.Join(slices.Sorted(maps.Keys(dirIgnoreTree)), " ") + " web/link"},
	} {
		want := strings.Fields(tt.want)
		slices.Sort(want)
		got := dirFiles(t, path, tt.opts)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: got %q, want %q", tt.opts, got, want)
		}
	}
}

func TestDirRevisionIsOfWhatIsNotIgnored(t *testing.T) {
	path := newFolder(t, dirIgnoreTree)
	before := fetchDir(t, path, source.DirOptions{}).Revision
	must(t, write(path, map[string][]byte{
		"README.md": []byte("changed"), "out/more": []byte("more"), "web/.sourceignore": []byte("!a.md\n.sourceignore\n"),
	}))
	if after := fetchDir(t, path, source.DirOptions{}).Revision; after != before {
		t.Errorf("got %v, then %v", before, after)
	}
	must(t, write(path, map[string][]byte{"web/.sourceignore": []byte(".sourceignore\n")}))
	changed := fetchDir(t, path, source.DirOptions{}).Revision
	if changed == before {
		t.Error("what an ignore file lets go of changes no revision")
	}
	if optional := fetchDir(t, path, source.DirOptions{Ignore: "!README.md"}).Revision; optional == changed {
		t.Error("what an option lets in changes no revision")
	}
}

// What is ignored is not even read: neither a folder that nobody may read nor a pipe is in the way, and no limit counts it.
func TestDirDoesNotReadWhatIsIgnored(t *testing.T) {
	path := newFolder(t, dirIgnoreTree)
	makePipe(t, filepath.Join(path, "out", "pipe"))
	makePipe(t, filepath.Join(path, "pipe.md"))
	locked := filepath.Join(path, "out", "locked")
	must(t, os.Mkdir(locked, 0))
	t.Cleanup(func() { must(t, os.Chmod(locked, 0o755)) })
	limits := source.Limits{MaxFiles: 5, MaxBytes: 21, MaxFileBytes: 17, MaxDepth: 3, MaxPathBytes: 17, MaxIgnoreBytes: 17 + 26}
	if got := dirFiles(t, path, source.DirOptions{Limits: limits}); len(got) != 3 {
		t.Errorf("got %q", got)
	}
}

func TestDirIgnoreFileIsARegularFile(t *testing.T) {
	path := newFolder(t, map[string][]byte{"a": []byte("a"), "rules": []byte("a\n"), "sub/.sourceignore/a": []byte("*")})
	must(t, os.Symlink("rules", filepath.Join(path, source.IgnoreFile)))
	want := []string{".sourceignore", "a", "rules", "sub/.sourceignore/a"}
	if got := dirFiles(t, path, source.DirOptions{}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDirIgnoreErrors(t *testing.T) {
	path := newFolder(t, map[string][]byte{
		"a": []byte("a"), "sub/.sourceignore": make([]byte, 100), "deep/.sourceignore": []byte("x"), "deep/x/y": []byte("y"),
	})
	limits := source.Limits{MaxIgnoreBytes: 99}
	for _, tt := range []struct {
		opts source.DirOptions
		want error
		text string
	}{
		{source.DirOptions{Limits: limits}, source.ErrTooLarge,
			`"sub/.sourceignore": too large: over 99, the limit that Limits.MaxIgnoreBytes sets`},
		{source.DirOptions{Limits: limits, Ignore: strings.Repeat("a", 100)}, source.ErrTooLarge, "ignore rules of the options: too large"},
		{source.DirOptions{Limits: limits, Ignore: strings.Repeat("b", 99)}, source.ErrTooLarge, `"deep/.sourceignore"`},
		{source.DirOptions{Ignore: "*"}, source.ErrNotFound, "not ignored"},
	} {
		_, err := source.Dir(path, tt.opts).Fetch(t.Context(), source.Revision{})
		checkError(t, err, tt.want, tt.text)
	}
	for _, opts := range []source.DirOptions{
		{Limits: source.Limits{MaxIgnoreBytes: 100}}, {Limits: limits, NoIgnoreFiles: true}, {Limits: limits, Ignore: "sub"},
	} {
		fetchDir(t, path, opts)
	}
}
