package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Drifted says how an object is not as it was left.
type Drifted string

// The ways to drift.
const (
	DriftChanged     Drifted = "changed"
	DriftDeleted     Drifted = "deleted"
	DriftDetached    Drifted = "detached"    // it no longer has the set's label
	DriftTerminating Drifted = "terminating" // it is being deleted
	DriftMissing     Drifted = "missing"     // deleted or detached: it could not be looked for
)

// A Drift is one object that is not as it was left.
type Drift struct {
	// Ref is of a member; or of the Secret that holds the inventory, where another applier has written or deleted it.
	Ref  Ref
	What Drifted
	// Managers are the field managers who changed it, as metadata.managedFields names them, which is as far as the cluster
	// tells who it was. It tells of nobody who deleted an object.
	Managers []string
}

// String returns "ConfigMap default/web: changed by kubectl-edit".
func (d Drift) String() string {
	text := d.Ref.String() + ": " + string(d.What)
	for i, m := range d.Managers {
		if i == 0 {
			text += " by " + m
			continue
		}
		text += ", " + m
	}
	return text
}

// Drift waits until an object of the set is not as it was left and returns those that have moved since the last Drift,
// ordered by their references. What an Apply has mended meanwhile is not told, nor what went back by itself. What Apply
// could not mend is told again when it moves again. While an Apply is under way nothing is told.
//
// Apply and Drift judge alike: what Apply would send nothing for is no drift, such as a changed status, or what becomes of
// ignored fields. A change is judged once this Watch has applied the member; before, only what is gone is told.
//
// An object that is gone is looked for, by one GET, to tell whether it was deleted.
//
// Where the server refuses to let a kind be watched, Drift returns that error, once, and goes on with the next call; it
// tells nothing of that kind until an Apply has tried again and was let. When the Watch has ended, Drift returns the cause.
// No error comes with drifts.
func (w *Watch) Drift(ctx context.Context) ([]Drift, error) {
	for {
		moved, news, err := w.take()
		if err != nil {
			return nil, fmt.Errorf("watching %s: %w", w.id, err)
		}
		if len(moved) > 0 {
			drifts, err := w.describe(ctx, moved)
			if err != nil {
				return nil, fmt.Errorf("watching %s: %w", w.id, err)
			}
			if len(drifts) > 0 {
				return drifts, nil
			}
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, fmt.Errorf("watching %s: %w", w.id, context.Cause(ctx))
		case <-w.ctx.Done():
			return nil, fmt.Errorf("watching %s: %w", w.id, context.Cause(w.ctx))
		}
	}
}

// take returns what has moved and drifted, and where there is nothing, what to wait for.
func (w *Watch) take() (moved []Ref, news <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		return nil, nil, context.Cause(w.ctx)
	}
	var errs []error
	for _, r := range w.refusals {
		if !r.told {
			errs, r.told = append(errs, r.err), true
		}
	}
	if len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	if !w.applying {
		w.settle()
		for key := range w.moved {
			moved = append(moved, key)
		}
		w.moved = make(map[Ref]bool)
	}
	slices.SortFunc(moved, Ref.Compare)
	return moved, w.news, nil
}

// describe says of each object how it has drifted. Where it cannot be done now, what moved is kept for the next Drift.
func (w *Watch) describe(ctx context.Context, moved []Ref) ([]Drift, error) {
	drifts := make([]*Drift, len(moved))
	each(w.applier.opts.Concurrency, places(moved), func(i int) { drifts[i] = w.explain(ctx, moved[i]) })
	if ctx.Err() != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, key := range moved {
			w.moved[key] = true
		}
		return nil, context.Cause(ctx)
	}
	var told []Drift
	for _, d := range drifts {
		if d != nil {
			told = append(told, *d)
		}
	}
	return told, nil
}

// explain is nil where the object is no longer what it was; if that is drift, an event tells.
func (w *Watch) explain(ctx context.Context, key Ref) *Drift {
	w.mu.Lock()
	s, what := w.sightings[key], w.drifted(key)
	reached := w.was.kinds[key.groupKind()]
	d := &Drift{Ref: key, What: what}
	d.Ref.Version = reached.Version
	if key == parentKey {
		d.Ref = Ref{Version: "v1", Kind: "Secret", Namespace: w.id.Namespace, Name: w.id.Name}
	}
	if !s.gone() {
		d.Managers = w.managers(s.agreed, s.object)
	}
	w.mu.Unlock()
	switch what {
	case "":
		return nil
	case DriftMissing:
		return w.search(ctx, d, s, reached)
	}
	return d
}

// search looks whether an object that is gone is there without the set's label.
func (w *Watch) search(ctx context.Context, d *Drift, s *sighting, reached resource) *Drift {
	found, err := w.applier.client.getMetadata(ctx, reached.path(d.Ref.Namespace, d.Ref.Name))
	key := d.Ref.identity()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sightings[key] != s {
		return nil // it moved meanwhile
	}
	var agreed *partialObject
	if s == nil {
		s = &sighting{}
		w.sightings[key] = s
	} else {
		agreed = s.agreed
	}
	switch {
	case apierrors.IsNotFound(err):
		d.What = DriftDeleted
	case err != nil:
		return d
	case found.Labels[partOfLabel] == w.id.label(): // the event is on its way
		return nil
	default:
		d.What, d.Managers, s.found = DriftDetached, w.managers(agreed, w.shared.trimmed(found)), found
	}
	s.looked = time.Now()
	return d
}
