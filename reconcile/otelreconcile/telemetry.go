package otelreconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

const scope = "github.com/gitopskit/gitopskit/reconcile/otelreconcile"

// Options say where to. The providers that the whole process shares are otel.GetTracerProvider and otel.GetMeterProvider.
type Options struct {
	TracerProvider trace.TracerProvider // nil: no traces
	MeterProvider  metric.MeterProvider // nil: no metrics
}

// A Telemetry makes traces and metrics of loops. Its methods may be called by many goroutines at once.
type Telemetry struct {
	tracer trace.Tracer
	meter  metric.Meter

	runs    metric.Float64Histogram
	errors  metric.Int64Counter
	stages  metric.Float64Histogram
	changes metric.Int64Counter
	drifts  metric.Int64Counter

	mu      sync.Mutex
	fetches map[source.Revision]trace.SpanContext // the last of each
	order   []source.Revision                     // of fetches, oldest first
}

// New returns a Telemetry. The error is of the MeterProvider, which takes an instrument for wrong.
func New(opts Options) (*Telemetry, error) {
	if opts.TracerProvider == nil {
		opts.TracerProvider = nooptrace.NewTracerProvider()
	}
	if opts.MeterProvider == nil {
		opts.MeterProvider = noopmetric.NewMeterProvider()
	}
	t := &Telemetry{
		tracer:  opts.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		meter:   opts.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)),
		fetches: make(map[source.Revision]trace.SpanContext),
	}
	buckets := metric.WithExplicitBucketBoundaries(.01, .03, .1, .3, 1, 3, 10, 30, 60, 120, 300, 600)
	var wrong [5]error
	t.runs, wrong[0] = t.meter.Float64Histogram("cicd.pipeline.run.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of the rounds of loops."))
	t.errors, wrong[1] = t.meter.Int64Counter("cicd.pipeline.run.errors", metric.WithUnit("{error}"),
		metric.WithDescription("Rounds of loops that failed."))
	t.stages, wrong[2] = t.meter.Float64Histogram("gitops.stage.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of the stages of rounds."))
	t.changes, wrong[3] = t.meter.Int64Counter("gitops.object.changes", metric.WithUnit("{object}"),
		metric.WithDescription("Objects that an apply did not leave as they were."))
	t.drifts, wrong[4] = t.meter.Int64Counter("gitops.object.drifts", metric.WithUnit("{object}"),
		metric.WithDescription("Objects that were not as a loop had left them."))
	if err := errors.Join(wrong[:]...); err != nil {
		return nil, fmt.Errorf("making the instruments of loops: %w", err)
	}
	return t, nil
}

// A Statuser tells how its loops stand. A [reconcile.Group] is one.
type Statuser interface {
	Status() []reconcile.Status
}

// states are all there are, so that a state that no loop is in is told as one.
var states = [...]reconcile.State{reconcile.StatePending, reconcile.StateBuilding, reconcile.StateBlocked,
	reconcile.StateApplying, reconcile.StateWaiting, reconcile.StateReady, reconcile.StateFailing, reconcile.StateSuspended,
	reconcile.StateRemoving, reconcile.StateOutOfReach}

// Observe has the status of these loops be told at each collection, until the registration is undone.
func (t *Telemetry) Observe(loops Statuser) (metric.Registration, error) {
	count, errCount := t.meter.Int64ObservableUpDownCounter("gitops.loop.count", metric.WithUnit("{loop}"),
		metric.WithDescription("Loops by their state."))
	ready, errReady := t.meter.Int64ObservableGauge("gitops.loop.ready", metric.WithUnit("1"),
		metric.WithDescription("Whether what was last built is applied, and healthy."))
	current, errCurrent := t.meter.Int64ObservableGauge("gitops.loop.current", metric.WithUnit("1"),
		metric.WithDescription("Whether the source's revision is the applied one."))
	if err := errors.Join(errCount, errReady, errCurrent); err != nil {
		return nil, fmt.Errorf("making the instruments of loops: %w", err)
	}
	return t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		in := make(map[reconcile.State]int64)
		all := loops.Status()
		for i := range all {
			s := &all[i]
			in[s.State]++
			name := metric.WithAttributes(semconv.CICDPipelineName(s.Name))
			o.ObserveInt64(ready, truth(s.Ready), name)
			o.ObserveInt64(current, truth(!s.Wanted.IsZero() && s.Wanted == s.Applied), name)
		}
		for _, state := range states {
			o.ObserveInt64(count, in[state], metric.WithAttributes(attribute.String("gitops.loop.state", string(state))))
		}
		return nil
	}, count, ready, current)
}

func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}
