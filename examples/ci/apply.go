package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/artifact"
)

func applyOrigin(ctx context.Context, o *options) (err error) {
	origin, err := o.origin()
	if err != nil {
		return err
	}
	snapshot, err := load(ctx, origin)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	revision := snapshot.Revision.String()
	if o.store == "" {
		return o.applyTree(ctx, snapshot, revision)
	}
	store, err := artifact.Dir(o.store, artifact.DirOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	// It is in the store before it is on the cluster, and gets its name once it is there.
	packed, err := artifact.PackTo(ctx, store, snapshot, artifact.PackOptions{})
	if err != nil {
		return err
	}
	if err := o.applyTree(ctx, snapshot, revision); err != nil {
		return err
	}
	return o.remember(ctx, store, artifact.Tagged{Digest: packed.Digest, Revision: revision})
}

// remember notes what the set is now, and lets go of what nobody goes back to.
func (o *options) remember(ctx context.Context, store *artifact.DirStore, now artifact.Tagged) error {
	if err := store.Tag(ctx, o.storeName(), now.Digest, now.Revision); err != nil {
		return err
	}
	_, err := store.GC(ctx, artifact.Keep{History: 10})
	return err
}

// storeName is what the set is called in a store that several sets share.
func (o *options) storeName() string { return o.namespace + "/" + o.set }

// applyTree builds a tree and applies it.
func (o *options) applyTree(ctx context.Context, tree fs.FS, revision string) error {
	objects, err := o.build(ctx, tree)
	if err != nil {
		return err
	}
	p := newProgress(o.log, len(objects))
	applier, id, err := o.target(p)
	if err != nil {
		return err
	}
	result, err := applier.Apply(ctx, apply.Set{ID: id, Objects: objects})
	p.end()
	fmt.Fprintf(o.out, "applied %s to %s: %s\n", revision, id, result.Counts())
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
	fmt.Fprintf(o.out, "all %d object(s) of %s are healthy\n", len(report.Members), id)
	return nil
}

// rollback applies an earlier revision from the store. It touches no origin: the next apply brings what that says.
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
	tree, err := open(ctx, store, earlier)
	if err != nil {
		return err
	}
	if err := o.applyTree(ctx, tree, earlier.Revision); err != nil {
		return err
	}
	return o.remember(ctx, store, earlier)
}

// earlier finds the revision -to in the history, or the last one that is not the current one.
func (o *options) earlier(ctx context.Context, store *artifact.DirStore) (artifact.Tagged, error) {
	var current artifact.Tagged
	var known []string
	for t, err := range store.History(ctx, o.storeName()) {
		switch {
		case err != nil:
			return artifact.Tagged{}, err
		case o.to != "" && t.Revision == o.to:
			return t, nil
		case current == artifact.Tagged{}:
			current = t
		case o.to == "" && t.Digest != current.Digest:
			return t, nil
		}
		known = append(known, t.Revision)
	}
	if o.to != "" {
		return artifact.Tagged{}, fmt.Errorf("the store does not have %q; it has %q", o.to, known)
	}
	return artifact.Tagged{}, fmt.Errorf("the store has nothing before %q", current.Revision)
}

func open(ctx context.Context, store *artifact.DirStore, t artifact.Tagged) (fs.FS, error) {
	described, err := store.Stat(ctx, t.Digest)
	if err != nil {
		return nil, err
	}
	packed, err := store.Open(ctx, t.Digest)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	return artifact.Open(ctx, packed, described, artifact.UnpackOptions{})
}
