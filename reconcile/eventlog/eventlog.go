package eventlog

import (
	"context"
	"log/slog"

	"github.com/gitopskit/gitopskit/reconcile"
)

// Options say more about a log; the zero value works.
type Options struct {
	// Level says at which level an event is logged; nil: [Level].
	Level func(reconcile.Event) slog.Level
}

// New returns a function for the OnEvent of a Loop or a Group. It logs each event at once, as one record; what that
// takes, the loop waits for. Several goroutines may call it.
func New(logger *slog.Logger, opts Options) func(reconcile.Event) {
	level := opts.Level
	if level == nil {
		level = Level
	}
	return func(e reconcile.Event) {
		ctx, at := context.Background(), level(e)
		if logger.Enabled(ctx, at) {
			logger.LogAttrs(ctx, at, Message(e), Attrs(e)...)
		}
	}
}

// Level returns the level that [New] logs an event at unless told otherwise.
func Level(e reconcile.Event) slog.Level {
	switch e := e.(type) {
	case reconcile.Fetched:
		if !e.Modified || e.Shared {
			return slog.LevelDebug
		}
	case reconcile.Failed:
		if e.Shared {
			return slog.LevelDebug
		}
		return slog.LevelError
	case reconcile.Applied:
		if !changed(e.Result) {
			return slog.LevelDebug
		}
	case reconcile.Built, reconcile.Advanced, reconcile.Waiting, reconcile.Kept, reconcile.Triggered:
		return slog.LevelDebug
	case reconcile.Restored, reconcile.Unhealthy, reconcile.Drifted, reconcile.Unwatched, reconcile.NotKept:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// Message returns an event's message, which is the same for all events of its type.
func Message(e reconcile.Event) string {
	switch e.(type) {
	case reconcile.Fetched:
		return "fetched"
	case reconcile.Restored:
		return "restored from the store"
	case reconcile.Built:
		return "built"
	case reconcile.Advanced:
		return "advanced"
	case reconcile.Applied:
		return "applied"
	case reconcile.Waiting:
		return "waiting for health"
	case reconcile.Healthy:
		return "healthy"
	case reconcile.Unhealthy:
		return "unhealthy"
	case reconcile.Superseded:
		return "superseded"
	case reconcile.Drifted:
		return "drifted"
	case reconcile.Unwatched:
		return "drift is not told"
	case reconcile.DependencyNotReady:
		return "dependency not ready"
	}
	return messageOfLife(e)
}

// messageOfLife is the rest of Message: what is not part of a round.
func messageOfLife(e reconcile.Event) string {
	switch e.(type) {
	case reconcile.Kept:
		return "kept in the store"
	case reconcile.NotKept:
		return "not kept in the store"
	case reconcile.Failed:
		return "failed"
	case reconcile.Suspended:
		return "suspended"
	case reconcile.Resumed:
		return "resumed"
	case reconcile.Triggered:
		return "triggered"
	case reconcile.Pinned:
		return "pinned"
	case reconcile.Unpinned:
		return "unpinned"
	case reconcile.Replaced:
		return "replaced"
	case reconcile.Removed:
		return "removed"
	}
	return "event"
}
