package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// allocated is how many bytes run takes, whether it gives them back or not.
func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// boundless is a file system that makes up what is in it: a folder of any number of entries, or of one folder in which there
// is the next, or files that never end.
type boundless struct {
	entries int
	name    string // of the entries; with a verb they differ
	folders bool
	served  int
}

func (b *boundless) Open(name string) (fs.File, error) {
	if name == "." || b.folders {
		return &boundlessFile{b: b, dir: true}, nil
	}
	if strings.HasPrefix(name, "kustomization") || strings.HasPrefix(name, "Kustomization") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &boundlessFile{b: b}, nil
}

type boundlessFile struct {
	b    *boundless
	dir  bool
	next int
}

func (f *boundlessFile) Stat() (fs.FileInfo, error) { return boundlessInfo{"x", f.dir}, nil }
func (f *boundlessFile) Close() error               { return nil }

// Read gives comments.
func (f *boundlessFile) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	return len(p), nil
}

func (f *boundlessFile) ReadDir(n int) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	for ; f.next < f.b.entries && (n <= 0 || len(entries) < n); f.next++ {
		f.b.served++
		name := f.b.name
		if strings.Contains(name, "%") {
			name = fmt.Sprintf(name, f.next)
		}
		entries = append(entries, fs.FileInfoToDirEntry(boundlessInfo{name, f.b.folders}))
	}
	if len(entries) == 0 && n > 0 {
		return nil, io.EOF
	}
	return entries, nil
}

type boundlessInfo struct {
	name string
	dir  bool
}

func (i boundlessInfo) Name() string       { return i.name }
func (i boundlessInfo) Size() int64        { return 0 }
func (i boundlessInfo) ModTime() time.Time { return time.Time{} }
func (i boundlessInfo) IsDir() bool        { return i.dir }
func (i boundlessInfo) Sys() any           { return nil }
func (i boundlessInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// TestFoldersWithoutEnd lists a million entries of each sort, and folders that are in each other without an end.
func TestFoldersWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct {
		fsys   *boundless
		option string
	}{
		"files that do not count": {&boundless{entries: 1_000_000, name: "f%d.txt"}, "MaxEntries"},
		"manifests":               {&boundless{entries: 1_000_000, name: "f%d.yaml"}, "MaxEntries"},
		"fewer manifests":         {&boundless{entries: 100_000, name: "f%d.yaml"}, "MaxFiles"},
		"depth":                   {&boundless{entries: 1, name: "d", folders: true}, "MaxEntries"},
		"depth and width":         {&boundless{entries: 10, name: "d%d", folders: true}, "MaxEntries"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			n := allocated(func() { _, err = Build(context.Background(), c.fsys, ".", Options{}) })
			if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "Options."+c.option) {
				t.Errorf("got %v", err)
			}
			if c.fsys.served > DefaultMaxEntries+batch || n > 500<<20 {
				t.Errorf("%d entries were taken in, with %d bytes", c.fsys.served, n)
			}
		})
	}
	few := &boundless{entries: 1_000, name: "f%d.txt"}
	if objects, err := Build(context.Background(), few, ".", Options{MaxEntries: 1_000}); err != nil || len(objects) > 0 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

// TestFilesWithoutEnd has a manifest that never ends.
func TestFilesWithoutEnd(t *testing.T) {
	fsys := &boundless{entries: 1, name: "a.yaml"}
	var err error
	n := allocated(func() { _, err = Build(context.Background(), fsys, ".", Options{}) })
	var e *Error
	if !errors.Is(err, ErrTooLarge) || !errors.As(err, &e) || e.File != "." && e.File != "a.yaml" ||
		!strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("got %v", err)
	}
	if n > 16*DefaultMaxFileBytes { // a buffer that doubles, and what else runs in the process
		t.Errorf("%d bytes", n)
	}
}

// TestHostileYAML has what no cluster would take, as a manifest, as a patch and as a kustomization. It is an error that names
// the file, with the line where there is one, and takes little memory.
func TestHostileYAML(t *testing.T) {
	object := oneObject
	for name, c := range map[string]struct {
		content string
		line    int
	}{
		"deep flow":           {object + "x: " + strings.Repeat("[", 100_000), 0},
		"deep closed":         {object + "x: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), 0},
		"deep maps":           {object + "x: " + strings.Repeat("{a: ", 100_000), 0},
		"deep blocks":         {object + "x:\n " + strings.Repeat("- ", 100_000), 0},
		"key twice":           {object + "x: 1\nx: 2\n", 5},
		"key twice inside":    {object + "x:\n  y: 1\n  y: 2\n", 6},
		"no UTF-8":            {object + "x: \xff\n", 0},
		"UTF-16":              {"\xff\xfea\x00:\x00 \x001\x00", 0},
		"NUL":                 {object + "x: \x00\n", 0},
		"control":             {object + "x: \x07\n", 0},
		"anchor of another":   {object + "x: &a 1\n---\n" + object + "y: *a\n", 6},
		"tab":                 {object + "x:\n\ty: 1\n", 5},
		"merge of no map":     {object + "x:\n  <<: 1\n", 0},
		"number for a key":    {object + "x: {1: 2}\n", 4},
		"list for a key":      {object + "x: {[1]: 2}\n", 4},
		"not a number":        {object + "x: .nan\n", 4},
		"infinite":            {object + "x: .inf\n", 4},
		"tagged int":          {object + "x: !!int abc\n", 4},
		"unclosed quote":      {object + "x: \"abc\n", 0},
		"many open quotes":    {object + "x: " + strings.Repeat("'", 99_999), 0},
		"alias of nothing":    {object + "x: *nothing\n", 0},
		"directive":           {"%YAML 9.9\n---\n" + object, 0},
		"kind of wrong type":  {"apiVersion: v1\nkind: [a]\nmetadata: {name: a}\n", 0},
		"name of wrong type":  {"apiVersion: v1\nkind: A\nmetadata: {name: {}}\n", 0},
		"metadata is a list":  {"apiVersion: v1\nkind: A\nmetadata: [name]\n", 0},
		"labels are a number": {"apiVersion: v1\nkind: A\nmetadata: {name: a, labels: 1}\n", 0},
		"items of wrong type": {"apiVersion: v1\nkind: List\nitems: {a: b}\n", 0},
		"items of items":      {"apiVersion: v1\nkind: List\nitems: [[a]]\n", 0},
	} {
		for where, kustomization := range map[string]string{
			"listed": "resources: [evil.yaml]", "transformed": "resources: [evil.yaml]\nnamePrefix: x-",
			"patch": "resources: [a.yaml]\npatches: [{path: evil.yaml}]", "itself": c.content,
			"transformer": "resources: [a.yaml]\ntransformers: [evil.yaml]", "crds": "resources: [a.yaml]\ncrds: [evil.yaml]",
			"replacement": "resources: [a.yaml]\nreplacements: [{path: evil.yaml}]",
		} {
			var err error
			n := allocated(func() {
				_, err = Build(context.Background(), fstest.MapFS{
					"kustomization.yaml": {Data: []byte(kustomization)}, "a.yaml": {Data: []byte(oneObject)},
					"evil.yaml": {Data: []byte(c.content)},
				}, ".", Options{})
			})
			var e *Error
			if !errors.As(err, &e) || e.File == "" {
				t.Errorf("%s as %s: got %v", name, where, err)
			} else if c.line > 0 && where == "listed" && (e.Line != c.line || e.File != "evil.yaml") {
				t.Errorf("%s: line %d, want %d: %v", name, e.Line, c.line, err)
			}
			if n > 400<<20 {
				t.Errorf("%s as %s: %d bytes", name, where, n)
			}
		}
	}
}

// TestGeneratorsOfManyKeysAreBounded has as many as would keep kustomize busy for minutes.
func TestGeneratorsOfManyKeysAreBounded(t *testing.T) {
	var env, literals strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&env, "k%d=v\n", i)
		fmt.Fprintf(&literals, "  - k%d=v\n", i)
	}
	for name, kustomization := range map[string]string{
		"env file": "configMapGenerator: [{name: a, envs: [env]}]\n",
		"literals": "secretGenerator:\n- name: a\n  literals:\n" + literals.String(),
	} {
		fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte(kustomization)}, "env": {Data: []byte(env.String())}}
		_, err := Build(context.Background(), fsys, ".", Options{})
		var e *Error
		if !errors.Is(err, ErrTooLarge) || !errors.As(err, &e) || e.File != "kustomization.yaml" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
