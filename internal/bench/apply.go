package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

var applyContenders = []contender{
	{name: ourselves, engine: "gitopskit"},
	{name: peer, engine: "flux", concurrency: 4},
	{name: "fluxcd/pkg/ssa@32", engine: "flux", concurrency: 32},
	{name: "cli-utils", engine: "cliutils"},
	{name: "kubectl", engine: "kubectl"},
	{name: limit, engine: "bare"},
	{name: limitList, engine: "bare", silent: []string{work.Create, work.Prune}},
}

var applyArea = area{
	name: "apply", summary: "create, no-op, one-changed and prune of n objects on a Kubernetes API server",
	flags: applyFlags, run: runApply, table: printTable, sized: true, decimals: 1,
	contenders: applyContenders,
	notes: "Requests and bytes of bodies are from a round through a counting proxy that was not timed. Peak memory is the\n" +
		"whole process's during the work; of these were there before it: the program and the objects. x is the ratio of the\n" +
		"medians. kubectl's time is its process's.\n",
	growth: []cost{{what: "ms", figure: milliseconds, decimals: 1}, {what: "MiB", figure: mebibytes, decimals: 1}},
	// A contender that is the peer is to be beaten, a limit to be kept near.
	bars: []bar{
		{what: "no-op ms", work: work.NoOp, than: []string{peer}, figure: milliseconds, least: 50},
		{what: "no-op ms", work: work.NoOp, than: []string{limitList}, figure: milliseconds, most: 3},
		{what: "create ms", work: work.Create, than: []string{peer}, figure: milliseconds, least: 3},
		{what: "create ms", work: work.Create, than: []string{limit}, figure: milliseconds, most: 1.25},
		{what: "prune ms", work: work.Prune, than: []string{limit}, figure: milliseconds, most: 1.25},
		{what: "create peak MiB", work: work.Create, than: []string{peer}, figure: mebibytes, most: 0.5, from: 10_000},
		{what: "no-op peak MiB", work: work.NoOp, than: []string{peer}, figure: mebibytes, most: 0.5, from: 10_000},
	},
}

const (
	peer      = "fluxcd/pkg/ssa@4" // with Flux's default concurrency
	limit     = "bare"
	limitList = "bare-list"
)

func applyFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.sizes, "size", "0", "bytes added to each object, up to 200000; or several numbers")
	flags.StringVar(&o.kubectl, "kubectl", "kubectl", "name or path of kubectl; it is left out where it is not found")
}

// An applyRun is one run of the area at one scale, with a server of its own.
type applyRun struct {
	options
	scale
	api     *work.API
	server  *testbed.KubernetesServer
	proxy   *proxy
	engines string // folder of their programs
	folder  string // for the contenders' files
	results map[[2]string]*result
}

// contenders returns those that the options name, and kubectl only where it is installed.
func (o *options) contenders() []contender {
	return slices.DeleteFunc(matching(applyContenders, o.who), func(c contender) bool {
		if c.engine != "kubectl" {
			return false
		}
		path, err := exec.LookPath(o.kubectl)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			fmt.Fprintf(o.log, "apply: leaving out %s: %v\n", c.name, err)
			return true
		}
		o.kubectl = path
		fmt.Fprintf(o.log, "apply: kubectl is %s\n", path)
		return false
	})
}

func runApply(ctx context.Context, o options) (rows []row, err error) {
	whos := o.contenders()
	if len(whos) == 0 {
		return nil, fmt.Errorf("no contender matches %s", o.who)
	}
	folder, err := os.MkdirTemp("", "gitopskit-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	engines, err := buildEngines(ctx, o.log, "apply", whos)
	if err != nil {
		return nil, err
	}
	for _, s := range o.scales {
		r := &applyRun{options: o, scale: s, engines: engines, folder: folder, results: make(map[[2]string]*result)}
		if err := r.run(ctx, whos); err != nil {
			return nil, err
		}
		measured := r.rows(whos)
		if err := o.print(measured); err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

func (r *applyRun) run(ctx context.Context, whos []contender) (err error) {
	if r.server, err = testbed.StartKubernetes(ctx, testbed.KubernetesOptions{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.server.Close()) }()
	if r.proxy, err = newProxy(r.server.Config); err != nil {
		return err
	}
	defer r.proxy.Close()
	if r.api, err = work.NewAPI(r.server.Config); err != nil {
		return err
	}
	for round := range r.runs + 1 {
		fmt.Fprintf(r.log, "apply: n %d, %d bytes, round %d of %d, %s\n", r.n, r.size, round+1, r.runs+1,
			[2]string{"counting", "timed"}[min(round, 1)])
		for _, c := range turns(whos, round) {
			if err := r.works(ctx, c, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// works has one contender do all works in a fresh namespace. Round 0 is the one that is counted and not timed.
func (r *applyRun) works(ctx context.Context, c contender, round int) error {
	j := work.Job{Who: c.name, Concurrency: c.concurrency, N: r.n, Size: r.size, Kubectl: r.kubectl,
		Namespace: testbed.UniqueName("bench"), Cache: filepath.Join(r.folder, "cache-of-"+c.engine),
		Host: r.server.Config.Host, Token: r.server.Config.BearerToken, CA: r.server.Config.CAData}
	if round == 0 {
		j.Host, j.CA = r.proxy.URL, r.proxy.certificate()
	}
	if err := r.makeNamespace(ctx, j.Namespace); err != nil {
		return err
	}
	j.Folder = filepath.Join(r.folder, j.Namespace)
	if err := os.Mkdir(j.Folder, 0o700); err != nil {
		return err
	}
	for _, j.Work = range work.All {
		if err := r.work(ctx, c, j, round); err != nil {
			return err
		}
	}
	return os.RemoveAll(j.Folder)
}

func (r *applyRun) work(ctx context.Context, c contender, j work.Job, round int) error {
	key := [2]string{j.Who, j.Work}
	if r.results[key] == nil {
		r.results[key] = &result{}
	}
	j.Profile = r.profileOf(j.Who, j.Work, j.N, round)
	r.proxy.take() // what others sent
	var s measure.Sample
	if err := inProcess(ctx, c.program(r.engines), j, &s); err != nil {
		return fmt.Errorf("%s by %s: %w", j.Work, j.Who, err)
	}
	if round == 0 {
		r.results[key].traffic = r.proxy.take()
	} else {
		r.results[key].samples = append(r.results[key].samples, s)
	}
	if r.after != nil {
		return r.after(j)
	}
	return nil
}

func (r *applyRun) makeNamespace(ctx context.Context, name string) error {
	body := fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name)
	_, err := r.api.Do(ctx, http.MethodPost, "/api/v1/namespaces", work.Call{ContentType: "application/json", Body: []byte(body)})
	return err
}

// rows returns the results, work by work.
func (r *applyRun) rows(whos []contender) []row {
	var rows []row
	for _, w := range work.All {
		for _, c := range whos {
			if slices.Contains(c.silent, w) {
				continue
			}
			next := row{Area: "apply", Work: w, Who: c.name, N: r.n, Size: r.size}
			r.results[[2]string{c.name, w}].fill(&next)
			rows = append(rows, next)
		}
	}
	return rows
}
