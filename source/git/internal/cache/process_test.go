//go:build unix

package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// Tests start this binary again for TestOtherProcess, to do one of these with a folder.
var childJobs = map[string]func(t *testing.T, dir string){
	"hammer": hammerFolder, "lock": lockForever, "full": fillDisk,
}

const (
	childJob    = "GITOPSKIT_CACHE_CHILD"
	childFolder = "GITOPSKIT_CACHE_FOLDER"
)

// TestOtherProcess does what another test starts it for, and by itself nothing.
func TestOtherProcess(t *testing.T) {
	if job := childJobs[os.Getenv(childJob)]; job != nil {
		job(t, os.Getenv(childFolder))
	}
}

func startChild(t *testing.T, job, dir string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
	cmd.Env = append(os.Environ(), childJob+"="+job, childFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

func lockForever(t *testing.T, dir string) {
	unlock, err := openFolder(t, dir, 1<<20).Repository("r").Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	fmt.Println("locked")
	time.Sleep(time.Hour) // until it is killed
}

func TestLockExcludesProcessesAndEndsWithThem(t *testing.T) {
	dir := t.TempDir()
	holder, out := startChild(t, "lock", dir)
	if line, err := out.ReadString('\n'); line != "locked\n" {
		t.Fatalf("the holder says %q: %v", line, err)
	}
	r := openFolder(t, dir, 1<<20).Repository("r")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := r.Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, want that the context ended", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // it was killed
	unlock, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

const hammered = 3 // repositories

// hammeredSet is a record of a repository's history: each commit has one object more and one less than that before.
func hammeredSet(t testing.TB, repository, i int) (Record, object.Set) {
	var bodies []string
	for k := i; k < i+15; k++ {
		random := rand.New(rand.NewPCG(uint64(repository), uint64(k)))
		b := make([]byte, random.IntN(3000))
		for at := range b {
			b[at] = byte(random.Uint32N(64))
		}
		bodies = append(bodies, string(b))
	}
	set := setOf(t, bodies...)
	return Record{commitOf(t, set, fmt.Sprint(repository, i)), fmt.Sprint(i)}, set
}

func hammerFolder(t *testing.T, dir string) {
	c := openFolder(t, dir, 60_000)
	for {
		repository, i := rand.IntN(hammered), rand.IntN(30)
		record, set := hammeredSet(t, repository, i)
		r := c.Repository(fmt.Sprint(repository))
		unlock, err := r.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkHammered(t, c, repository)
		if err := r.Add(t.Context(), record, set); err != nil {
			t.Fatal(err)
		}
		if n := missing(t, r, set); n > 0 {
			t.Fatalf("%d objects of what was just added are missing", n)
		}
		unlock()
		fmt.Println("added")
	}
}

// checkHammered fails where something that is listed is not there or is wrong. The caller has the lock.
func checkHammered(t *testing.T, c Cache, repository int) (listed int) {
	t.Helper()
	r := c.Repository(fmt.Sprint(repository))
	for _, got := range recordsOf(t, r) {
		var i int
		if _, err := fmt.Sscan(got.Scope, &i); err != nil {
			t.Fatal(err)
		}
		record, set := hammeredSet(t, repository, i)
		if record != got {
			t.Errorf("there is the record %v, want %v", got, record)
		}
		if n := missing(t, r, set); n > 0 {
			t.Errorf("%d objects of the record %v are missing", n, got)
		}
		listed++
	}
	return listed
}

func TestKilledProcessesLeaveAFolderThatReadsBackRight(t *testing.T) {
	dir := t.TempDir()
	listed, leftovers := 0, 0
	for round := range 40 {
		var children []*exec.Cmd
		for range 2 {
			child, out := startChild(t, "hammer", dir)
			children = append(children, child)
			for range 1 + round%3 {
				if line, err := out.ReadString('\n'); line != "added\n" {
					rest, _ := io.ReadAll(out)
					t.Fatalf("a child says %q: %v\n%s", line, err, rest)
				}
			}
			go func() { _, _ = io.Copy(io.Discard, out) }()
		}
		time.Sleep(time.Duration(rand.IntN(10_000)) * time.Microsecond)
		for i, child := range children {
			if i == 1 && round%2 == 0 {
				time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // the other goes on for a while
			}
			if err := child.Process.Kill(); err != nil {
				t.Fatalf("a child ended by itself: %v", err)
			}
		}
		for _, child := range children {
			if err := child.Wait(); child.ProcessState.Exited() {
				t.Fatalf("a child ended by itself: %v", err)
			}
		}
		c := openFolder(t, dir, 60_000)
		for repository := range hammered {
			listed += checkHammered(t, c, repository)
		}
		leftovers += len(paths(t, dir, temporary))
	}
	c := openFolder(t, dir, 60_000)
	for repository := range hammered {
		record, set := hammeredSet(t, repository, 0)
		add(t, c.Repository(fmt.Sprint(repository)), record, set)
		checkHammered(t, c, repository)
	}
	if stale := paths(t, dir, temporary); len(stale) > 0 {
		t.Errorf("stale files are left: %v", stale)
	}
	if size := bytesIn(t, dir); size > 60_000 {
		t.Errorf("the folder has %d bytes", size)
	}
	if listed == 0 {
		t.Error("nothing was ever listed")
	}
	t.Logf("%d records read back; %d writes were cut", listed, leftovers)
}

// fillDisk is a process that may not write files of more than 1,000 bytes.
func fillDisk(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: 1000}); err != nil {
		t.Fatal(err)
	}
	r := openFolder(t, dir, 1<<20).Repository("r")
	unlock, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	old, set := fullSets(t)
	err = r.Add(t.Context(), Record{}, set)
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v, want that there is no room in %s", err, dir)
	}
	if n := missing(t, r, old); n > 0 || len(recordsOf(t, r)) != 1 {
		t.Errorf("%d objects are missing of what was there before", n)
	}
	fmt.Println("done", t.Failed())
}

func fullSets(t *testing.T) (old, set object.Set) {
	random := make([]byte, 5000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	return setOf(t, "old", strings.Repeat("old", 10_000)), setOf(t, string(random))
}

func TestReadingGoesOnWithoutRoomToWrite(t *testing.T) {
	dir := t.TempDir()
	old, _ := fullSets(t)
	add(t, openFolder(t, dir, 1<<20).Repository("r"), Record{}, old)
	before := paths(t, dir, "")
	child, out := startChild(t, "full", dir)
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil || !strings.HasPrefix(string(said), "done false\n") {
		t.Errorf("%v: %s", err, said)
	}
	if after := paths(t, dir, ""); len(after) != len(before) {
		t.Errorf("left are %v, want %v", after, before)
	}
}

func TestReadingGoesOnInAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	set := setOf(t, "x")
	record := Record{commitOf(t, set, "x"), ""}
	add(t, openFolder(t, dir, 1<<20).Repository("r"), record, set)
	sub := filepath.Dir(paths(t, dir, recordKind)[0])
	for _, path := range []string{sub, filepath.Join(sub, lockName)} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode().Perm()&^0o222); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, info.Mode().Perm()) }) // else the test's folder cannot be removed
	}
	r := openFolder(t, dir, 1<<20).Repository("r")
	unlock, err := r.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if n := missing(t, r, set); n > 0 || len(recordsOf(t, r)) != 1 {
		t.Errorf("%d objects are missing", n)
	}
	err = r.Add(t.Context(), record, setOf(t, "y"))
	if writable := os.Geteuid() == 0; !writable && (err == nil || !strings.Contains(err.Error(), dir)) { // root may do all
		t.Errorf("%v, want an error that names %s", err, dir)
	}
}
