//go:build unix

package cache

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Tests start this binary again for TestOtherProcess, to do one of these with a folder.
var childJobs = map[string]func(t *testing.T, dir string){
	"hammer": hammerFolder, "full": fillDisk, "pin": pinForever, "lock": lockForever, "half": writeHalf,
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

type child struct {
	*exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

func startChild(t *testing.T, job, dir string) child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
	cmd.Env = append(os.Environ(), childJob+"="+job, childFolder+"="+dir)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return child{cmd, in, bufio.NewReader(out)}
}

// hear waits until the child says this.
func (c child) hear(t *testing.T, want string) {
	t.Helper()
	if line, err := c.out.ReadString('\n'); line != want+"\n" {
		rest, _ := io.ReadAll(c.out)
		t.Fatalf("a child says %q instead of %q: %v\n%s", line, want, err, rest)
	}
}

func (c child) kill(t *testing.T) {
	t.Helper()
	must(t, c.Process.Kill())
	if err := c.Wait(); c.ProcessState.Exited() {
		t.Fatalf("a child ended by itself: %v", err)
	}
}

const (
	hammered      = 40
	hammeredBytes = 6 << 20
)

// hammeredContent is small, and of one in eight large.
func hammeredContent(i int) []byte {
	size := i * i * 20
	if i%8 == 7 {
		size = smallBytes + i*1000
	}
	return contentOf("hammered", size)
}

func hammerFolder(t *testing.T, dir string) {
	c := openFolder(t, dir, hammeredBytes)
	c.held.max = 1
	var last *Body
	for {
		i := rand.IntN(hammered)
		content := hammeredContent(i)
		has(t, c, fmt.Sprint(i), content)
		body, err := c.Put(t.Context(), keyOf(fmt.Sprint(i)), int64(len(content)), slowReader{bytes.NewReader(content)})
		must(t, err)
		check(t, fmt.Sprint(i), body, content)
		if last != nil {
			if _, err := last.Bytes(); err != nil {
				t.Fatal(err)
			}
		}
		last = body
		fmt.Println("put")
	}
}

// A slowReader gives so little at a time that processes are killed between.
type slowReader struct{ r io.Reader }

func (s slowReader) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 16<<10)]) }

// taken is what the bound is of.
func taken(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	for _, name := range names(t, dir, "") {
		if isContent(name) || strings.HasPrefix(name, temporary) {
			info, err := os.Lstat(filepath.Join(dir, name))
			must(t, err)
			bytes += onDisk(info.Size())
		}
	}
	return bytes
}

func TestKilledProcessesLeaveAFolderThatReadsBackRight(t *testing.T) {
	dir := t.TempDir()
	found := 0
	for round := range 8 {
		children := []child{startChild(t, "hammer", dir), startChild(t, "hammer", dir)}
		for _, c := range children {
			for range 1 + round*3 {
				c.hear(t, "put")
			}
			go func() { _, _ = io.Copy(io.Discard, c.out) }()
		}
		time.Sleep(time.Duration(rand.IntN(10_000)) * time.Microsecond)
		for _, c := range children {
			c.kill(t)
		}
		if n := taken(t, dir); n > hammeredBytes {
			t.Errorf("round %d: %d bytes are in the folder, with a bound of %d", round, n, hammeredBytes)
		}
		c := openFolder(t, dir, hammeredBytes)
		for i := range hammered {
			if has(t, c, fmt.Sprint(i), hammeredContent(i)) {
				found++
			}
		}
	}
	put(t, openFolder(t, dir, hammeredBytes), "a", nil)
	for _, kind := range []string{temporary, ownerKind, pinKind} {
		if stale := names(t, dir, kind); len(stale) > 0 {
			t.Errorf("of dead processes are left: %v", stale)
		}
	}
	if found == 0 {
		t.Error("nothing was ever read back")
	}
}

func TestEvictionHoldsWhileProcessesWrite(t *testing.T) {
	dir := t.TempDir()
	children := []child{startChild(t, "hammer", dir), startChild(t, "hammer", dir)}
	for _, c := range children {
		for range 25 {
			c.hear(t, "put")
		}
		go func() { _, _ = io.Copy(io.Discard, c.out) }()
	}
	most := int64(0)
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		for _, c := range children { // what does not move can be added up
			must(t, c.Process.Signal(syscall.SIGSTOP))
			stopped(t, c.Process.Pid)
		}
		most = max(most, taken(t, dir))
		for _, c := range children {
			must(t, c.Process.Signal(syscall.SIGCONT))
		}
	}
	for _, c := range children {
		c.kill(t)
	}
	if most > hammeredBytes || most < hammeredBytes/2 {
		t.Errorf("%d bytes are in the folder, with a bound of %d", most, hammeredBytes)
	}
}

// stopped waits until a child is.
func stopped(t *testing.T, pid int) {
	t.Helper()
	var status syscall.WaitStatus
	for {
		got, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || got != pid || !status.Stopped() {
			t.Fatalf("the child does not stop: %v %v", status, err)
		}
		return
	}
}

// writeHalf is a process that waits when it has half of large content.
func writeHalf(t *testing.T, dir string) {
	content := contentOf("half", 2<<20)
	said := readerFunc(func([]byte) (int, error) {
		fmt.Println("half")
		return os.Stdin.Read(make([]byte, 1))
	})
	_, _ = openFolder(t, dir, 1<<30).Put(t.Context(), keyOf("half"), 2<<20, io.MultiReader(bytes.NewReader(content[:1<<20]), said))
	time.Sleep(time.Hour) // until it is killed
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWhatIsBeingWrittenCountsAndStaysAsLongAsItsProcess(t *testing.T) {
	dir := t.TempDir()
	half := startChild(t, "half", dir)
	half.hear(t, "half")
	content := contentOf("", 2<<20)
	_, err := openFolder(t, dir, 4<<20).Put(t.Context(), keyOf("a"), 2<<20, bytes.NewReader(content))
	if !errors.As(err, new(*KeepError)) || len(names(t, dir, temporary)) != 1 {
		t.Errorf("got %v; there are %v", err, names(t, dir, ""))
	}
	half.kill(t)
	if len(names(t, dir, temporary)) != 1 {
		t.Error("there is no half file")
	}
	put(t, openFolder(t, dir, 4<<20), "a", content)
	if left := names(t, dir, temporary); len(left) > 0 || has(t, openFolder(t, dir, 4<<20), "half", nil) {
		t.Errorf("left are %v", left)
	}
}

func pinForever(t *testing.T, dir string) {
	c := openFolder(t, dir, 1<<30)
	c.held.max = 0
	content := contentOf("pinned", smallBytes+1)
	body := put(t, c, "pinned", content)
	fmt.Println("pinned")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until it is closed
	check(t, "pinned", body, content)
	fmt.Println("done", t.Failed())
}

func TestPinsHoldAgainstOtherProcessesAndEndWithTheirs(t *testing.T) {
	for _, killed := range []bool{false, true} {
		dir := t.TempDir()
		c := startChild(t, "pin", dir)
		c.hear(t, "pinned")
		put(t, openFolder(t, dir, 3<<20), "b", contentOf("", 2<<20)) // the pinned content goes
		if has(t, openFolder(t, dir, 1<<30), "pinned", nil) || len(names(t, dir, pinKind)) != 1 {
			t.Errorf("there are %v", names(t, dir, ""))
		}
		if killed {
			c.kill(t)
		} else {
			must(t, c.in.Close())
			c.hear(t, "done false")
			_ = c.Wait()
		}
		put(t, openFolder(t, dir, 1<<30), "c", nil)
		if left := append(names(t, dir, pinKind), names(t, dir, ownerKind)...); len(left) > 0 {
			t.Errorf("left are %v", left)
		}
	}
}
