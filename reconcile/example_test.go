package reconcile_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"testing/fstest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A single round, as a CI tool runs it. The parts of the loop are values: here, of the example itself.
func ExampleLoop_Once() {
	content := fstest.MapFS{"name": {Data: []byte("settings")}}
	loop := &reconcile.Loop{
		Name: "example",
		Source: source.Func(func(context.Context, source.Revision) (*source.Snapshot, error) {
			return source.NewSnapshot(content, source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}), nil
		}),
		Build: func(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
			name, err := fs.ReadFile(fsys, "name")
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
			o.SetName(string(name))
			return []*unstructured.Unstructured{o}, err
		},
		Apply: func(_ context.Context, revision source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
			fmt.Println("apply", objects[0].GetKind(), objects[0].GetName(), "of", revision.Name)
			return nil, nil
		},
	}
	fmt.Println(loop.Once(context.Background()))
	// Output:
	// apply ConfigMap settings of main
	// <nil>
}

// Two loops on one source, of which one has to be ready first. What they apply to is the example's own here; a Target is a
// cluster.
func ExampleGroup() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	revision := source.Revision{Name: "main", Digest: "sha1:855f77cb6d2a1b1a4f6c4b3fbd8b6c1de4a1f9c1"}
	origin := source.Func(func(context.Context, source.Revision) (*source.Snapshot, error) {
		return source.NewSnapshot(fstest.MapFS{}, revision), nil
	})
	build := func(context.Context, fs.FS) ([]*unstructured.Unstructured, error) { return nil, nil }
	group := &reconcile.Group{OnEvent: func(e reconcile.Event) {
		if e, ok := e.(reconcile.Applied); ok {
			fmt.Println("applied", e.Loop, "at", e.Revision.Name)
		}
	}}
	applied := func(context.Context, source.Revision, []*unstructured.Unstructured) (*apply.Result, error) {
		return nil, nil
	}
	web := &reconcile.Loop{Name: "web", Source: origin, Build: build, Apply: applied,
		DependsOn: []reconcile.Dependency{{Name: "database", SameRevision: true}},
		Wait: func(context.Context, source.Revision) error {
			stop() // the example has seen enough
			return nil
		}}
	database := &reconcile.Loop{Name: "database", Source: origin, Build: build, Apply: applied}
	for _, loop := range []*reconcile.Loop{web, database} {
		if err := group.Add(loop); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(group.Run(ctx))
	// Output:
	// applied database at main
	// applied web at main
	// context canceled
}

// A thousand applications in one repository, each a folder and a set of its own on the cluster. A push is told by a
// webhook; a commit that touches one of them costs one fetch, one build and one apply.
func ExampleNewTarget() {
	var (
		applier *apply.Applier  // of apply.New
		origin  source.Source   // of git.New: one for all, so that it is fetched once
		store   reconcile.Store // of artifact.Dir
	)
	watches := applier.Watches(context.Background()) // one watch of each kind, for all
	defer watches.Close()
	group := new(reconcile.Group)
	for _, name := range []string{"checkout", "search"} {
		loop := &reconcile.Loop{
			Name:     name,
			Source:   origin,
			Store:    store,
			Interval: 5 * time.Minute,
			Build: func(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
				return nil, nil // the Build of a kustomize.Builder{Dir: "apps/" + name}
			},
		}
		set := apply.Set{ID: apply.ID{Namespace: "flux", Name: name}}
		reconcile.NewTarget(applier, set, reconcile.TargetOptions{Watcher: watches}).Use(loop)
		if err := group.Add(loop); err != nil {
			log.Fatal(err)
		}
	}
	// Of the webhook: group.TriggerSource(func(l *reconcile.Loop) bool { return l.Source == origin })
}
