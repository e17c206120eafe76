package testbed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A program is a server that is built from a nested module of this folder.
type program struct {
	folder  string // of this package's folder
	title   string // for people
	ldflags string
	expect  string // how long a first build takes, for people
}

// build returns the path of the program's binary, after building it if the cache does not have it.
func (p program) build(ctx context.Context) (string, error) {
	source, err := sourceFolder(p.folder)
	if err != nil {
		return "", err
	}
	key, err := p.hash(source)
	if err != nil {
		return "", err
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(cache, p.folder+"-"+key)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	unlock, err := lock(filepath.Join(cache, p.folder+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil { // somebody else built it while this one waited
		return binary, nil
	}
	return binary, p.compile(ctx, source, binary)
}

func (p program) compile(ctx context.Context, source, binary string) error {
	out := progress()
	fmt.Fprintf(out, "gitopskit: building %s, once, for tests and the quickstart (%s) …\n", p.title, p.expect)
	start := time.Now()
	half := fmt.Sprintf("%s.%d", binary, os.Getpid())
	defer os.Remove(half)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", p.ldflags, "-o", half, ".")
	build.Dir = source
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s in %s: %w\n%s", p.title, p.folder, err, text)
	}
	if err := os.Rename(half, binary); err != nil {
		return err
	}
	fmt.Fprintf(out, "gitopskit: built %s in %s\n", p.title, time.Since(start).Round(time.Second))
	removeOlder(filepath.Dir(binary), p.folder)
	return nil
}

// hash names all that the binary depends on.
func (p program) hash(source string) (string, error) {
	files, err := os.ReadDir(source)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, p.ldflags)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") && f.Name() != "go.mod" && f.Name() != "go.sum" {
			continue
		}
		body, err := os.ReadFile(filepath.Join(source, f.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", f.Name(), len(body), body)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// removeOlder keeps the cache small: binaries of this program that nothing has built or used for a week go.
func removeOlder(cache, prefix string) {
	old, _ := filepath.Glob(filepath.Join(cache, prefix+"-*"))
	for _, file := range old {
		if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > 7*24*time.Hour {
			_ = os.Remove(file)
		}
	}
}

// sourceFolder finds a nested module from the working folder or, where that lies elsewhere, from where this was compiled.
func sourceFolder(name string) (string, error) {
	inside := filepath.Join("internal", "testbed", name)
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok {
		starts = append(starts, filepath.Dir(file))
	}
	for _, dir := range starts {
		for {
			if _, err := os.Stat(filepath.Join(dir, inside, "go.mod")); err == nil {
				return filepath.Join(dir, inside), nil
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return "", fmt.Errorf("finding %s: run this inside a checkout of gitopskit", inside)
}

func cacheFolder() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "gitopskit", "testbed")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", errors.Join(errors.New("making the cache folder of the test bed: set XDG_CACHE_HOME to a folder that can be written"), err)
	}
	return dir, nil
}

// progress is where a person sees that a build is going on: go test shows nothing of a test that passes, so there it is
// the terminal, if there is one.
func progress() io.Writer {
	if testing.Testing() {
		if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
			return tty
		}
	}
	return os.Stderr
}
