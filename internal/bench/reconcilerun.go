package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/fleet"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

func reconcileFlags(flags *flag.FlagSet, o *options) {
	flags.DurationVar(&o.interval, "interval", 20*time.Second, "of the loops")
	flags.DurationVar(&o.idle, "idle", time.Minute, "how long the idle step is")
	flags.StringVar(&o.svg, "svg", "", "file for a plot of the first convergence and the peak by the number of loops")
}

// A reconcileRun is one run of the area.
type reconcileRun struct {
	options
	choice
	scale
	git   *testbed.GitServer
	wire  *wire // before the Git server
	fleet *fleetRepository
}

func runReconcile(ctx context.Context, o options) (rows []row, err error) {
	r := &reconcileRun{options: o}
	if r.choice, err = o.choose(ctx, "reconcile", reconcileContenders); err != nil {
		return nil, err
	}
	if rows, err = o.atEach(func(s scale) ([]row, error) { return r.at(ctx, s) }); err != nil || o.svg == "" {
		return rows, err
	}
	return rows, writeCurve(o.svg, rows)
}

// at starts a Git server for one n, and has all works done by all contenders in turn: first to count, then to take the time.
func (r *reconcileRun) at(ctx context.Context, s scale) (rows []row, err error) {
	r.scale = s
	if r.git, err = testbed.StartGit(testbed.GitOptions{}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.git.Close()) }()
	if r.wire, err = newWire(r.git.HTTP); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.wire.Close()) }()
	if r.fleet, err = makeFleet(ctx, r.git, s.n); err != nil {
		return nil, fmt.Errorf("making the repository: %w", err)
	}
	results := make(map[string]*fleetResult)
	err = r.inTurn("reconcile", fmt.Sprintf("%d loops", s.n), r.whos, 0, s.runs, func(c contender, round int) error {
		if results[c.name] == nil {
			results[c.name] = &fleetResult{}
		}
		return r.job(ctx, c, round, results[c.name])
	})
	if err != nil {
		return nil, err
	}
	for _, w := range fleet.All {
		for _, c := range r.whos {
			if measured, ok := results[c.name].row(w); ok {
				measured.N, measured.Who, measured.Objects = s.n, c.name, s.n*fleet.ObjectsEach
				measured.IntervalMS = r.interval.Seconds() * 1000
				rows = append(rows, measured)
			}
		}
	}
	return rows, nil
}

// job is one process, with a Kubernetes API server of its own: others' objects would be in its lists. In round 0, which
// counts, it is by way of a proxy, and the idle minute is in this one only.
func (r *reconcileRun) job(ctx context.Context, c contender, round int, to *fleetResult) (err error) {
	server, err := testbed.StartKubernetes(ctx, testbed.KubernetesOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	j := fleet.Job{Who: c.name, N: r.n, Namespace: "fleet", Secret: rand.Text(), Interval: r.interval, Profiles: make(map[string]string),
		Host: server.Config.Host, Token: server.Config.BearerToken, CA: server.Config.CAData, URL: r.wire.URL + "/" + r.fleet.Name + ".git"}
	for _, w := range fleet.All {
		j.Profiles[w] = r.profileOf(c.name, w, r.n, round)
	}
	acts := &fleetActs{reconcileRun: r, ctx: ctx, job: &j, counted: make(map[string]fleetTraffic)}
	if acts.api, err = work.NewAPI(server.Config); err != nil {
		return err
	}
	if round == 0 {
		proxy, err := newProxy(server.Config)
		if err != nil {
			return err
		}
		defer proxy.Close()
		j.Host, j.CA, j.Idle, acts.proxy = proxy.URL, proxy.certificate(), r.idle, proxy
	}
	if err := acts.prepare(ctx); err != nil {
		return err
	}
	control := acts.control()
	defer control.Close()
	j.Control = control.URL
	var sample fleet.Sample
	if err := inProcess(ctx, c.program(r.engines), j, &sample); err != nil {
		return err
	}
	if done, want := len(sample.Steps), len(fleet.All); c.name == ourselves && done < want-1 {
		return fmt.Errorf("%d steps of %d were done", done, want)
	}
	to.add(sample, round, acts.counted)
	return nil
}

// A fleetResult is what one contender's steps gave in all rounds.
type fleetResult struct {
	steps   map[string][]fleet.Step
	counted map[string]fleetTraffic
	first   map[string]fleet.Step // of round 0
}

// A fleetTraffic is what passed to the API server and to the Git server.
type fleetTraffic struct{ cluster, source traffic }

func (f *fleetResult) add(s fleet.Sample, round int, counted map[string]fleetTraffic) {
	if round == 0 {
		f.counted, f.first, f.steps = counted, make(map[string]fleet.Step), make(map[string][]fleet.Step)
	}
	for _, step := range s.Steps {
		if round == 0 {
			f.first[step.Work] = step
		} else {
			f.steps[step.Work] = append(f.steps[step.Work], step)
		}
	}
}

// row is a work's. That of the idle minute has the figures of the round that counts.
func (f *fleetResult) row(work string) (row, bool) {
	first, ok := f.first[work]
	if !ok {
		return row{}, false
	}
	steps := f.steps[work]
	if len(steps) == 0 {
		steps = []fleet.Step{first}
	}
	r := row{Area: "reconcile", Work: work, Fetches: first.Fetches, Builds: first.Builds, Applies: first.Applies}
	g := result{traffic: f.counted[work].cluster}
	var cpu []float64
	for _, s := range steps {
		g.samples = append(g.samples, s.Sample)
		cpu = append(cpu, s.CPUMS)
	}
	g.fill(&r)
	slices.Sort(cpu)
	r.CPUMS = hundredths(cpu[len(cpu)/2])
	source := f.counted[work].source
	r.SourceRequests, r.SourceBytes = source.requests, source.sent+source.received
	return r, true
}
