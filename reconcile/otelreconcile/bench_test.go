package otelreconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/opencontainers/go-digest"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/otelreconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A bench is a Telemetry with the SDK behind it, and a loop whose parts a test may change while it runs.
type bench struct {
	t         *testing.T
	spans     *tracetest.SpanRecorder
	reader    *sdkmetric.ManualReader
	telemetry *otelreconcile.Telemetry
	loop      *reconcile.Loop

	commits                         []string // what each fetch finds; the last one stays
	fetchErr, buildErr, err, unwell error    // of the stages
	told                            []reconcile.Event
	inside                          []string // the name of the span in the context of each stage
}

// origin is a source with a text.
type origin struct{ b *bench }

func (o *origin) String() string { return "https://git.example.com/ops/fleet" }

func (o *origin) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	o.b.within(ctx)
	commit := o.b.commits[0]
	if len(o.b.commits) > 1 {
		o.b.commits = o.b.commits[1:]
	}
	now := source.Revision{Name: "main", Digest: digest.Digest("sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9" + commit)}
	if o.b.fetchErr != nil {
		return nil, o.b.fetchErr
	}
	if known.Current(now) {
		return nil, source.ErrNotModified
	}
	return source.NewSnapshot(fstest.MapFS{"name": {Data: []byte(commit)}}, now), nil
}

func (b *bench) within(ctx context.Context) {
	span, _ := trace.SpanFromContext(ctx).(sdktrace.ReadOnlySpan)
	if span == nil {
		b.t.Error("a stage is in no span")
		return
	}
	b.inside = append(b.inside, span.Name())
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader(), commits: []string{"01"}}
	var err error
	b.telemetry, err = otelreconcile.New(otelreconcile.Options{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(b.spans)),
		MeterProvider:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(b.reader)),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.loop = &reconcile.Loop{Name: "web", Interval: time.Minute, Jitter: -1, RetryMin: 10 * time.Second,
		Source: b.telemetry.Source(&origin{b}),
		Build: func(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
			b.within(ctx)
			time.Sleep(2 * time.Second)
			name, err := fs.ReadFile(fsys, "name")
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
			o.SetName(string(name))
			return []*unstructured.Unstructured{o}, errors.Join(err, b.buildErr)
		},
		Apply: func(ctx context.Context, _ source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
			b.within(ctx)
			time.Sleep(4 * time.Second)
			return &apply.Result{Changes: []apply.Change{{Action: apply.Created}, {Action: apply.Unchanged}}}, b.err
		},
		Wait: func(ctx context.Context, _ source.Revision) error {
			b.within(ctx)
			return b.unwell
		},
		OnEvent: func(e reconcile.Event) { b.told = append(b.told, e) },
	}
	b.telemetry.Instrument(b.loop)
	return b
}

// run runs the loop for a time.
func (b *bench) run(d time.Duration) {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	if err := b.loop.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		b.t.Error(err)
	}
}

// names are those of the spans, in the order in which they ended, with how they did.
func (b *bench) names() string {
	var all []string
	for _, s := range b.spans.Ended() {
		result := get(s, "cicd.pipeline.result") + get(s, "cicd.pipeline.task.run.result")
		all = append(all, s.Name()+" "+result)
	}
	return strings.Join(all, ", ")
}

func get(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func (b *bench) span(name string) sdktrace.ReadOnlySpan {
	b.t.Helper()
	for _, s := range b.spans.Ended() {
		if s.Name() == name {
			return s
		}
	}
	b.t.Fatalf("there is no span %s: %s", name, b.names())
	return nil
}

// metric returns the sum, or the count of a histogram, of what has these attributes: "key=value,key=value".
func (b *bench) metric(name string) map[string]float64 {
	b.t.Helper()
	var all metricdata.ResourceMetrics
	if err := b.reader.Collect(b.t.Context(), &all); err != nil {
		b.t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					got[text(p.Attributes)] = p.Sum
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					got[text(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					got[text(p.Attributes)] = float64(p.Value)
				}
			}
		}
	}
	return got
}

func text(set attribute.Set) string {
	var all []string
	for _, a := range set.ToSlice() {
		all = append(all, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
	}
	return strings.Join(all, ",")
}

func (b *bench) wantMetric(name string, want map[string]float64) {
	b.t.Helper()
	got := b.metric(name)
	for attrs, v := range want {
		if got[attrs] != v {
			b.t.Errorf("%s{%s} is %v of %v; want %v", name, attrs, got[attrs], got, v)
		}
	}
	if len(got) != len(want) {
		b.t.Errorf("%s is %v; want %v", name, got, want)
	}
}
