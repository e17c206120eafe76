package kustomize

import (
	"context"
	"io/fs"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A Builder builds one folder again and again, and only where something has changed that the last build depended on. Its
// method Build is a reconcile.BuildFunc. It may be used by several goroutines at once.
//
// Whether something has changed is asked of the file system where that has a method Identity(name string) (string, error),
// as a source.Snapshot has, and found out by reading the same files where not. In either case a rebuild of what has not
// changed costs a small part of a build: it copies the objects.
//
// The options must not change once it has built. Of their functions, Variables.Lookup is asked again each time for each name
// that the last build has looked up, and Decrypt is taken to always say the same about the same content.
type Builder struct {
	Dir     string // the folder, as of [Build]
	Options Options

	mu     sync.Mutex
	done   *built
	latest Inputs
}

// built is a build that succeeded. Nothing in it is changed.
type built struct {
	found   *record
	objects []*unstructured.Unstructured
}

// Build is [Build] of the folder in fsys. The objects are the caller's own, also where nothing was built.
func (b *Builder) Build(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
	if last := b.last(); last != nil {
		same, err := last.found.holds(ctx, fsys, b.Options)
		if err != nil {
			return nil, located(b.Dir, err)
		}
		if same {
			return copies(last.objects), nil
		}
	}
	found := newRecord(fsys, true)
	objects, err := recordedBuild(ctx, fsys, b.Dir, b.Options, found)
	b.keep(found, objects, err)
	return copies(objects), err
}

// Inputs returns what the last build depended on that was really done, up to where it stopped if it failed. Before the first
// one there are none.
func (b *Builder) Inputs() Inputs {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest
}

func (b *Builder) last() *built {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done
}

func (b *Builder) keep(found *record, objects []*unstructured.Unstructured, err error) {
	inputs := found.inputs()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.latest = inputs
	if err == nil {
		b.done = &built{found, objects}
	}
}

// copies returns copies of the objects, which many processors make where there are many.
func copies(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	if objects == nil {
		return nil
	}
	fresh := make([]*unstructured.Unstructured, len(objects))
	var rest sync.WaitGroup
	for first := 0; first < len(objects); first += copiesAtOnce {
		last := min(first+copiesAtOnce, len(objects))
		copyPart := func() {
			for i := first; i < last; i++ {
				fresh[i] = objects[i].DeepCopy()
			}
		}
		if last == len(objects) {
			copyPart()
		} else {
			rest.Go(copyPart)
		}
	}
	rest.Wait()
	return fresh
}

// copiesAtOnce are worth a goroutine.
const copiesAtOnce = 250
