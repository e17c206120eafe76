package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/work"
)

const ourselves = "gitopskit"

// A contender does the works of the area apply.
type contender struct {
	name        string
	engine      string   // the folder of its program
	concurrency int      // 0: the engine's own
	silent      []string // works that have to be done, and are no result
}

var contenders = []contender{
	{name: ourselves, engine: "gitopskit"},
	{name: "fluxcd/pkg/ssa@4", engine: "flux", concurrency: 4},
	{name: "fluxcd/pkg/ssa@32", engine: "flux", concurrency: 32},
	{name: "cli-utils", engine: "cliutils"},
	{name: "kubectl", engine: "kubectl"},
	{name: "bare", engine: "bare"},
	{name: "bare-list", engine: "bare", silent: []string{work.Create, work.Prune}},
}

// contenders returns those that the options name, and kubectl only where it is installed.
func (o *options) contenders() []contender {
	var whos []contender
	for _, c := range contenders {
		if !o.who.MatchString(c.name) {
			continue
		}
		if c.engine == "kubectl" {
			path, err := exec.LookPath(o.kubectl)
			if err == nil {
				path, err = filepath.Abs(path)
			}
			if err != nil {
				fmt.Fprintf(o.log, "apply: leaving out %s: %v\n", c.name, err)
				continue
			}
			o.kubectl = path
			fmt.Fprintf(o.log, "apply: kubectl is %s\n", path)
		}
		whos = append(whos, c)
	}
	return whos
}

// buildEngines builds the programs of the contenders, each with nothing but its engine in it, so that no engine's memory
// has the code and the tables of another. They stay in the user's cache folder, for linking them takes longer than some
// works.
func buildEngines(ctx context.Context, o options, whos []contender) (folder string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	_, file, _, _ := runtime.Caller(0)
	source := filepath.Dir(file)
	folder = filepath.Join(cache, "gitopskit", "bench", fmt.Sprintf("%x", sha256.Sum256([]byte(source)))[:16]) // one for each clone
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	args := []string{"build", "-ldflags", "-s -w", "-o", folder + string(filepath.Separator)}
	for _, c := range whos {
		args = append(args, "./engine/"+c.engine)
	}
	fmt.Fprintln(o.log, "apply: building the engines' programs; the first time takes a minute or more")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the engines' programs in %s: %w: %s", source, err, bytes.TrimSpace(out))
	}
	return folder, nil
}

// measure has the job done in a process of its own.
func (r *applyRun) measure(ctx context.Context, c contender, j work.Job) (work.Sample, error) {
	var s work.Sample
	input, err := json.Marshal(j)
	if err != nil {
		return s, err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(r.engines, c.engine))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it can end a kubectl
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s by %s: %w: %.2000s", j.Work, j.Who, err, strings.TrimSpace(said.String()))
	}
	return s, json.Unmarshal(out.Bytes(), &s)
}
