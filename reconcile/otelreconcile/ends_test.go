package otelreconcile_test

import (
	"context"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// Each way in which a round ends, by what a loop calls and tells.
func TestEachRoundEndsOnce(t *testing.T) {
	ctx := context.Background()
	build := func(b *bench) {
		if _, err := b.loop.Build(ctx, source.NewSnapshot(fstest.MapFS{"name": {}}, source.Revision{})); err != nil {
			b.t.Error(err)
		}
	}
	applies := func(b *bench) {
		if _, err := b.loop.Apply(ctx, source.Revision{}, nil); err != nil {
			b.t.Error(err)
		}
	}
	tell := func(e reconcile.Event) func(*bench) { return func(b *bench) { b.loop.OnEvent(e) } }
	applied := tell(reconcile.Applied{Result: &apply.Result{}, Cause: reconcile.CauseNew})
	for name, c := range map[string]struct {
		steps []func(*bench)
		want  string
	}{
		"blocked": {[]func(*bench){build, tell(reconcile.DependencyNotReady{}), tell(reconcile.DependencyNotReady{}),
			applies, applied},
			"build success, SYNC web skip, apply success, SYNC web success"},
		"suspended": {[]func(*bench){build, tell(reconcile.Suspended{}), tell(reconcile.Resumed{})},
			"build success, SYNC web cancellation"},
		"pinned": {[]func(*bench){build, tell(reconcile.Pinned{}), applies, applied},
			"build success, apply success, SYNC web success"},
		"replaced":  {[]func(*bench){build, tell(reconcile.Replaced{})}, "build success, SYNC web cancellation"},
		"removed":   {[]func(*bench){build, tell(reconcile.Removed{})}, "build success, SYNC web cancellation"},
		"advanced":  {[]func(*bench){build, tell(reconcile.Advanced{})}, "build success, SYNC web success"},
		"overtaken": {[]func(*bench){build, build}, "build success, SYNC web cancellation, build success"},
		"told late": {[]func(*bench){build, applies, build, applied},
			"build success, apply success, SYNC web success, build success"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			for _, step := range c.steps {
				step(b)
			}
			if b.names() != c.want {
				t.Errorf("%s: spans %s; want %s", name, b.names(), c.want)
			}
		})
	}
}

func TestDriftIsCounted(t *testing.T) {
	b := newBench(t)
	b.loop.OnEvent(reconcile.Drifted{Loop: "web", Drifts: make([]apply.Drift, 3)})
	b.loop.OnEvent(reconcile.Drifted{Loop: "web", Drifts: make([]apply.Drift, 1)})
	b.wantMetric("gitops.object.drifts", map[string]float64{"cicd.pipeline.name=web": 4})
}

func TestADeleteIsASpan(t *testing.T) {
	b := newBench(t)
	loop := &reconcile.Loop{Name: "api", Delete: func(ctx context.Context) (*apply.Result, error) {
		b.within(ctx)
		return &apply.Result{Changes: []apply.Change{{Action: apply.Deleted}}}, nil
	}}
	b.telemetry.Instrument(loop)
	if loop.Build != nil || loop.Apply != nil || loop.Wait != nil {
		t.Error("a part that the loop lacks is there")
	}
	if result, err := loop.Delete(t.Context()); err != nil || result.Count(apply.Deleted) != 1 {
		t.Errorf("the delete returns %v, %v", result, err)
	}
	if span := b.span("delete"); get(span, "gitops.objects.deleted") != "1" || get(span, "cicd.pipeline.name") != "api" {
		t.Errorf("the delete has %v", span.Attributes())
	}
}
