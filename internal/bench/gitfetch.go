package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

// gitWorks are in the order in which they are printed.
var gitWorks = []string{fetch.NothingNew, fetch.Full, fetch.Path, fetch.NewCommit, fetch.SemVer, fetch.OldCommit}

func gitFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.works, "work", ".", "regular expression of the works that are done")
}

// A gitRun is one run of the area.
type gitRun struct {
	options
	choice
	server  *testbed.GitServer
	wire    *wire // before the server
	control *control
}

func runGit(ctx context.Context, o options) (rows []row, err error) {
	r := &gitRun{options: o}
	if r.choice, err = o.choose(ctx, "git", gitContenders); err != nil {
		return nil, err
	}
	return o.atEach(func(s scale) ([]row, error) { return r.scale(ctx, s) })
}

// scale starts a server for one n, and has all works done there.
func (r *gitRun) scale(ctx context.Context, s scale) (rows []row, err error) {
	if r.server, err = testbed.StartGit(testbed.GitOptions{}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.server.Close()) }()
	if r.wire, err = newWire(r.server.HTTP); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.wire.Close()) }()
	r.control = newControl()
	defer r.control.Close()
	fmt.Fprintf(r.log, "git: making the repositories for n %d\n", s.n)
	repositories, err := makeRepositories(ctx, r.server, s.n)
	if err != nil {
		return nil, fmt.Errorf("making the repositories: %w", err)
	}
	for _, work := range gitWorks {
		if !r.named.MatchString(work) {
			continue
		}
		done, err := r.work(ctx, work, repositories, s)
		if err != nil {
			return nil, fmt.Errorf("%s of %d: %w", work, s.n, err)
		}
		rows = append(rows, done...)
	}
	return rows, nil
}

// work has one work done by all contenders in turn: first to count, then to take the time.
func (r *gitRun) work(ctx context.Context, work string, all *repositories, s scale) ([]row, error) {
	origin := all.of(work)
	want, err := origin.content(ctx)
	if err != nil {
		return nil, err
	}
	whos := slices.DeleteFunc(slices.Clone(r.whos), func(c contender) bool { return slices.Contains(c.without, work) })
	results := make(map[string]*result)
	err = r.inTurn("git", work, whos, 0, s.runs, func(c contender, round int) error {
		sample, counted, err := r.job(ctx, origin, all, fetch.Job{Who: c.name, Work: work}, c, round, s.n)
		switch {
		case err != nil:
			return err
		case sample.Content != want:
			return fmt.Errorf("%d files are not the %d that git archive gives", sample.Files, want.Files)
		case round == 0:
			results[c.name] = &result{traffic: counted}
		default:
			results[c.name].samples = append(results[c.name].samples, sample.Sample)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range whos {
		measured := row{Area: "git", Work: work, Who: c.name, N: s.n, Objects: want.Files}
		results[c.name].fill(&measured)
		rows = append(rows, measured)
	}
	return rows, nil
}

// askedTimes is how often one process asks whether there is something new: once is too short to be told from noise.
const askedTimes = 20

// job is one process. In round 0, which counts, it does its work once, by the wire.
func (r *gitRun) job(ctx context.Context, o origin, all *repositories, j fetch.Job, c contender, round, n int) (
	s fetch.Sample, counted traffic, err error) {
	j.URL, j.Warm, j.Ready = o.URL(), all.warm.URL(), r.control.URL
	j.Path, j.Range, j.Commit = o.path, o.versions, o.known
	switch {
	case round == 0:
		j.URL = r.wire.URL + o.URL()[len(r.server.HTTP):]
	case j.Work == fetch.NothingNew:
		j.Times = askedTimes
	}
	j.Profile = r.profileOf(c.name, j.Work, n, round)
	for _, folder := range []*string{&j.Folder, &j.WarmWith} {
		if *folder, err = os.MkdirTemp(tmpfs(), "gitopskit-bench-"); err != nil {
			return s, counted, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*folder)) }()
	}
	if err := o.moveTo(ctx, o.before); err != nil {
		return s, counted, err
	}
	r.control.atReady = func() error {
		r.take()
		return o.moveTo(ctx, o.tip)
	}
	if err := inProcess(ctx, c.program(r.engines), j, &s); err != nil {
		return s, counted, err
	}
	return s, r.take(), nil
}

// tmpfs is where the contenders' files are, as the server's are: in memory where the machine has a place for that.
func tmpfs() string {
	if os.Getenv("TMPDIR") == "" {
		if probe, err := os.MkdirTemp("/dev/shm", "gitopskit-bench-"); err == nil && os.Remove(probe) == nil {
			return "/dev/shm"
		}
	}
	return os.TempDir()
}

// take returns what passed since the last call: the requests by method as the server got them, and the bytes of the wire.
func (r *gitRun) take() traffic {
	t := r.wire.take()
	t.verbs = make(map[string]int64)
	for _, request := range r.server.TakeRequests() {
		t.verbs[methodOf(request)]++
		t.requests++
	}
	return t
}
