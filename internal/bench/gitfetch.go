package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
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
	works   []string
	whos    []contender
	engines string // folder of their programs
	server  *testbed.GitServer
	wire    *wire            // before the server
	control *httptest.Server // engines tell it that they are prepared
	atReady func() error     // what is done then
}

func runGit(ctx context.Context, o options) (rows []row, err error) {
	r := &gitRun{options: o, whos: matching(gitContenders, o.who)}
	if len(r.whos) == 0 {
		return nil, fmt.Errorf("no contender matches %s", o.who)
	}
	works, err := regexp.Compile(o.works)
	if err != nil {
		return nil, fmt.Errorf("reading the expression of the works: %w", err)
	}
	r.works = slices.DeleteFunc(slices.Clone(gitWorks), func(w string) bool { return !works.MatchString(w) })
	if r.engines, err = buildEngines(ctx, o.log, "git", r.whos); err != nil {
		return nil, err
	}
	for _, s := range o.scales {
		measured, err := r.scale(ctx, s)
		if err != nil {
			return nil, err
		}
		if err := o.print(measured); err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
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
	r.control = httptest.NewServer(http.HandlerFunc(r.ready))
	defer r.control.Close()
	fmt.Fprintf(r.log, "git: making the repositories for n %d\n", s.n)
	repositories, err := makeRepositories(ctx, r.server, s.n)
	if err != nil {
		return nil, fmt.Errorf("making the repositories: %w", err)
	}
	for _, work := range r.works {
		done, err := r.work(ctx, work, repositories, s)
		if err != nil {
			return nil, fmt.Errorf("%s of %d: %w", work, s.n, err)
		}
		rows = append(rows, done...)
	}
	return rows, nil
}

// ready answers an engine that is prepared: what it did so far does not count, and what is new arrives.
func (r *gitRun) ready(w http.ResponseWriter, _ *http.Request) {
	if err := r.atReady(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// A gitResult is what one contender's work gave in all rounds.
type gitResult struct {
	traffic
	samples []measure.Sample
}

// work has one work done by all contenders in turn: first to count, then to take the time.
func (r *gitRun) work(ctx context.Context, work string, all *repositories, s scale) ([]row, error) {
	origin := all.of(work)
	want, err := origin.content(ctx)
	if err != nil {
		return nil, err
	}
	whos := slices.DeleteFunc(slices.Clone(r.whos), func(c contender) bool { return slices.Contains(c.without, work) })
	if len(whos) == 0 {
		return nil, nil
	}
	results := make(map[string]*gitResult)
	for round := 0; round <= s.runs; round++ {
		fmt.Fprintf(r.log, "git: %s, round %d of %d\n", work, round, s.runs)
		for _, c := range turns(whos, round) {
			sample, counted, err := r.job(ctx, origin, all, fetch.Job{Who: c.name, Work: work}, c, round, s.n)
			if err == nil && sample.Content != want {
				err = fmt.Errorf("%d files are not the %d that git archive gives", sample.Files, want.Files)
			}
			if err != nil {
				return nil, fmt.Errorf("by %s: %w", c.name, err)
			}
			if round == 0 {
				results[c.name] = &gitResult{traffic: counted}
				continue
			}
			results[c.name].samples = append(results[c.name].samples, sample.Sample)
		}
	}
	var rows []row
	for _, c := range whos {
		rows = append(rows, results[c.name].row(work, c.name, s.n, want.Files))
	}
	return rows, nil
}

func (g *gitResult) row(work, who string, n, files int) row {
	r := row{Area: "git", Work: work, Who: who, N: n, Objects: files, Requests: g.requests, Verbs: g.verbs, Sent: g.sent,
		Received: g.received}
	r.summarize(g.samples)
	return r
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
	r.atReady = func() error {
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
