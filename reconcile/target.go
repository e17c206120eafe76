package reconcile

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A Target is a set of objects on a cluster: what a loop applies to. Its methods are what a [Loop] has fields for, which may
// be taken one by one.
//
//	target := reconcile.NewTarget(applier, apply.Set{ID: id}, reconcile.TargetOptions{})
//	loop := &reconcile.Loop{Name: "web", Source: origin, Build: builder.Build}
//	target.Use(loop)
//
// It keeps an [apply.Watch] from its first Apply to its Close. It may be used again after Close.
type Target struct {
	applier *apply.Applier
	set     apply.Set
	opts    TargetOptions

	mu    sync.Mutex
	watch *apply.Watch
	end   context.CancelFunc // of its context
}

// A Watcher watches sets: an [apply.Applier] does, each set by itself.
type Watcher interface {
	Watch(ctx context.Context, id apply.ID) (*apply.Watch, error)
}

// TargetOptions say more about a Target; the zero value works.
type TargetOptions struct {
	Watcher Watcher           // nil: the applier
	Wait    apply.WaitOptions // of Wait
}

// NewTarget returns a Target that applies the set's ID, Namespace and AllowEmpty with the objects of each Apply.
func NewTarget(applier *apply.Applier, set apply.Set, opts TargetOptions) *Target {
	if opts.Watcher == nil {
		opts.Watcher = applier
	}
	return &Target{applier: applier, set: set, opts: opts}
}

// Use sets the loop's Apply, Wait, Drift, Delete and Close to the methods of t.
func (t *Target) Use(l *Loop) {
	l.Apply, l.Wait, l.Drift, l.Delete, l.Close = t.Apply, t.Wait, t.Drift, t.Delete, t.Close
}

// Apply is an [ApplyFunc]: it applies by the Watch, so where nothing is to be done nothing is sent.
func (t *Target) Apply(ctx context.Context, _ source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
	watch, err := t.watching(ctx)
	if err != nil {
		return &apply.Result{ID: t.set.ID}, err
	}
	set := t.set
	set.Objects = objects
	return watch.Apply(ctx, set)
}

// Wait returns when all of the set is healthy, as [apply.Applier.Wait] does.
func (t *Target) Wait(ctx context.Context, _ source.Revision) error {
	_, err := t.applier.Wait(ctx, t.set.ID, t.opts.Wait)
	return err
}

// Drift waits until the set has drifted, as [apply.Watch.Drift] does.
func (t *Target) Drift(ctx context.Context) ([]apply.Drift, error) {
	watch, err := t.watching(ctx)
	if err != nil {
		return nil, err
	}
	return watch.Drift(ctx)
}

// Delete ends the Watch and deletes the set, as [apply.Applier.Delete] does.
func (t *Target) Delete(ctx context.Context) (*apply.Result, error) {
	t.Close()
	return t.applier.Delete(ctx, t.set.ID)
}

// Close ends the Watch.
func (t *Target) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watch != nil {
		t.watch.Close()
		t.end()
		t.watch = nil
	}
}

// watching starts the Watch where there is none. It outlives the call that starts it, and ends with it only while it starts.
func (t *Target) watching(ctx context.Context) (*apply.Watch, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watch != nil {
		return t.watch, nil
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	started := context.AfterFunc(ctx, end)
	watch, err := t.opts.Watcher.Watch(life, t.set.ID)
	if err == nil && !started() {
		watch.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		end()
		return nil, err
	}
	t.watch, t.end = watch, end
	return watch, nil
}
