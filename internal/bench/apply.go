package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

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

// A result is what one contender's work gave in all rounds.
type result struct {
	traffic
	samples []work.Sample
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
	engines, err := buildEngines(ctx, o, whos)
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
		for i := range whos {
			if err := r.works(ctx, whos[(i+round)%len(whos)], round); err != nil {
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
	if r.profile != "" && round > 0 {
		name := strings.NewReplacer("/", "-", "@", "-").Replace(j.Who)
		j.Profile = filepath.Join(r.profile, fmt.Sprintf("%s.%d.%s.%d.pprof", name, j.N, j.Work, round))
	}
	r.proxy.take() // what others sent
	s, err := r.measure(ctx, c, j)
	if err != nil {
		return err
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
			got := r.results[[2]string{c.name, w}]
			next := row{Area: "apply", Work: w, Who: c.name, N: r.n, Size: r.size,
				Requests: got.requests, Verbs: got.verbs, Sent: got.sent, Received: got.received}
			next.summarize(got.samples)
			rows = append(rows, next)
		}
	}
	return rows
}
