package otelreconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/gitopskit/gitopskit/source"
)

// Source returns s with a span for each of its fetches, which are measured. Two of the same source are equal, so that
// loops that share one go on to share its fetches. Its method Unwrap returns s.
func (t *Telemetry) Source(s source.Source) source.Source { return traced{s, t} }

// traced is a value, and not a pointer, for its equality.
type traced struct {
	source.Source
	telemetry *Telemetry
}

// Unwrap returns what Source was given.
func (s traced) Unwrap() source.Source { return s.Source }

// String is that of what Source was given.
func (s traced) String() string {
	if text, ok := s.Source.(fmt.Stringer); ok {
		return text.String()
	}
	return ""
}

// Fetch implements [source.Source].
func (s traced) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	t := s.telemetry
	start, task := time.Now(), semconv.CICDPipelineTaskName("fetch")
	ctx, span := t.tracer.Start(ctx, "fetch", trace.WithAttributes(task))
	defer span.End()
	snapshot, err := s.Source.Fetch(ctx, known)
	revision, outcome := known, success
	switch {
	case err == nil:
		revision = snapshot.Revision
		t.remember(revision, span.SpanContext())
	case !errors.Is(err, source.ErrNotModified):
		outcome = resultOf(ctx, err)
	}
	span.SetAttributes(outcome.ofTask())
	span.SetAttributes(sourceAttributes(s.Source, revision)...)
	span.SetAttributes(revisionAttributes(revision)...)
	outcome.finish(span, err)
	t.took(ctx, task, start, outcome, err)
	return snapshot, err
}

// mostFetches is how many fetches are remembered: enough for those whose rounds have not begun.
const mostFetches = 1000

func (t *Telemetry) remember(r source.Revision, fetch trace.SpanContext) {
	if !fetch.IsValid() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.fetches[r]; !ok {
		t.order = append(t.order, r)
		if len(t.order) > mostFetches {
			delete(t.fetches, t.order[0])
			t.order = append(t.order[:0], t.order[1:]...)
		}
	}
	t.fetches[r] = fetch
}

// linkTo returns a link to the fetch of a revision, where one was seen.
func (t *Telemetry) linkTo(r source.Revision) []trace.Link {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fetch, ok := t.fetches[r]; ok {
		return []trace.Link{{SpanContext: fetch}}
	}
	return nil
}
