package reconcile_test

import (
	"context"
	"fmt"
	"io/fs"
	"testing/fstest"

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
