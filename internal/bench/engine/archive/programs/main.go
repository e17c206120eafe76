// The program that has tar and a compressor do the works.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

func main() { archive.Main(open) }

// A run is one job.
type run struct {
	archive.Job
	compressor string // what it is
	peakMiB    float64
}

func open(_ context.Context, j archive.Job) (*fetch.Fetch, error) {
	r := &run{Job: j, compressor: strings.TrimPrefix(j.Who, "tar+")}
	do, ok := map[string]func(context.Context) (fs.FS, error){
		archive.Pack: r.pack, archive.Unpack: r.unpack, archive.Open: r.one,
	}[j.Does]
	if !ok {
		return nil, fmt.Errorf("%s does not %s", j.Who, j.Does)
	}
	return &fetch.Fetch{Run: do, PeakMiB: func() float64 { return r.peakMiB }}, nil
}

// command is one of the programs, with what it does by itself, but that zstd takes all cores, as pigz does.
func (r *run) command(ctx context.Context, what string, args ...string) *exec.Cmd {
	if what == archive.Zstd {
		args = append([]string{"-q", "-T0"}, args...)
	}
	cmd := exec.CommandContext(ctx, r.Programs[what], args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	return cmd
}

func (r *run) pipe(programs ...*exec.Cmd) (err error) {
	r.peakMiB, err = measure.Pipe(programs...)
	return err
}

func (r *run) pack(ctx context.Context) (fs.FS, error) {
	f, err := os.Create(r.Archive)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it is not this process that writes
	compress := r.command(ctx, r.compressor, "-c")
	compress.Stdout = f
	return nil, r.pipe(r.command(ctx, "tar", "-C", r.Tree, "-cf", "-", "."), compress)
}

// unpack lets tar leave out what the others do not do either: owners and times.
func (r *run) unpack(ctx context.Context) (fs.FS, error) {
	err := r.pipe(r.command(ctx, r.compressor, "-dc", r.Archive),
		r.command(ctx, "tar", "-C", r.Folder, "-m", "--no-same-owner", "-xf", "-"))
	return os.DirFS(r.Folder), err
}

// one reads the archive to its end, as the others do: there may be another entry for the file.
func (r *run) one(ctx context.Context) (fs.FS, error) {
	var body bytes.Buffer
	read := r.command(ctx, "tar", "-xOf", "-", r.Name)
	read.Stdout = &body
	err := r.pipe(r.command(ctx, r.compressor, "-dc", r.Archive), read)
	return archive.One(r.Name, body.Bytes()), err
}
