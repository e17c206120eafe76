package source_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func checkError(t *testing.T, err, want error, text string) {
	t.Helper()
	typed := new(source.Error)
	if !errors.As(err, &typed) || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %v with %q", err, want, text)
	}
}

const (
	sha1   = "sha1:855f77aa00bb11cc22dd33ee44ff5566778899aa"
	sha256 = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

func TestRevisionRoundTrip(t *testing.T) {
	for text, want := range map[string]source.Revision{
		"":                         {},
		"main@" + sha1:             {Name: "main", Digest: sha1},
		sha256:                     {Digest: sha256},
		"a@b@" + sha1:              {Name: "a@b", Digest: sha1},
		"refs/pull/7/head@" + sha1: {Name: "refs/pull/7/head", Digest: sha1},
	} {
		got, err := source.ParseRevision(text)
		if err != nil || got != want || got.String() != text || got.IsZero() != (text == "") {
			t.Errorf("%q: got %#v, %v", text, got, err)
		}
		encoded, err := json.Marshal(got)
		var decoded source.Revision
		if err = errors.Join(err, json.Unmarshal(encoded, &decoded)); err != nil || decoded != want {
			t.Errorf("%q: got %s, %#v, %v", text, encoded, decoded, err)
		}
	}
}

func TestParseRevisionRefuses(t *testing.T) {
	for _, text := range []string{"main", "main@", "@" + sha1, "main@sha1:", "sha1:855f", strings.ToUpper(sha1), "md5:" + sha1[5:], sha1 + " "} {
		if got, err := source.ParseRevision(text); err == nil {
			t.Errorf("%q: got %#v", text, got)
		}
	}
}

func FuzzParseRevision(f *testing.F) {
	f.Add("main@" + sha1)
	f.Add(sha256)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := source.ParseRevision(text); err == nil && got.String() != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestRevisionCurrent(t *testing.T) {
	now := source.Revision{Name: "main", Digest: sha1}
	for _, known := range []source.Revision{{}, {Name: "main"}, {Name: "other", Digest: sha1}, {Name: "main", Digest: digest.Digest(sha256)}} {
		if known.Current(now) {
			t.Errorf("%v is current", known)
		}
	}
	if !now.Current(now) || (source.Revision{}).Current(source.Revision{}) {
		t.Error("a revision is current if it is the same and not zero")
	}
}

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://user:hunter2@example.com/a/b?token=hunter2#x": "https://example.com/a/b",
		"https://user:hun?ter2@example.com/a":                  "example.com/a",
		"https://user:hunter%zz2@example.com/a?b":              "example.com/a",
		"git@example.com:a/b":                                  "example.com:a/b",
		"/srv/folder":                                          "/srv/folder",
		"":                                                     "",
	} {
		if got := source.RedactURL(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func newTree(t *testing.T) *source.Tree {
	t.Helper()
	tree := source.NewTree(source.Limits{})
	must(t, tree.AddFile("a.txt", false, []byte("a")))
	must(t, tree.AddFile("bin/run", true, []byte("#!")))
	must(t, tree.AddFile("x/y/z/deep", false, []byte("deep")))
	for link, target := range map[string]string{
		"link": "a.txt", "x/up": "../a.txt", "x/dir": "y/z", "x/y/far": "./.././y//z/deep", "x/root": "..",
		"absolute": "/etc/passwd", "x/escape": "../../a.txt", "loop": "loop", "x/l1": "l2", "x/l2": "l1", "dangling": "none", "out": "..",
	} {
		must(t, tree.AddSymlink(link, target))
	}
	return tree
}

func TestTreeIsFS(t *testing.T) {
	snapshot := newTree(t).Snapshot(source.Revision{Name: "main", Digest: sha1})
	// TestFS opens every entry, so it gets the tree without the links that lead nowhere.
	sound := source.NewTree(source.Limits{})
	must(t, sound.AddFile("a/b", false, []byte("b")))
	must(t, sound.AddSymlink("a/link", "b"))
	must(t, sound.AddSymlink("folder", "a"))
	if err := fstest.TestFS(sound.FS(), "a/b", "a/link", "folder"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"link": "a", "x/up": "a", "x/dir/deep": "deep", "x/y/far": "deep", "x/root/a.txt": "a", "x/root/x/root/link": "a"} {
		if got, err := snapshot.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestTreeRefusesLinks(t *testing.T) {
	snapshot := newTree(t).Snapshot(source.Revision{})
	for name, reason := range map[string]string{
		"absolute": `"absolute" to "/etc/passwd" is absolute`, "x/escape": `"x/escape"`, "out": `"out" to ".." leads out of the root`,
		"loop": "too many links", "x/l1": "too many links", "out/a": `"out"`,
	} {
		for op, open := range map[string]func() error{
			"open": func() error { _, err := snapshot.Open(name); return err },
			"stat": func() error { _, err := snapshot.Stat(name); return err },
			"read": func() error { _, err := snapshot.ReadFile(name); return err },
			"list": func() error { _, err := snapshot.ReadDir(name); return err },
		} {
			err := open()
			refused, placed := new(source.LinkError), new(fs.PathError)
			if !errors.As(err, &refused) || !errors.As(err, &placed) || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s %s: got %v, want %s", op, name, err, reason)
			}
		}
		if info, err := snapshot.Lstat(name); name != "out/a" && (err != nil || info.Mode().Type() != fs.ModeSymlink) {
			t.Errorf("lstat %s: got %v", name, err)
		}
	}
	if _, err := snapshot.Stat("dangling"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestTreeRefusesNames(t *testing.T) {
	for _, tt := range []struct{ first, second, text string }{
		{"ok", "", "is not a valid path"},
		{"ok", "../a", `"../a" is not`},
		{"ok", "/a", "is not a valid path"},
		{"ok", "a//b", "is not a valid path"},
		{"ok", "a\x00b", "is not a valid path"},
		{"ok", "a\xff", "is not a valid path"},
		{"a", "a/b", `"a/b" has to be in "a"`},
		{"a/b", "a", `"a" is a file and a folder, with "a/b" in it`},
		{"a", "a", `"a" is there twice`},
	} {
		tree := source.NewTree(source.Limits{})
		must(t, tree.AddFile(tt.first, false, nil))
		err := tree.AddFile(tt.second, false, nil)
		if named := new(source.NameError); !errors.As(err, &named) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%q after %q: got %v", tt.second, tt.first, err)
		}
	}
	tree := newTree(t)
	tree.FS()
	if err := tree.AddFile("late", false, nil); err == nil {
		t.Error("a tree can be changed after it was handed out")
	}
}

func TestTreeLazyFileIsReadWhenOpened(t *testing.T) {
	tree := source.NewTree(source.Limits{})
	reads := 0
	must(t, tree.AddLazyFile("a", false, 3, func() ([]byte, error) { reads++; return []byte("abc"), nil }))
	must(t, tree.AddLazyFile("short", false, 3, func() ([]byte, error) { return []byte("a"), nil }))
	must(t, tree.AddLazyFile("broken", false, 3, func() ([]byte, error) { return nil, io.ErrNoProgress }))
	snapshot := tree.Snapshot(source.Revision{})
	if info, err := snapshot.Stat("a"); err != nil || info.Size() != 3 || reads != 0 {
		t.Errorf("got %v, %d reads", err, reads)
	}
	file, err := snapshot.Open("a")
	must(t, err)
	must(t, snapshot.Close())
	if body, err := io.ReadAll(file); err != nil || string(body) != "abc" || reads != 1 {
		t.Errorf("got %q, %v, %d reads", body, err, reads)
	}
	must(t, file.Close())
	if _, err := file.Read(nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v", err)
	}
	again := tree.Snapshot(source.Revision{})
	if _, err := again.ReadFile("short"); err == nil {
		t.Error("a file of the wrong size is read")
	}
	if _, err := again.ReadFile("broken"); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}
