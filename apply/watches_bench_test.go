package apply

import (
	"encoding/json"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// BenchmarkWatchesFirstApply compares the first apply of 250 sets of 4 objects with just the PATCHes of these.
func BenchmarkWatchesFirstApply(b *testing.B) {
	const sets, workers = 250, 16
	config := testbed.Kubernetes(b)
	setsOf := func(a *Applier) []Set {
		namespace := testbed.UniqueName("many")
		if _, err := a.client.write(b.Context(), "POST", []string{"api", "v1", "namespaces"},
			manifest(b, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}").Object, "test"); err != nil {
			b.Fatal(err)
		}
		all := make([]Set, sets)
		for i := range all {
			name := fmt.Sprintf("app-%04d", i)
			all[i] = Set{ID: ID{Namespace: namespace, Name: "set-" + name}, Objects: []*unstructured.Unstructured{
				configMap(b, name, "1"), manifest(b, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: "+name+"}"), deployment(b, name, "nginx:1"), configMap(b, name+"-more", "2")}}
		}
		return all
	}
	b.Run("by PATCHes alone", func(b *testing.B) {
		for range b.N {
			a := newApplier(b, config, Options{})
			all := setsOf(a)
			var bodies [][]byte
			var paths [][]string
			for _, s := range all {
				for _, o := range s.Objects {
					o.SetNamespace(s.ID.Namespace)
					r, err := a.mapper.find(b.Context(), o.GroupVersionKind(), false)
					if err != nil {
						b.Fatal(err)
					}
					body, err := json.Marshal(o.Object)
					if err != nil {
						b.Fatal(err)
					}
					bodies, paths = append(bodies, body), append(paths, r.path(o.GetNamespace(), o.GetName()))
				}
			}
			b.ResetTimer()
			each(32, places(bodies), func(i int) {
				if _, _, err := a.client.apply(b.Context(), paths[i], bodies[i], a.patching()); err != nil {
					b.Error(err)
				}
			})
		}
	})
	for name, watch := range map[string]func(a *Applier) func(ID) (*Watch, error){
		"by an Applier": func(*Applier) func(ID) (*Watch, error) { return nil },
		"by Watches": func(a *Applier) func(ID) (*Watch, error) {
			h := a.Watches(b.Context())
			b.Cleanup(h.Close)
			return func(id ID) (*Watch, error) { return h.Watch(b.Context(), id) }
		},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				a := newApplier(b, config, Options{})
				all, watch := setsOf(a), watch(a)
				b.ResetTimer()
				each(workers, all, func(s Set) {
					var err error
					if watch == nil {
						_, err = a.Apply(b.Context(), s)
					} else {
						var w *Watch
						if w, err = watch(s.ID); err == nil {
							_, err = w.Apply(b.Context(), s)
						}
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
		})
	}
}
