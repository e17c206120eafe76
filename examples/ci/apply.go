package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/artifact"
)

func applyOrigin(ctx context.Context, o *options) (err error) {
	objects, from, err := o.built(ctx)
	if err != nil {
		return err
	}
	revision := from.String()
	if o.store == "" {
		return o.applyObjects(ctx, objects, revision)
	}
	store, err := artifact.Dir(o.store, artifact.DirOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	built, err := manifests(objects)
	if err != nil {
		return err
	}
	packed, err := artifact.PackTo(ctx, store, built, artifact.PackOptions{})
	if err != nil {
		return err
	}
	return o.applyKept(ctx, store, objects, artifact.Tagged{Digest: packed.Digest, Revision: revision})
}

// applyKept applies objects that the store has. They are noted as tried before, and as good once they are applied and,
// where that is asked for, healthy: so rollback knows whether there is something to undo.
func (o *options) applyKept(
	ctx context.Context, store *artifact.DirStore, objects []*unstructured.Unstructured, t artifact.Tagged,
) error {
	if err := store.Tag(ctx, o.tried(), t.Digest, t.Revision); err != nil {
		return err
	}
	if err := o.applyObjects(ctx, objects, t.Revision); err != nil {
		return err
	}
	if err := store.Tag(ctx, o.good(), t.Digest, t.Revision); err != nil {
		return err
	}
	_, err := store.GC(ctx, artifact.Keep{History: 10})
	return err
}

// good and tried are names in a store that several sets may share.
func (o *options) good() string  { return "good/" + o.namespace + "/" + o.set }
func (o *options) tried() string { return "tried/" + o.namespace + "/" + o.set }

func (o *options) applyObjects(ctx context.Context, objects []*unstructured.Unstructured, revision string) error {
	p := newProgress(o.log, len(objects))
	applier, id, err := o.target(p)
	if err != nil {
		return err
	}
	result, err := applier.Apply(ctx, apply.Set{ID: id, Objects: objects})
	p.end()
	switch counts := result.Counts(); {
	case err == nil:
		fmt.Fprintf(o.out, "applied %s to %s: %s\n", revision, id, counts)
	case counts == "":
		fmt.Fprintf(o.out, "did not apply %s to %s\n", revision, id)
	default:
		fmt.Fprintf(o.out, "applied %s to %s in part: %s\n", revision, id, counts)
	}
	if err != nil || !o.wait {
		return err
	}
	return o.waitFor(ctx, applier, id)
}

func wait(ctx context.Context, o *options) error {
	applier, id, err := o.target(nil)
	if err != nil {
		return err
	}
	return o.waitFor(ctx, applier, id)
}

// waitFor returns when all is healthy. Where it is not, the error has each object that is not, and why.
func (o *options) waitFor(ctx context.Context, applier *apply.Applier, id apply.ID) error {
	p := newProgress(o.log, 0)
	report, err := applier.Wait(ctx, id, apply.WaitOptions{OnHealth: p.health})
	p.end()
	if err != nil {
		return err
	}
	if len(report.Members) == 0 {
		return fmt.Errorf("there is nothing of a set %s on this cluster: are -set and -namespace right?", id)
	}
	fmt.Fprintf(o.out, "all %d object(s) of %s are healthy\n", len(report.Members), id)
	return nil
}

// rollback applies what was good before, just as it was built then. It touches no origin: the next apply brings what that
// says.
func rollback(ctx context.Context, o *options) (err error) {
	if o.store == "" {
		return errors.New("where is what was applied before? say -store FOLDER, the one that apply had")
	}
	store, err := artifact.Dir(o.store, artifact.DirOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	earlier, err := o.earlier(ctx, store)
	if err != nil {
		return err
	}
	objects, err := read(ctx, store, earlier)
	if err != nil {
		return err
	}
	return o.applyKept(ctx, store, objects, earlier)
}

// earlier finds what to go back to: the revision -to; else the last good one, if something else was tried after it; else
// the one before.
func (o *options) earlier(ctx context.Context, store *artifact.DirStore) (artifact.Tagged, error) {
	tried, err := store.Resolve(ctx, o.tried())
	if err != nil && !errors.Is(err, artifact.ErrNotFound) {
		return artifact.Tagged{}, err
	}
	var known []string
	for t, err := range store.History(ctx, o.good()) {
		if errors.Is(err, artifact.ErrNotFound) {
			return t, fmt.Errorf("the store has nothing of a set %s in %s: are -set and -namespace right?", o.set, o.namespace)
		}
		if err != nil {
			return t, err
		}
		if o.to == t.Revision || o.to == "" && t.Digest != tried.Digest {
			return t, nil
		}
		known = append(known, t.Revision)
	}
	if o.to != "" {
		return artifact.Tagged{}, fmt.Errorf("the store does not have %q; it has %q", o.to, known)
	}
	return artifact.Tagged{}, fmt.Errorf("the store has nothing but %q", known)
}
