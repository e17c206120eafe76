package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const ourselves = "gitopskit"

// A contender does the works of an area.
type contender struct {
	name        string
	engine      string   // the folder of its program, below the folder engine
	concurrency int      // 0: the engine's own
	silent      []string // works that have to be done, and are no result
	without     []string // families of works that it cannot do
	only        []string // families of works that it takes part in; empty: in all that it can do
	listed      bool     // it does not build a folder without a kustomization, so it gets one that has it
}

// program is where buildEngines leaves it.
func (c contender) program(folder string) string { return filepath.Join(folder, path.Base(c.engine)) }

// matching returns those that the expression names.
func matching(all []contender, who *regexp.Regexp) []contender {
	return slices.DeleteFunc(slices.Clone(all), func(c contender) bool { return !who.MatchString(c.name) })
}

// turns returns the contenders in the order of a round: each round starts with another one.
func turns(whos []contender, round int) []contender {
	first := round % len(whos)
	return slices.Concat(whos[first:], whos[:first])
}

// ownFolder is that of this program's source.
func ownFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// buildEngines builds the programs of an area's contenders, each with nothing but its engine in it, so that no engine's
// memory has the code and the tables of another. They stay in the user's cache folder, for linking them takes longer than
// some works.
func buildEngines(ctx context.Context, log io.Writer, area string, whos []contender) (folder string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	source := ownFolder()
	clone := fmt.Sprintf("%x", sha256.Sum256([]byte(source)))[:16] // one for each clone
	folder = filepath.Join(cache, "gitopskit", "bench", clone, area)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	args := []string{"build", "-ldflags", "-s -w", "-o", folder + string(filepath.Separator)}
	for _, c := range whos {
		args = append(args, "./engine/"+c.engine)
	}
	fmt.Fprintf(log, "%s: building the engines' programs; the first time takes a minute or more\n", area)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the engines' programs in %s: %w: %s", source, err, bytes.TrimSpace(out))
	}
	return folder, nil
}

// inProcess has a job done by a program, in a process of its own, and fills the sample.
func inProcess(ctx context.Context, program string, job, sample any) error {
	input, err := json.Marshal(job)
	if err != nil {
		return err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it can end a kubectl
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %.2000s", err, strings.TrimSpace(said.String()))
	}
	return json.Unmarshal(out.Bytes(), sample)
}

// profileOf names the file of a timed job's profile; empty: it has none.
func (o *options) profileOf(who, work string, n, round int) string {
	if o.profile == "" || round == 0 {
		return ""
	}
	clean := strings.NewReplacer("/", "-", "@", "-", " ", "-", "(", "", ")", "").Replace
	return filepath.Join(o.profile, fmt.Sprintf("%s.%d.%s.%d.pprof", clean(who), n, clean(work), round))
}
