package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	limited, cancel := l.limit(ctx, "Fetch", l.Timeouts.Fetch)
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
	origin, missing := l.Source, l.unheld()
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
		return nil, fmt.Errorf("%s: %w", missing, err)
	case snapshot.Revision.Digest != pin.Digest:
		got := snapshot.Revision
		_ = snapshot.Close()
		return nil, fmt.Errorf("%w: %s has %s", ErrNoRevision, missing, got)
	}
	return newContent(snapshot), nil
}

// unheld says where a pinned revision is not, before it is told what the source says.
func (l *Loop) unheld() string {
	switch {
	case l.Store != nil && l.At != nil:
		return "the Store has no such revision, and the source by Loop.At"
	case l.Store != nil:
		return "the Store has no such revision, Loop.At is not set, and the source"
	case l.At != nil:
		return "Loop.Store is not set, and the source by Loop.At"
	}
	return "Loop.Store and Loop.At are not set, and the source"
}

// findKept looks for what the loop had applied, then for what any loop of its source has built.
func (l *Loop) findKept(ctx context.Context, pin source.Revision) (*content, error) {
	from, err := l.findTagged(ctx, l.Name, pin)
	if name := l.originTag(); name != "" && errors.Is(err, ErrNoRevision) {
		return l.findTagged(ctx, name, pin)
	}
	return from, err
}

// findTagged returns the newest artifact of the revision that is still there. Where the name is the source's, and sources of
// the same text, which select differently, had the Store keep two, nobody knows which is meant.
func (l *Loop) findTagged(ctx context.Context, name string, pin source.Revision) (*content, error) {
	var found []artifact.Tagged
	for tagged, err := range l.Store.History(ctx, name) {
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
		found = append(found, tagged)
	}
	if name != l.Name && slices.ContainsFunc(found, func(t artifact.Tagged) bool { return t.Digest != found[0].Digest }) {
		found = nil
	}
	for _, tagged := range found {
		from, err := l.open(ctx, tagged)
		if !errors.Is(err, artifact.ErrNotFound) { // else it was collected
			return from, err
		}
	}
	return nil, fmt.Errorf("%w in the store", ErrNoRevision)
}
