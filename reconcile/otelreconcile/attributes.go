package otelreconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A result is how a round or a stage ended, in the words of the conventions for both.
type result string

const (
	success      result = "success"
	failure      result = "failure"
	timeout      result = "timeout"
	cancellation result = "cancellation"
	skip         result = "skip"
)

// resultOf tells how something with this context ended. What was stopped did not fail.
func resultOf(ctx context.Context, err error) result {
	switch {
	case err == nil:
		return success
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		return timeout
	case errors.Is(err, context.Canceled) || errors.Is(ctx.Err(), context.Canceled):
		return cancellation
	}
	return failure
}

// finish notes on a span how it ended.
func (r result) finish(span trace.Span, err error) {
	if r != failure && r != timeout {
		return // an error's status is for what somebody should look at
	}
	span.SetAttributes(r.errorType(err)...)
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
		return
	}
	span.SetStatus(codes.Error, "")
}

// errorType is error.type, where there is one: the error's Go type, or "timeout".
func (r result) errorType(err error) []attribute.KeyValue {
	switch r {
	case failure:
		return []attribute.KeyValue{semconv.ErrorType(err)}
	case timeout:
		return []attribute.KeyValue{semconv.ErrorTypeKey.String("timeout")}
	}
	return nil
}

func (r result) ofRun() attribute.KeyValue { return semconv.CICDPipelineResultKey.String(string(r)) }
func (r result) ofTask() attribute.KeyValue {
	return semconv.CICDPipelineTaskRunResultKey.String(string(r))
}

// revisionAttributes say which state of an origin it is. What was asked for has a name where the origin is a repository.
func revisionAttributes(r source.Revision) []attribute.KeyValue {
	if r.IsZero() {
		return nil
	}
	attrs := []attribute.KeyValue{attribute.String("gitops.revision", r.String())}
	if r.Name != "" {
		_, commit, _ := strings.Cut(r.Digest.String(), ":")
		attrs = append(attrs, semconv.VCSRefHeadName(r.Name), semconv.VCSRefHeadRevision(commit))
	}
	return attrs
}

// sourceAttributes are what a source says of itself, which is without a credential.
func sourceAttributes(s source.Source, r source.Revision) []attribute.KeyValue {
	text, ok := s.(fmt.Stringer)
	if !ok {
		return nil
	}
	attrs := []attribute.KeyValue{attribute.String("gitops.source", text.String())}
	if r.Name != "" {
		attrs = append(attrs, semconv.VCSRepositoryURLFull(text.String()))
	}
	return attrs
}

// actions are those that change something, or wanted to.
var actions = [...]apply.Action{apply.Created, apply.Configured, apply.Replaced, apply.Pruned, apply.Deleted,
	apply.Skipped, apply.Failed}

// changeAttributes say how many objects became what.
func changeAttributes(r *apply.Result) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.Int("gitops.objects", len(r.Changes))}
	for _, a := range actions {
		if n := r.Count(a); n > 0 {
			attrs = append(attrs, attribute.Int("gitops.objects."+string(a), n))
		}
	}
	return attrs
}
