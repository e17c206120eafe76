package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDamageIsNoticedAndHeals(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<20)
	path := filepath.Join(dir, keyOf("a").name())
	content := contentOf("a", 150)
	put(t, c, "a", content)
	good, err := os.ReadFile(path)
	must(t, err)
	gone := func(what string, damaged []byte) {
		t.Helper()
		must(t, os.WriteFile(path, damaged, 0o600))
		if has(t, c, "a", content) {
			t.Errorf("%s: goes unnoticed", what)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: stays", what)
		}
	}
	for i := range good {
		for _, flip := range []byte{1, 0x80, 0xff} {
			damaged := bytes.Clone(good)
			damaged[i] ^= flip
			gone(fmt.Sprint("byte ", i), damaged)
		}
		gone(fmt.Sprint("cut at ", i), good[:i])
	}
	gone("longer", append(bytes.Clone(good), 0))
	put(t, c, "b", content)
	other, err := os.ReadFile(filepath.Join(dir, keyOf("b").name()))
	must(t, err)
	gone("another key's", other)
	put(t, c, "a", content)
	if !has(t, c, "a", content) {
		t.Error("it is not there again")
	}
}

func TestDamageOfLargeContent(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	path := filepath.Join(dir, keyOf("a").name())
	content := contentOf("a", smallBytes+1)
	for _, at := range []int64{0, headerBytes - 1, headerBytes, headerBytes + smallBytes} {
		put(t, c, "a", content)
		overwrite(t, path, at)
		if has(t, c, "a", content) {
			t.Errorf("byte %d: goes unnoticed", at)
		}
	}
	put(t, c, "a", content)
	must(t, os.Truncate(path, headerBytes+smallBytes))
	if has(t, c, "a", content) {
		t.Error("a cut file goes unnoticed")
	}
}

// overwrite changes a byte of a file in its place.
func overwrite(t *testing.T, path string, at int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	b := make([]byte, 1)
	_, err = file.ReadAt(b, at)
	must(t, err)
	b[0]++
	_, err = file.WriteAt(b, at)
	must(t, err)
}

func TestChangeUnderALiveBodyIsAnError(t *testing.T) {
	for name, open := range map[string]int64{"open": 1, "pinned": 0} {
		t.Run(name, func(t *testing.T) {
			for what, change := range map[string]func(path string) error{
				"byte": func(path string) error { overwrite(t, path, headerBytes+100); return nil },
				"cut":  func(path string) error { return os.Truncate(path, 1000) },
			} {
				dir := t.TempDir()
				c := openFolder(t, dir, 1<<30)
				c.held.max = open
				content := contentOf("a", smallBytes+1)
				body := put(t, c, "a", content)
				check(t, "a", body, content)
				must(t, change(filepath.Join(dir, keyOf("a").name())))
				if body.Lost() {
					t.Error("it is lost before anybody has looked")
				}
				if got, err := body.Bytes(); got != nil || !errors.Is(err, ErrLost) || !body.Lost() {
					t.Errorf("%s: got %d bytes, %v", what, len(got), err)
				}
			}
		})
	}
}

func TestWhatIsHeldOutlivesItsPlaceInTheCache(t *testing.T) {
	for name, tt := range map[string]struct {
		open   int64
		remove func(dir string) error
	}{
		"open":           {2, func(dir string) error { return os.Remove(filepath.Join(dir, keyOf("a").name())) }},
		"open, evicted":  {2, func(dir string) error { put(t, openFolder(t, dir, 3<<20), "b", contentOf("", 2<<20)); return nil }},
		"open, all gone": {2, os.RemoveAll},
		"pinned":         {0, func(dir string) error { return os.Remove(filepath.Join(dir, keyOf("a").name())) }},
		"pinned, evicted": {0, func(dir string) error {
			put(t, openFolder(t, dir, 3<<20), "b", contentOf("", 2<<20))
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := openFolder(t, dir, 1<<30)
			c.held.max = tt.open
			content := contentOf("a", smallBytes+1)
			written := put(t, c, "a", content)
			found, err := c.Get(keyOf("a"))
			if found == nil || err != nil {
				t.Fatal("it is missing", err)
			}
			must(t, tt.remove(dir))
			if has(t, c, "a", nil) {
				t.Error("it is still in the cache")
			}
			check(t, "written", written, content)
			check(t, "found", found, content)
			put(t, c, "a", content) // also where the folder is gone
			if !has(t, c, "a", content) {
				t.Error("it is missing when it was put again")
			}
		})
	}
}

func TestARemovedPinIsAnError(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	c.held.max = 0
	body := put(t, c, "a", contentOf("a", smallBytes+1))
	must(t, os.RemoveAll(dir))
	if got, err := body.Bytes(); got != nil || !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "brings it again") {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestFilesAreHeldAsLongAsTheirBodies(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	c.held.max = 3
	content := contentOf("", smallBytes+1)
	var bodies []*Body
	for i := range 6 {
		bodies = append(bodies, put(t, c, fmt.Sprint(i), content))
	}
	if open, pins := c.held.open.Load(), len(names(t, dir, pinKind)); open != 3 || pins != 3 {
		t.Errorf("%d files are open and %d pinned", open, pins)
	}
	for i, body := range bodies {
		check(t, fmt.Sprint(i), body, content)
	}
	bodies = nil
	collect(t, func() bool { return c.held.open.Load() == 0 && len(names(t, dir, pinKind)) == 0 })
	for i := range 6 {
		if !has(t, c, fmt.Sprint(i), content) {
			t.Errorf("%d went with its Body", i)
		}
	}
}

func TestNothingIsBuiltOnTheLockFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "short": "1", "nonsense": "abcdefghijklmnop", "zero": strings.Repeat("\x00", 8) + strings.Repeat("\xff", 8),
		"negative": strings.Repeat("\xff", 8) + strings.Repeat("\x00", 8),
		"too much": "\x07" + strings.Repeat("\x00", 7) + "\xf8" + strings.Repeat("\xff", 7),
	} {
		dir := t.TempDir()
		c := openFolder(t, dir, 10*4096)
		for i := range 30 {
			must(t, os.WriteFile(filepath.Join(dir, lockName), []byte(text), 0o600))
			content := contentOf("", i)
			put(t, c, fmt.Sprint(i), content)
			if !has(t, c, fmt.Sprint(i), content) {
				t.Fatalf("%s: %d is not kept", name, i)
			}
		}
		// Zero, which looks right, costs an eighth of the bound until the sum is made anew.
		if n := len(names(t, dir, "")); n > 10+4 || n < 5 {
			t.Errorf("%s: %d files", name, n)
		}
	}
}

func TestForeignFilesStay(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, []byte("outside"), 0o600))
	foreign := map[string]func(path string) error{
		"notes":                 func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) },
		"temp-x/a":              func(path string) error { return os.MkdirAll(path, 0o700) },
		"sub/" + lockName:       func(path string) error { return os.MkdirAll(path, 0o700) },
		keyOf("f1").name():      func(path string) error { return os.MkdirAll(filepath.Join(path, "a"), 0o700) },
		keyOf("f2").name():      func(path string) error { return os.Symlink(outside, path) },
		"temp-" + unique():      func(path string) error { return os.Symlink(outside, path) },
		"owner-" + unique():     func(path string) error { return os.Symlink(outside, path) },
		"pin-a-b":               func(path string) error { return os.Symlink(outside, path) },
		keyOf("F").name() + "0": func(path string) error { return os.WriteFile(path, make([]byte, 1<<20), 0o600) },
	}
	for name, write := range foreign {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, write(filepath.Join(dir, name)))
	}
	c := openFolder(t, dir, 10*4096)
	for i := range 50 {
		put(t, c, fmt.Sprint(i), contentOf("", i))
	}
	for name := range foreign {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"f1", "f2"} {
		if has(t, c, name, nil) {
			t.Errorf("%s: a foreign file is content", name)
		}
	}
	put(t, c, "f2", []byte("mine"))
	if !has(t, c, "f2", []byte("mine")) {
		t.Error("content does not take the place of a link")
	}
	for _, content := range [][]byte{[]byte("mine"), contentOf("", smallBytes+1)} {
		big := openFolder(t, dir, 1<<30)
		body, err := big.Put(t.Context(), keyOf("f1"), int64(len(content)), bytes.NewReader(content))
		if !errors.As(err, new(*KeepError)) || (body == nil) != (len(content) > smallBytes) {
			t.Errorf("in the place of a folder: %v, %v", body, err)
		}
	}
	if text, err := os.ReadFile(outside); string(text) != "outside" {
		t.Errorf("outside of the folder: %q, %v", text, err)
	}
}

func TestALockThatIsNoFileIsAProblemAndNoMore(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"link":   func(path string) error { return os.Symlink(keyOf("a").name(), path) },
	} {
		dir := t.TempDir()
		put(t, openFolder(t, dir, 1<<30), "a", []byte("a"))
		must(t, os.Remove(filepath.Join(dir, lockName)))
		must(t, place(filepath.Join(dir, lockName)))
		c := openFolder(t, dir, 1<<30)
		for _, size := range []int{1, smallBytes + 1} {
			content := contentOf("b", size)
			body, err := c.Put(t.Context(), keyOf("b"), int64(size), bytes.NewReader(content))
			if !errors.As(err, new(*KeepError)) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: got %v", name, err)
			}
			check(t, name, body, content)
		}
		if !has(t, c, "a", []byte("a")) {
			t.Errorf("%s: what is there is not read", name)
		}
	}
}

func TestFolderErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, nil, 0o600))
	if _, err := Folder(path, 1); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
