//go:build unix

package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/flock"
)

// fillDisk is a process that may not write files of more than 10,000 bytes.
func fillDisk(t *testing.T, dir string) {
	old := contentOf("old", 5000)
	signal.Ignore(syscall.SIGXFSZ)
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10_000, Max: 10_000}))
	c := openFolder(t, dir, 1<<30)
	for _, size := range []int{9990, smallBytes, smallBytes + 1} {
		content := contentOf("new", size)
		body, err := c.Put(t.Context(), keyOf("new"), int64(size), bytes.NewReader(content))
		if !errors.Is(err, syscall.EFBIG) || !errors.As(err, new(*KeepError)) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%d: %v, want that there is no room in %s", size, err, dir)
		}
		check(t, "new", body, content)
	}
	put(t, c, "small", old)
	if !has(t, c, "old", old) || !has(t, c, "small", old) || has(t, c, "new", nil) {
		t.Error("there is not what there should be")
	}
	fmt.Println("done", t.Failed())
}

func TestReadingGoesOnWithoutRoomToWrite(t *testing.T) {
	dir := t.TempDir()
	put(t, openFolder(t, dir, 1<<30), "old", contentOf("old", 5000))
	c := startChild(t, "full", dir)
	c.hear(t, "done false")
	must(t, c.Wait())
	if left := names(t, dir, ""); len(left) != 3 {
		t.Errorf("left are %v", left)
	}
}

// TestDiskFullHalfWay has the disk refuse what it had let in at first, as a full one does.
func TestDiskFullHalfWay(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	for _, size := range []int{100, smallBytes + 1} {
		content := contentOf("a", size)
		d, err := c.begin(t.Context(), keyOf("a"), int64(size))
		must(t, err)
		_ = d.file.Close()
		if d.file, err = os.Open(filepath.Join(dir, d.name)); err != nil { // nothing can be written to this one
			t.Fatal(err)
		}
		var body *Body
		if size > smallBytes {
			body, err = d.stream(keyOf("a"), int64(size), bytes.NewReader(content))
		} else {
			err = d.problem(d.keep(keyOf("a"), &Body{size: int64(size), bytes: content}))
		}
		if body != nil || !errors.As(err, new(*KeepError)) {
			t.Errorf("%d: got %v, %v", size, body, err)
		}
		d.end()
	}
	if left := names(t, dir, ""); len(left) != 1 || left[0] != lockName {
		t.Errorf("left are %v", left)
	}
}

func TestReadingGoesOnInAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	content := contentOf("a", smallBytes+1)
	put(t, openFolder(t, dir, 1<<30), "a", content)
	must(t, os.Chmod(dir, 0o500))
	defer os.Chmod(dir, 0o700) // else it cannot be removed
	must(t, os.Chmod(filepath.Join(dir, lockName), 0o400))
	for _, open := range []int64{1, 0} { // without a pin it is in memory
		c := openFolder(t, dir, 1<<30)
		c.held.max = open
		if !has(t, c, "a", content) {
			t.Error("it is missing")
		}
		if os.Geteuid() == 0 {
			continue // who may write everywhere
		}
		body, err := c.Put(t.Context(), keyOf("b"), int64(len(content)), bytes.NewReader(content))
		if !errors.Is(err, fs.ErrPermission) || !errors.As(err, new(*KeepError)) {
			t.Errorf("got %v", err)
		}
		check(t, "b", body, content)
	}
}

func lockForever(t *testing.T, dir string) {
	file, err := os.Open(filepath.Join(dir, lockName))
	must(t, err)
	if locked, err := flock.Try(file); !locked {
		t.Fatal(err)
	}
	fmt.Println("locked")
	time.Sleep(time.Hour) // until it is killed
}

func TestAStuckProcessCostsLittle(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<30)
	put(t, c, "a", []byte("a"))
	holder := startChild(t, "lock", dir)
	holder.hear(t, "locked")
	ended, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if body, err := c.Put(ended, keyOf("b"), 1, strings.NewReader("b")); body != nil || err != context.DeadlineExceeded {
		t.Errorf("got %v, %v", body, err)
	}
	c.patience = time.Millisecond
	for i := range 20 {
		body, err := c.Put(t.Context(), keyOf("b"), 1, strings.NewReader("b"))
		if !errors.Is(err, errStuck) {
			t.Errorf("got %v", err)
		}
		check(t, "b", body, []byte("b"))
		if i == 0 {
			c.patience = time.Hour // it is not waited for again
		}
	}
	if !has(t, c, "a", []byte("a")) || has(t, c, "b", nil) {
		t.Error("there is not what there should be")
	}
	holder.kill(t)
	put(t, openFolder(t, dir, 1<<30), "b", []byte("b"))
}

func TestAPipeKeepsNobodyWaiting(t *testing.T) {
	dir := t.TempDir()
	c := openFolder(t, dir, 1<<20)
	for _, name := range []string{keyOf("a").name(), temporary + "a", ownerKind + "a", lockName} {
		must(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
	}
	if has(t, c, "a", nil) {
		t.Error("a pipe is content")
	}
	_, err := c.Put(t.Context(), keyOf("a"), 1, strings.NewReader("a"))
	if !errors.As(err, new(*KeepError)) {
		t.Errorf("got %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, lockName)))
	put(t, c, "a", []byte("a"))
	if !has(t, c, "a", []byte("a")) {
		t.Error("content does not take a pipe's place")
	}
}
