package otelreconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/otelreconcile"
	"github.com/gitopskit/gitopskit/source"
)

func TestARoundIsATrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run(30 * time.Second)
		if want := "fetch success, build success, apply success, SYNC web success, wait success"; b.names() != want {
			t.Fatalf("spans %s; want %s", b.names(), want)
		}
		if want := []string{"fetch", "build", "apply", "wait"}; !slices.Equal(b.inside, want) {
			t.Errorf("the stages are in %v; want %v", b.inside, want)
		}
		round, fetch := b.span("SYNC web"), b.span("fetch")
		if round.SpanKind() != trace.SpanKindServer || round.EndTime().Sub(round.StartTime()) != 6*time.Second ||
			round.Parent().IsValid() {
			t.Errorf("the round is %v, %v, in %v", round.SpanKind(), round.EndTime().Sub(round.StartTime()), round.Parent())
		}
		if links := round.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != fetch.SpanContext().SpanID() {
			t.Errorf("the round has the links %v", links)
		}
		for _, name := range []string{"build", "apply", "wait"} {
			if b.span(name).Parent().SpanID() != round.SpanContext().SpanID() {
				t.Errorf("%s is not in the round", name)
			}
		}
		for key, want := range map[string]string{"cicd.pipeline.name": "web", "cicd.pipeline.action.name": "SYNC",
			"cicd.pipeline.result": "success",
			"vcs.ref.head.name":    "main", "vcs.ref.head.revision": "855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f901",
			"gitops.cause":    "new objects",
			"gitops.revision": "main@sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f901", "gitops.objects": "2",
			"gitops.objects.created": "1", "error.type": ""} {
			if got := get(round, key); got != want {
				t.Errorf("the round's %s is %q; want %q", key, got, want)
			}
		}
		if get(fetch, "vcs.repository.url.full") != "https://git.example.com/ops/fleet" ||
			get(fetch, "vcs.ref.head.name") != "main" {
			t.Errorf("the fetch has %v", fetch.Attributes())
		}
		b.wantMetric("cicd.pipeline.run.duration",
			map[string]float64{"cicd.pipeline.name=web,cicd.pipeline.result=success,cicd.pipeline.run.state=executing": 6})
		b.wantMetric("gitops.stage.duration", map[string]float64{
			"cicd.pipeline.task.name=fetch,cicd.pipeline.task.run.result=success": 0,
			"cicd.pipeline.task.name=build,cicd.pipeline.task.run.result=success": 2,
			"cicd.pipeline.task.name=apply,cicd.pipeline.task.run.result=success": 4,
			"cicd.pipeline.task.name=wait,cicd.pipeline.task.run.result=success":  0})
		b.wantMetric("gitops.object.changes", map[string]float64{"cicd.pipeline.name=web,gitops.action=created": 1})
		b.wantMetric("cicd.pipeline.run.errors", nil)
		if len(b.told) == 0 {
			t.Error("the loop's own OnEvent was told nothing")
		}
	})
}

func TestFailuresAreOnTheirSpans(t *testing.T) {
	errWrong := errors.New("it is wrong")
	for _, c := range []struct {
		stage  string
		set    func(*bench)
		want   string
		result string
	}{
		{"fetch", func(b *bench) { b.fetchErr = errWrong }, "fetch failure", ""},
		{"build", func(b *bench) { b.buildErr = errWrong }, "fetch success, build failure, SYNC web failure", "failure"},
		{"apply", func(b *bench) { b.err = errWrong }, "fetch success, build success, apply failure, SYNC web failure",
			"failure"},
		{"apply", func(b *bench) { b.loop.Timeouts.Apply = time.Second; b.err = context.DeadlineExceeded },
			"fetch success, build success, apply timeout, SYNC web timeout", "timeout"},
		{"wait", func(b *bench) { b.unwell = errWrong },
			"fetch success, build success, apply success, SYNC web success, wait failure", "success"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			c.set(b)
			b.run(9 * time.Second) // before the first retry
			if b.names() != c.want {
				t.Errorf("spans %s; want %s", b.names(), c.want)
			}
			failed := b.span(c.stage)
			if failed.Status().Code != codes.Error || len(failed.Events()) != 1 || get(failed, "error.type") == "" {
				t.Errorf("%s has the status %v, the events %v and %v", c.stage, failed.Status(), failed.Events(), failed.Attributes())
			}
			if c.result != "" && get(b.span("SYNC web"), "cicd.pipeline.result") != c.result {
				t.Errorf("the round is %v", b.span("SYNC web").Attributes())
			}
			n := 0.0
			for attrs, v := range b.metric("cicd.pipeline.run.errors") {
				if n += v; !strings.Contains(attrs, "error.type=") || strings.Contains(attrs, "wrong") {
					t.Errorf("an error is counted as %s", attrs)
				}
			}
			if n != 1 {
				t.Errorf("%v errors are counted", n)
			}
		})
	}
}

// A retry is a round of its own, which refers to the one before.
func TestARetryIsLinkedToTheRoundBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.err = errors.New("it is wrong")
		b.loop.Wait = nil
		b.run(30 * time.Second)
		var rounds []sdktrace.ReadOnlySpan
		for _, s := range b.spans.Ended() {
			if s.Name() == "SYNC web" {
				rounds = append(rounds, s)
			}
		}
		if len(rounds) != 2 || get(rounds[1], "gitops.cause") != "retry" {
			t.Fatalf("spans %s", b.names())
		}
		if links := rounds[1].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != rounds[0].SpanContext().SpanID() {
			t.Errorf("the retry has the links %v", links)
		}
		if rounds[1].SpanContext().TraceID() == rounds[0].SpanContext().TraceID() {
			t.Error("the retry is in the trace of the round before")
		}
	})
}

// What builds to the same objects ends its round without an apply, and what is not modified has none.
func TestARoundWithoutAnApplyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.loop.Wait = nil
		b.loop.Drift = func(ctx context.Context) ([]apply.Drift, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		b.commits = []string{"01", "01", "02"}
		build := b.loop.Build
		b.loop.Build = func(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
			_, err := build(ctx, fsys)
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
			o.SetName("same")
			return []*unstructured.Unstructured{o}, err
		}
		b.run(150 * time.Second)
		want := "fetch success, build success, apply success, SYNC web success, " +
			"fetch success, fetch success, build success, SYNC web success"
		if b.names() != want {
			t.Errorf("spans %s; want %s", b.names(), want)
		}
	})
}

func TestLoopsGoOnToShareASource(t *testing.T) {
	telemetry, err := otelreconcile.New(otelreconcile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	one, two := &origin{&bench{}}, &origin{&bench{}}
	if telemetry.Source(one) != telemetry.Source(one) || telemetry.Source(one) == telemetry.Source(two) {
		t.Error("sources are not equal where what they are of is")
	}
	wrapped := telemetry.Source(one)
	if s, ok := wrapped.(interface{ Unwrap() source.Source }); !ok || s.Unwrap() != source.Source(one) ||
		fmt.Sprint(wrapped) != one.String() {
		t.Errorf("%v does not say what it is of", wrapped)
	}
}

// standing is a Statuser.
type standing []reconcile.Status

func (s standing) Status() []reconcile.Status { return s }

func TestTheStatusIsReadAtEachCollection(t *testing.T) {
	b := newBench(t)
	at := source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}
	registration, err := b.telemetry.Observe(standing{
		{Name: "web", State: reconcile.StateReady, Ready: true, Wanted: at, Applied: at},
		{Name: "api", State: reconcile.StateFailing, Wanted: at},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.wantMetric("gitops.loop.ready", map[string]float64{"cicd.pipeline.name=web": 1, "cicd.pipeline.name=api": 0})
	b.wantMetric("gitops.loop.current", map[string]float64{"cicd.pipeline.name=web": 1, "cicd.pipeline.name=api": 0})
	count := b.metric("gitops.loop.count")
	if len(count) != 10 || count["gitops.loop.state=ready"] != 1 || count["gitops.loop.state=failing"] != 1 {
		t.Errorf("the states are %v", count)
	}
	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	b.wantMetric("gitops.loop.ready", nil)
}
