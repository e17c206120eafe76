package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// repositories are what the works of one n fetch from.
type repositories struct {
	big, full, tagged *made
	warm              *made
}

// A made repository has a branch with commits, the first of which adds all files.
type made struct {
	*testbed.Repository
	commits []string // the first one first
	folders int      // below apps
}

// An origin is what one work is about.
type origin struct {
	*made
	before, tip string // where the branch is while the job is prepared, and then
	want        string // the commit that is fetched; empty: nothing is
	known       string // what the job is told, see [fetch.Job]
	path        string
	versions    string
}

// makeRepositories are in the proportions that the area is about: of n files a path holds n/100; n/10 files have n/100
// commits; n/100 files have n/10 tags.
func makeRepositories(ctx context.Context, s *testbed.GitServer, n int) (*repositories, error) {
	each := max(n/100, leastInFolder)
	var all repositories
	for _, plan := range []struct {
		to     **made
		name   string
		recipe recipe
	}{
		{&all.big, "big", recipe{files: n, commits: 10, each: each, changes: 1}},
		{&all.full, "full", recipe{files: max(n/10, 1), commits: max(n/100, 2), each: each, changes: 10, slim: true}},
		{&all.tagged, "tagged",
			recipe{files: max(n/100, 1), commits: max(n/10, 1), each: each, changes: 1, tags: true, slim: true}},
		{&all.warm, "warm", recipe{files: 2, commits: 1, each: 2}},
	} {
		r, err := s.NewRepository(ctx, plan.name)
		if err != nil {
			return nil, err
		}
		if *plan.to, err = plan.recipe.make(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: %w", plan.name, err)
		}
	}
	return &all, nil
}

// of returns what a work is about.
func (r *repositories) of(work string) origin {
	all := map[string]origin{
		fetch.NothingNew: {made: r.full, known: r.full.last(0)},
		fetch.Full:       {made: r.full, want: r.full.last(0)},
		fetch.Path:       {made: r.big, want: r.big.last(0), path: fmt.Sprintf("apps/team-%03d", r.big.folders/2)},
		fetch.NewCommit:  {made: r.big, want: r.big.last(0), before: r.big.last(1), known: r.big.last(1)},
		fetch.SemVer:     {made: r.tagged, want: r.tagged.commits[highest(len(r.tagged.commits))], versions: "1.x"},
		fetch.OldCommit:  {made: r.full, want: r.full.last(behind(len(r.full.commits)))},
	}
	o := all[work]
	o.tip = o.last(0)
	if o.before == "" {
		o.before = o.tip
	}
	if work == fetch.OldCommit {
		o.known = o.want
	}
	return o
}

// last returns the commit that is so many behind the branch's tip.
func (m *made) last(behind int) string { return m.commits[len(m.commits)-1-behind] }

// behind is 200 of 500 commits.
func behind(commits int) int { return max(commits*2/5, 1) }

// moveTo sets the branch.
func (m *made) moveTo(ctx context.Context, commit string) error {
	_, err := m.Git(ctx, "update-ref", "refs/heads/"+fetch.Branch, commit)
	return err
}

// content is what git itself gives of the commit.
func (o origin) content(ctx context.Context) (content fetch.Content, err error) {
	if o.want == "" {
		return content, nil
	}
	args := []string{"archive", "--format=tar", o.want}
	if o.path != "" {
		args = append(args, o.path)
	}
	err = o.pipe(ctx, func(_ io.Writer, out io.Reader) error {
		content, err = fetch.ReadArchive(out)
		return err
	}, args...)
	return content, err
}

// pipe runs git in the repository, for what is too much to have in memory.
func (m *made) pipe(ctx context.Context, do func(in io.Writer, out io.Reader) error, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", m.Dir}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := do(in, out)
	_ = in.Close()                  // it may be at its end already
	_, _ = io.Copy(io.Discard, out) // what do has not read
	if err := errors.Join(failed, cmd.Wait()); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// A recipe says how a repository is made. It gives the same commits each time.
type recipe struct {
	files, commits int
	each           int // files in a folder below apps
	changes        int // files that each commit after the first one changes
	tags           bool
	slim           bool // deltas are chosen by git and not by the import, which is slow for many files
}

// leastInFolder is one service: with a script and a link.
const leastInFolder = 20

// make writes the commits, and packs them as servers do.
func (r recipe) make(ctx context.Context, to *testbed.Repository) (*made, error) {
	m := &made{Repository: to, folders: (r.files + r.each - 1) / r.each}
	err := m.pipe(ctx, func(in io.Writer, _ io.Reader) error {
		out := bufio.NewWriterSize(in, 1<<20)
		r.write(out)
		return out.Flush()
	}, "fast-import", "--quiet", "--done")
	if err != nil {
		return nil, err
	}
	// What a server got by pushes has git's own deltas. Those of the import lead from file to file and through all of the
	// history, and the server has to find others for each fetch.
	args := []string{"repack", "-a", "-d", "-q", "--write-bitmap-index"}
	if r.slim {
		args = append(args, "-f")
	}
	if _, err := m.Git(ctx, args...); err != nil {
		return nil, err
	}
	if _, err := m.Git(ctx, "pack-refs", "--all"); err != nil {
		return nil, err
	}
	list, err := m.Git(ctx, "rev-list", "--reverse", fetch.Branch)
	m.commits = strings.Fields(list)
	return m, err
}

// write speaks git fast-import's language. A failure to write is the writer's to tell.
func (r recipe) write(w *bufio.Writer) {
	random := rand.New(rand.NewPCG(uint64(r.files), uint64(r.commits)))
	for c := range r.commits {
		who := fmt.Sprintf("Bench <bench@example.com> %d +0000", 1_700_000_000+60*c)
		fmt.Fprintf(w, "commit refs/heads/%s\nmark :%d\ncommitter %s\ndata 7\nchange\n\n", fetch.Branch, c+1, who)
		if c == 0 {
			for i := range r.files {
				r.writeFile(w, i, c)
			}
		} else {
			for range r.changes {
				r.writeFile(w, r.changed(random), c)
			}
		}
		name := tagName(c)
		switch {
		case !r.tags:
		case c%2 == 0:
			fmt.Fprintf(w, "reset refs/tags/%s\nfrom :%d\n\n", name, c+1)
		default:
			fmt.Fprintf(w, "tag %s\nfrom :%d\ntagger %s\ndata 8\nrelease\n\n", name, c+1, who)
		}
	}
	fmt.Fprint(w, "done\n")
}

// changed is the number of a file and not of a link: Flux's client cannot go from a commit to one where a link leads
// elsewhere.
func (r recipe) changed(random *rand.Rand) int {
	for {
		if i := random.IntN(r.files); !r.isLink(i) {
			return i
		}
	}
}

// tagName is the one of a commit, by its number: every tenth is a prerelease.
func tagName(i int) string {
	name := fmt.Sprintf("v%d.%d.%d", 1+i/1000, i/20%50, i%20)
	if i%10 == 9 {
		name += "-rc.1"
	}
	return name
}

// highest is the number of the commit that the range 1.x is, of so many that have tags.
func highest(tags int) int {
	i := min(tags, 1000) - 1
	if i%10 == 9 {
		i--
	}
	return i
}
