package testbed

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// A child is a server process that ends with this one: it reads its standard input, whose other end only we hold.
type child struct {
	stdin io.Closer
	cmd   *exec.Cmd
	close func() error
}

const folderPrefix = "gitopskit-testbed-"

// startChild builds and starts the program in a temporary folder of its own and decodes the line that it prints when it
// is ready.
func startChild(ctx context.Context, p program, ready any, env []string, args ...string) (*child, error) {
	binary, err := p.build(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(binary, now, now) // in use: not to be removed from the cache
	dir, release, err := temporaryFolder()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(binary, append([]string{"-dir", dir}, args...)...)}
	c.cmd.Env = append(os.Environ(), env...)
	c.close = sync.OnceValue(func() error {
		defer release()
		_ = c.stdin.Close()
		late := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
		_ = c.cmd.Wait()
		late.Stop()
		return os.RemoveAll(dir)
	})
	if err := c.start(ctx, ready); err != nil {
		if c.cmd.Process == nil {
			release()
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		return nil, errors.Join(fmt.Errorf("starting %s: %w", p.title, err), c.close())
	}
	return c, nil
}

func (c *child) start(ctx context.Context, ready any) (err error) {
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	var said bytes.Buffer
	c.cmd.Stderr = &tail{to: &said}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	line := make(chan []byte, 1)
	go func() {
		first, _ := bufio.NewReader(out).ReadBytes('\n')
		line <- first
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case first := <-line:
		if err := json.Unmarshal(first, ready); err != nil {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
			return fmt.Errorf("it ended before it was ready: %s", said.Bytes())
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(3 * time.Minute):
		return fmt.Errorf("not ready in 3 min")
	}
}

// temporaryFolder makes a folder that holds a lock of this process, and removes those whose processes were killed.
func temporaryFolder() (dir string, release func(), err error) {
	base := temporaryBase()
	left, _ := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	for _, old := range left {
		info, err := os.Stat(old)
		if err != nil || time.Since(info.ModTime()) < time.Minute { // perhaps about to be locked
			continue
		}
		if unlock, ok := tryLock(filepath.Join(old, "lock")); ok {
			_ = os.RemoveAll(old)
			unlock()
		}
	}
	if dir, err = os.MkdirTemp(base, folderPrefix); err != nil {
		return "", nil, err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		unlock()
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, unlock, nil
}

// temporaryBase is memory where the system has a folder that is, with some room, unless TMPDIR says otherwise: on a slow disk etcd loses
// requests.
func temporaryBase() string {
	if os.Getenv("TMPDIR") == "" {
		if probe, err := os.MkdirTemp("/dev/shm", folderPrefix+"probe-"); err == nil && os.Remove(probe) == nil && freeBytes("/dev/shm") > 2<<30 {
			return "/dev/shm"
		}
	}
	return os.TempDir()
}

// tail keeps the first 16 KiB of what a child says, for the error that tells why it did not start.
type tail struct{ to *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	if room := 16<<10 - t.to.Len(); room > 0 {
		t.to.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
