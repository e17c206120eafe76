package eventlog

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// most is how many objects a record names. A log is read by the line.
const most = 10

// Attrs returns an event's attributes, the loop's name first. An attribute that would be empty is left out.
func Attrs(e reconcile.Event) []slog.Attr {
	loop := slog.String("loop", e.LoopName())
	switch e := e.(type) {
	case reconcile.Fetched:
		return with(loop, revision(e.Revision), slog.Bool("modified", e.Modified), shared(e.Shared), took(e.Took))
	case reconcile.Restored:
		return with(loop, revision(e.Revision), took(e.Took))
	case reconcile.Built:
		return with(loop, revision(e.Revision), slog.Int("objects", e.Objects), slog.Bool("changed", e.Changed),
			slog.String("digest", e.Digest.String()), took(e.Took))
	case reconcile.Applied:
		return with(loop, revision(e.Revision), slog.String("cause", string(e.Cause)), counts(e.Result),
			changes(e.Result), took(e.Took))
	case reconcile.Healthy:
		return with(loop, revision(e.Revision), took(e.Took))
	case reconcile.Unhealthy:
		return with(loop, revision(e.Revision), failure(e.Err), took(e.Took))
	case reconcile.Superseded:
		return with(loop, revision(e.Revision), slog.String("by", e.By.String()))
	case reconcile.Drifted:
		return with(loop, slog.Int("objects", len(e.Drifts)), list("drifts", e.Drifts, apply.Drift.String))
	case reconcile.Unwatched:
		return with(loop, failure(e.Err), retryIn(e.RetryIn))
	case reconcile.Failed:
		return with(loop, slog.String("stage", string(e.Stage)), revision(e.Revision), failure(e.Err),
			slog.Int("failures", e.Failures), retryIn(e.RetryIn), shared(e.Shared))
	}
	return with(loop, attrsOfLife(e)...)
}

// attrsOfLife is the rest of Attrs: what has at most two of them.
func attrsOfLife(e reconcile.Event) []slog.Attr {
	switch e := e.(type) {
	case reconcile.Advanced:
		return []slog.Attr{revision(e.Revision)}
	case reconcile.Waiting:
		return []slog.Attr{revision(e.Revision)}
	case reconcile.Pinned:
		return []slog.Attr{revision(e.Revision)}
	case reconcile.DependencyNotReady:
		return []slog.Attr{revision(e.Revision), slog.String("dependency", e.Dependency.Name), slog.String("why", e.Why)}
	case reconcile.Kept:
		return []slog.Attr{revision(e.Revision), slog.String("digest", e.Digest.String())}
	case reconcile.NotKept:
		return []slog.Attr{revision(e.Revision), failure(e.Err)}
	case reconcile.Removed:
		if e.Result != nil {
			return []slog.Attr{counts(e.Result), changes(e.Result)}
		}
	}
	return nil
}

// with leaves out the empty ones.
func with(first slog.Attr, more ...slog.Attr) []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 1+len(more)), first)
	for _, a := range more {
		if !a.Equal(slog.Attr{}) {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

func revision(r source.Revision) slog.Attr {
	if r.IsZero() {
		return slog.Attr{}
	}
	return slog.String("revision", r.String())
}

func took(d time.Duration) slog.Attr { return slog.Duration("took", d) }

func retryIn(d time.Duration) slog.Attr {
	if d <= 0 {
		return slog.Attr{}
	}
	return slog.Duration("retry_in", d)
}

func shared(is bool) slog.Attr {
	if !is {
		return slog.Attr{}
	}
	return slog.Bool("shared", true)
}

func failure(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.Any("error", err)
}

func changed(r *apply.Result) bool { return r.Count(apply.Unchanged) < len(r.Changes) }

// counts is a group of what is not zero.
func counts(r *apply.Result) slog.Attr {
	var attrs []slog.Attr
	for _, a := range []apply.Action{apply.Created, apply.Configured, apply.Replaced, apply.Unchanged, apply.Pruned,
		apply.Deleted, apply.Skipped, apply.Failed} {
		if n := r.Count(a); n > 0 {
			attrs = append(attrs, slog.Int(string(a), n))
		}
	}
	if attrs == nil {
		return slog.Attr{}
	}
	return slog.GroupAttrs("counts", attrs...)
}

func changes(r *apply.Result) slog.Attr {
	var changed []apply.Change
	for _, c := range r.Changes {
		if c.Action != apply.Unchanged {
			changed = append(changed, c)
		}
	}
	return list("changes", changed, func(c apply.Change) string { return fmt.Sprintf("%s: %s", c.Ref, c.Action) })
}

// list is one text, since slog's TextHandler writes a slice of texts so that nobody can tell where one ends.
func list[T any](name string, all []T, text func(T) string) slog.Attr {
	if len(all) == 0 {
		return slog.Attr{}
	}
	var texts []string
	for i, x := range all {
		if i == most {
			texts = append(texts, fmt.Sprintf("%d more", len(all)-most))
			break
		}
		texts = append(texts, text(x))
	}
	return slog.String(name, strings.Join(texts, "; "))
}
