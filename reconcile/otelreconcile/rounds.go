package otelreconcile

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// rounds are those of one loop, one after another. A round begins with a build, or with an apply where nothing is built,
// and ends with what becomes of it.
type rounds struct {
	*Telemetry
	loop string

	mu      sync.Mutex
	open    trace.Span // of the round that is under way; nil: none is
	started time.Time
	ended   bool   // by an apply, which the event is yet to tell of
	outcome result // of that apply
	err     error
	last    trace.SpanContext // of the last round, which the next one or a wait refers to
}

// begin opens a round, and returns its context.
func (r *rounds) begin(ctx context.Context, revision source.Revision, links []trace.Link) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, r.open = r.tracer.Start(ctx, "SYNC "+r.loop, trace.WithSpanKind(trace.SpanKindServer), trace.WithLinks(links...),
		trace.WithAttributes(semconv.CICDPipelineActionNameSync, semconv.CICDPipelineName(r.loop)),
		trace.WithAttributes(revisionAttributes(revision)...))
	r.started, r.last = time.Now(), r.open.SpanContext()
	return ctx
}

// within returns the context of the open round, or of a new one.
func (r *rounds) within(ctx context.Context, revision source.Revision) context.Context {
	r.mu.Lock()
	open, last := r.open, r.last
	r.mu.Unlock()
	if open != nil {
		return trace.ContextWithSpan(ctx, open)
	}
	var links []trace.Link
	if last.IsValid() {
		links = []trace.Link{{SpanContext: last}}
	}
	return r.begin(ctx, revision, links)
}

// after returns a context in the trace of the last round.
func (r *rounds) after(ctx context.Context) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return trace.ContextWithSpanContext(ctx, r.last)
}

// applied keeps how the apply went for the end of the round.
func (r *rounds) applied(outcome result, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended, r.outcome, r.err = true, outcome, err
}

// endApplied ends the round as its apply went, if that has not been told yet.
func (r *rounds) endApplied(attrs ...attribute.KeyValue) {
	r.mu.Lock()
	ended, outcome, err := r.ended, r.outcome, r.err
	r.ended, r.err = false, nil
	r.mu.Unlock()
	if ended {
		r.end(outcome, err, attrs...)
	}
}

// end ends the round, if one is open.
func (r *rounds) end(outcome result, err error, attrs ...attribute.KeyValue) {
	r.mu.Lock()
	span, took := r.open, time.Since(r.started)
	r.open = nil
	r.mu.Unlock()
	if span == nil {
		return
	}
	span.SetAttributes(append(attrs, outcome.ofRun())...)
	outcome.finish(span, err)
	span.End()
	r.runs.Record(context.Background(), took.Seconds(), metric.WithAttributes(append(outcome.errorType(err), outcome.ofRun(),
		semconv.CICDPipelineName(r.loop), semconv.CICDPipelineRunStateExecuting)...))
}

// observe ends rounds by what is told of them, and counts.
func (r *rounds) observe(e reconcile.Event) {
	ctx, name := context.Background(), semconv.CICDPipelineName(r.loop)
	switch e := e.(type) {
	case reconcile.Applied:
		r.endApplied(append(changeAttributes(e.Result), attribute.String("gitops.cause", string(e.Cause)))...)
		for _, a := range actions {
			if n := e.Result.Count(a); n > 0 {
				r.changes.Add(ctx, int64(n), metric.WithAttributes(name, attribute.String("gitops.action", string(a))))
			}
		}
	case reconcile.Advanced:
		r.end(success, nil)
	case reconcile.DependencyNotReady:
		r.end(skip, nil)
	case reconcile.Suspended, reconcile.Replaced, reconcile.Removed:
		r.end(cancellation, nil)
	case reconcile.Drifted:
		r.drifts.Add(ctx, int64(len(e.Drifts)), metric.WithAttributes(name))
	case reconcile.Failed:
		r.errors.Add(ctx, 1, metric.WithAttributes(append(resultOf(ctx, e.Err).errorType(e.Err), name)...))
	}
}
