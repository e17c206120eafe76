// The program of gitopskit itself: one process with a loop for each application, as a consumer would write it.
package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/bench/fleet"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/webhook"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

func main() { measure.Main(run) }

// An engine is the process.
type engine struct {
	fleet.Job
	group reconcile.Group
	tally tally
}

func run(ctx context.Context, j fleet.Job) (s fleet.Sample, err error) {
	e := &engine{Job: j, tally: tally{news: make(chan struct{})}}
	applier, err := apply.New(j.Config(), apply.Options{})
	if err != nil {
		return s, err
	}
	origin, err := git.New(j.URL, git.Options{Branch: fleet.Branch})
	if err != nil {
		return s, err
	}
	watches := applier.Watches(ctx)
	defer watches.Close()
	e.group.OnEvent = e.tally.hear
	for i := range j.N {
		if err := e.group.Add(e.loop(i, origin, applier, watches)); err != nil {
			return s, err
		}
	}
	hook, err := e.hook()
	if err != nil {
		return s, err
	}
	server := httptest.NewServer(hook)
	defer server.Close()
	if err := work.Warm(ctx, j.Config()); err != nil {
		return s, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	steps := &fleet.Steps{Job: j, Hook: server.URL}
	ended := make(chan error, 1)
	err = e.works(ctx, steps, func() { ended <- e.group.Run(ctx) })
	stop()
	if err == nil {
		if err = <-ended; errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	return fleet.Sample{Steps: steps.Done}, err
}

// loop keeps one application. It does not wait for health: the server has no controllers.
func (e *engine) loop(i int, origin source.Source, applier *apply.Applier, watches reconcile.Watcher) *reconcile.Loop {
	name := fleet.Name(i)
	target := reconcile.NewTarget(applier,
		apply.Set{ID: apply.ID{Namespace: e.Namespace, Name: name}, Namespace: e.Namespace},
		reconcile.TargetOptions{Watcher: watches})
	loop := &reconcile.Loop{Name: name, Source: origin, Interval: e.Interval, Jitter: -1,
		Build: e.tally.building((&kustomize.Builder{Dir: fleet.Folder(i)}).Build)}
	target.Use(loop)
	loop.Wait = nil
	return loop
}

// hook has the loops look at a push to their repository.
func (e *engine) hook() (http.Handler, error) {
	return webhook.New(webhook.Options{Provider: webhook.GitHub, Secrets: []string{e.Secret}, OnPush: func(p webhook.Push) {
		concerned := p.Concerns(e.URL, "refs/heads/"+fleet.Branch)
		e.group.TriggerSource(func(*reconcile.Loop) bool { return concerned })
	}})
}

// quiet is how long nothing is heard before a step is over: what it caused is counted, too.
const quiet = 300 * time.Millisecond

// works does one step after the other.
func (e *engine) works(ctx context.Context, steps *fleet.Steps, start func()) error {
	n, t := e.N, &e.tally
	until := func(is func(counts) bool) func(context.Context) error {
		return func(ctx context.Context) error { return t.await(ctx, is) }
	}
	mended := until(func(c counts) bool { return c.mended > 0 })
	others := until(func(c counts) bool { return c.advanced == n-1 })
	for _, c := range []fleet.Course{
		{Work: fleet.First, Do: func(ctx context.Context) error {
			go start()
			return until(func(c counts) bool { return c.created == n*fleet.ObjectsEach && c.applies == n })(ctx)
		}},
		{Work: fleet.OneTouched, Do: until(func(c counts) bool { return c.configured == 1 }), Settle: others},
		{Work: fleet.NoTouched, Do: until(func(c counts) bool { return c.advanced == n })},
		{Work: fleet.Idle, Do: func(ctx context.Context) error { return pause(ctx, e.Idle) }},
		{Work: fleet.Drift, Do: mended},
		{Work: fleet.SourceDown, Do: until(func(c counts) bool { return c.unreachable >= n })},
		{Work: fleet.DriftDown, Do: mended},
		{Work: fleet.SourceBack, Do: until(func(c counts) bool { return c.configured == 1 }), Settle: others},
	} {
		if c.Work == fleet.Idle && e.Idle == 0 {
			continue
		}
		t.begin(c.Work == fleet.SourceDown || c.Work == fleet.DriftDown || c.Work == fleet.SourceBack)
		settle := c.Settle
		c.Settle = func(ctx context.Context) error {
			if settle != nil {
				if err := settle(ctx); err != nil {
					return err
				}
			}
			return t.rest(ctx, quiet)
		}
		c.Count = t.count
		if err := steps.Take(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type objects = []*unstructured.Unstructured
