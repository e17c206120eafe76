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

	"github.com/gitopskit/gitopskit/internal/testbed"
)

const ourselves = "gitopskit"

var applyWorks = []string{workCreate, workNoOp, workOneChanged, workPrune}

// A contender does the works of the area apply.
type contender struct {
	name string
	// prepare does, in the process that measures, what is not to be measured, and returns what is.
	prepare func(context.Context, job) (func(context.Context) error, error)
	child   bool     // the work is done by a child of the process that measures
	silent  []string // works that have to be done, and are no result
}

var contenders = []contender{
	{name: ourselves, prepare: prepareGitopskit},
	{name: "fluxcd/pkg/ssa@4", prepare: prepareFlux(4)},
	{name: "fluxcd/pkg/ssa@32", prepare: prepareFlux(32)},
	{name: "kubectl", prepare: prepareKubectl, child: true},
	{name: "bare", prepare: prepareBare},
	{name: "bare-list", prepare: prepareBareList, silent: []string{workCreate, workPrune}},
}

func contenderOf(name string) (contender, error) {
	for _, c := range contenders {
		if c.name == name {
			return c, nil
		}
	}
	return contender{}, fmt.Errorf("there is no contender %q", name)
}

// An applyRun is one run of the area.
type applyRun struct {
	options
	api     *api
	server  *testbed.KubernetesServer
	proxy   *proxy
	folder  string // for the contenders' files
	results map[[2]string]*result
}

// A result is what one contender's work gave in all rounds.
type result struct {
	requests, bytes int64
	samples         []sample
}

func runApply(ctx context.Context, o options) (rows []row, err error) {
	whos := o.contenders()
	if len(whos) == 0 {
		return nil, fmt.Errorf("no contender matches %s", o.who)
	}
	r := &applyRun{options: o, results: make(map[[2]string]*result)}
	if r.folder, err = os.MkdirTemp("", "gitopskit-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.folder)) }()
	if r.server, err = testbed.StartKubernetes(ctx, testbed.KubernetesOptions{}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.server.Close()) }()
	if r.proxy, err = newProxy(r.server.Config); err != nil {
		return nil, err
	}
	defer r.proxy.Close()
	if r.api, err = newAPI(r.server.Config); err != nil {
		return nil, err
	}
	for round := range o.runs + 1 {
		fmt.Fprintf(o.log, "apply: round %d of %d, %s\n", round+1, o.runs+1, [2]string{"counting", "timed"}[min(round, 1)])
		for i := range whos {
			if err := r.works(ctx, whos[(i+round)%len(whos)], round); err != nil {
				return nil, err
			}
		}
	}
	return r.rows(whos), nil
}

// contenders returns those that the options name, and kubectl only where it is installed.
func (o *options) contenders() []contender {
	var whos []contender
	for _, c := range contenders {
		if !o.who.MatchString(c.name) {
			continue
		}
		if c.child {
			path, err := findKubectl(o.kubectl)
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

// works has one contender do all works in a fresh namespace. Round 0 is the one that is counted and not timed.
func (r *applyRun) works(ctx context.Context, c contender, round int) error {
	j := job{Who: c.name, N: r.n, Size: r.size, Kubectl: r.kubectl, Namespace: testbed.UniqueName("bench"),
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
	for _, j.Work = range applyWorks {
		if err := r.work(ctx, j, round); err != nil {
			return err
		}
	}
	return os.RemoveAll(j.Folder)
}

func (r *applyRun) work(ctx context.Context, j job, round int) error {
	key := [2]string{j.Who, j.Work}
	if r.results[key] == nil {
		r.results[key] = &result{}
	}
	if r.profile != "" && round > 0 {
		name := strings.NewReplacer("/", "-", "@", "-").Replace(j.Who)
		j.Profile = filepath.Join(r.profile, fmt.Sprintf("%s.%s.%d.pprof", name, j.Work, round))
	}
	r.proxy.take() // what others sent
	s, err := measure(ctx, j)
	if err != nil {
		return err
	}
	if round == 0 {
		r.results[key].requests, r.results[key].bytes = r.proxy.take()
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
	_, err := r.api.do(ctx, http.MethodPost, "/api/v1/namespaces", call{contentType: "application/json", body: []byte(body)})
	return err
}

// rows returns the results, work by work.
func (r *applyRun) rows(whos []contender) []row {
	var rows []row
	for _, work := range applyWorks {
		for _, c := range whos {
			if slices.Contains(c.silent, work) {
				continue
			}
			got := r.results[[2]string{c.name, work}]
			next := row{Area: "apply", Work: work, Who: c.name, N: r.n, Requests: got.requests, Bytes: got.bytes}
			next.summarize(got.samples)
			rows = append(rows, next)
		}
	}
	return rows
}
