// The program that has git do the works.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

func main() { fetch.Main(open) }

// A run is one job.
type run struct {
	fetch.Job
	peakMiB float64 // of the commands of one time
}

func open(ctx context.Context, j fetch.Job) (*fetch.Fetch, error) {
	r := &run{Job: j}
	do, ok := r.ways()[j.Work]
	if !ok {
		return nil, fmt.Errorf("%s does not do %s", j.Who, j.Work)
	}
	if j.Work == fetch.NewCommit && j.Who == partial {
		if err := r.stand(ctx); err != nil {
			return nil, err
		}
	}
	return &fetch.Fetch{
		Run: func(ctx context.Context) (fs.FS, error) {
			r.peakMiB = 0
			dir, err := do(ctx)
			if err != nil || dir == "" {
				return nil, err
			}
			return os.DirFS(dir), nil
		},
		PeakMiB: func() float64 { return r.peakMiB },
	}, nil
}

const partial = "git partial" // the contender that knows more than clone

// git runs one command and returns what it prints.
func (r *run) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.Folder, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}
	var out bytes.Buffer
	cmd.Stdout = &out
	peakMiB, err := measure.Pipe(cmd)
	r.peakMiB = max(r.peakMiB, peakMiB)
	return out.String(), err
}

// clone makes one with these flags in a folder of its own.
func (r *run) clone(ctx context.Context, flags ...string) (dir string, err error) {
	dir = filepath.Join(r.Folder, "clone")
	args := append([]string{"-c", "advice.detachedHead=false", "clone", "--quiet", "--single-branch"}, flags...)
	_, err = r.git(ctx, append(args, r.URL, dir)...)
	return dir, err
}
