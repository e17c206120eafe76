package otelreconcile

import (
	"context"
	"io/fs"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// Instrument puts spans around the loop's Build, Apply, Wait and Delete, and measures what its OnEvent is told, before
// an OnEvent that is set. It is for a loop whose fields are all set, and which is not in a group yet, and is called once
// for each. What the functions take and return stays as it is.
func (t *Telemetry) Instrument(l *reconcile.Loop) {
	r := &rounds{Telemetry: t, loop: l.Name}
	build, apply, wait, remove, tell := l.Build, l.Apply, l.Wait, l.Delete, l.OnEvent
	l.Build = r.build(build)
	l.Apply = r.apply(apply)
	if wait != nil {
		l.Wait = r.wait(wait)
	}
	if remove != nil {
		l.Delete = r.remove(remove)
	}
	l.OnEvent = func(e reconcile.Event) {
		r.observe(e)
		if tell != nil {
			tell(e)
		}
	}
}

// stage runs a stage in a span of its own, and measures it.
func (r *rounds) stage(ctx context.Context, name string, run func(context.Context) error,
	opts ...trace.SpanStartOption) error {
	start := time.Now()
	task := semconv.CICDPipelineTaskName(name)
	ctx, span := r.tracer.Start(ctx, name, append(opts, trace.WithAttributes(task, semconv.CICDPipelineName(r.loop)))...)
	defer span.End()
	err := run(ctx)
	outcome := resultOf(ctx, err)
	span.SetAttributes(outcome.ofTask())
	outcome.finish(span, err)
	r.took(ctx, task, start, outcome, err)
	return err
}

// took measures a stage.
func (t *Telemetry) took(ctx context.Context, task attribute.KeyValue, start time.Time, outcome result, err error) {
	attrs := append(outcome.errorType(err), task, outcome.ofTask())
	t.stages.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(attrs...))
}

func (r *rounds) build(build reconcile.BuildFunc) reconcile.BuildFunc {
	if build == nil {
		return nil // the loop says so itself
	}
	return func(ctx context.Context, fsys fs.FS) (objects []*unstructured.Unstructured, err error) {
		var revision source.Revision
		if s, ok := fsys.(*source.Snapshot); ok {
			revision = s.Revision
		}
		r.endApplied()           // the event of the one before may be late
		r.end(cancellation, nil) // or it was overtaken
		ctx = r.begin(ctx, revision, r.linkTo(revision))
		err = r.stage(ctx, "build", func(ctx context.Context) error {
			objects, err = build(ctx, fsys)
			return err
		})
		if err != nil {
			r.end(resultOf(ctx, err), err)
		}
		return objects, err
	}
}

// apply leaves the end of the round to the event that tells of it.
func (r *rounds) apply(do reconcile.ApplyFunc) reconcile.ApplyFunc {
	if do == nil {
		return nil
	}
	return func(ctx context.Context, revision source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
		var result *apply.Result
		r.endApplied()
		ctx = r.within(ctx, revision)
		err := r.stage(ctx, "apply", func(ctx context.Context) (err error) {
			result, err = do(ctx, revision, objects)
			if result != nil {
				trace.SpanFromContext(ctx).SetAttributes(changeAttributes(result)...)
			}
			return err
		})
		r.applied(resultOf(ctx, err), err)
		return result, err
	}
}

// wait is after its round, and in its trace.
func (r *rounds) wait(wait func(context.Context, source.Revision) error) func(context.Context, source.Revision) error {
	return func(ctx context.Context, revision source.Revision) error {
		of := func(ctx context.Context) error { return wait(ctx, revision) }
		return r.stage(r.after(ctx), "wait", of, trace.WithAttributes(revisionAttributes(revision)...))
	}
}

// A deleteFunc is what a loop's Delete is.
type deleteFunc = func(context.Context) (*apply.Result, error)

func (r *rounds) remove(remove deleteFunc) deleteFunc {
	return func(ctx context.Context) (result *apply.Result, err error) {
		err = r.stage(ctx, "delete", func(ctx context.Context) error {
			result, err = remove(ctx)
			if result != nil {
				trace.SpanFromContext(ctx).SetAttributes(changeAttributes(result)...)
			}
			return err
		})
		return result, err
	}
}
