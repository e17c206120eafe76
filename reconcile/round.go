package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// run runs a round and returns how it failed, or nil.
func (l *Loop) run(ctx context.Context) *Failed {
	select {
	case l.round <- struct{}{}:
		defer func() { <-l.round }()
	case <-ctx.Done():
		return &Failed{Loop: l.Name, Stage: Fetching, Err: context.Cause(ctx)}
	}
	outer := ctx
	timeout := or(l.Timeout, 5*time.Minute)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w, %s", errTimeout, timeout))
	defer cancel()
	stage, err := l.stages(ctx)
	if err == nil {
		l.fails = 0
		return nil
	}
	if cause := context.Cause(ctx); errors.Is(cause, errTimeout) {
		err = errors.Join(cause, err)
	}
	if outer.Err() == nil { // else it was the caller who ended it
		l.fails++
	}
	return &Failed{Loop: l.Name, Stage: stage, Revision: l.known, Err: err, Failures: l.fails}
}

// stages returns the stage that failed, and why. While the source fails, drift from what was last built is corrected.
func (l *Loop) stages(ctx context.Context) (Stage, error) {
	start := time.Now()
	snapshot, err := l.Source.Fetch(ctx, l.known)
	switch {
	case errors.Is(err, source.ErrNotModified) && !l.known.IsZero():
		l.emit(Fetched{Loop: l.Name, Revision: l.known, Took: time.Since(start)})
	case err != nil && (l.known.IsZero() || ctx.Err() != nil):
		return Fetching, err
	case err != nil:
		return Fetching, errors.Join(err, l.apply(ctx))
	case snapshot == nil:
		return Fetching, errors.New("the source returned neither a snapshot nor an error")
	default:
		l.emit(Fetched{Loop: l.Name, Revision: snapshot.Revision, Modified: true, Took: time.Since(start)})
		if err := l.build(ctx, snapshot); err != nil {
			return Building, err
		}
	}
	return Applying, l.apply(ctx)
}

// apply applies what was last built.
func (l *Loop) apply(ctx context.Context) error {
	start := time.Now()
	result, err := l.Apply(ctx, l.known, l.built)
	if result == nil {
		result = &apply.Result{}
	}
	l.emit(Applied{Loop: l.Name, Revision: l.known, Result: result, Took: time.Since(start)})
	return err
}

// build keeps what the snapshot builds to, and lets go of the snapshot.
func (l *Loop) build(ctx context.Context, snapshot *source.Snapshot) error {
	start := time.Now()
	objects, err := l.Build(ctx, snapshot)
	if err := errors.Join(err, snapshot.Close()); err != nil {
		return fmt.Errorf("%s: %w", snapshot.Revision, err)
	}
	l.known, l.built = snapshot.Revision, objects
	l.emit(Built{Loop: l.Name, Revision: l.known, Objects: len(objects), Took: time.Since(start)})
	return nil
}
