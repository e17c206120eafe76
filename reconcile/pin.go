package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/source"
)

// ErrNoRevision means that a pinned revision is neither the source's, nor in the Store, nor given by At.
var ErrNoRevision = errors.New("revision not found")

// buildPinned finds the content of the pinned revision and builds it. It tells whether that went well.
func (l *Loop) buildPinned(ctx context.Context, pin source.Revision) bool {
	l.set(func(c *core) { c.busy = Restoring })
	start := time.Now()
	limited, cancel := l.limit(ctx, l.Timeouts.Fetch)
	from, err := l.findPinned(limited, pin)
	err = late(limited, err)
	cancel()
	if err != nil {
		err = fmt.Errorf("finding the pinned revision %s: %w", pin, err)
		o := &Outcome{Revision: pin, Took: Durations{Fetch: time.Since(start)}}
		l.fail(ctx, &fault{stage: Restoring, revision: pin, err: err}, o)
		return false
	}
	defer from.release()
	return l.build(ctx, from, pin, Durations{Fetch: time.Since(start)})
}

// findPinned looks in the Store, then asks At, and where there is none the source, which may have it still.
func (l *Loop) findPinned(ctx context.Context, pin source.Revision) (*content, error) {
	if l.Store != nil {
		if from, err := l.findKept(ctx, pin); !errors.Is(err, ErrNoRevision) {
			return from, err
		}
	}
	origin := l.Source
	if l.At != nil {
		at, err := guard(func() (source.Source, error) { return l.At(pin) })
		if err != nil {
			return nil, err
		}
		if at == nil {
			return nil, fmt.Errorf("%w: At returned no source", ErrNoRevision)
		}
		origin = at
	}
	snapshot, err := fetchFrom(ctx, origin, source.Revision{})
	switch {
	case err != nil:
		return nil, err
	case snapshot.Revision.Digest != pin.Digest:
		got := snapshot.Revision
		_ = snapshot.Close()
		return nil, fmt.Errorf("%w: the source has %s", ErrNoRevision, got)
	}
	return newContent(snapshot), nil
}

// findKept returns the newest artifact of the revision that is still there.
func (l *Loop) findKept(ctx context.Context, pin source.Revision) (*content, error) {
	for tagged, err := range l.Store.History(ctx, l.Name) {
		if errors.Is(err, artifact.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		revision, err := source.ParseRevision(tagged.Revision)
		if err != nil || revision.Digest != pin.Digest {
			continue
		}
		from, err := l.open(ctx, tagged)
		if !errors.Is(err, artifact.ErrNotFound) { // else it was collected
			return from, err
		}
	}
	return nil, fmt.Errorf("%w in the store", ErrNoRevision)
}
