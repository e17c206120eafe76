package kustomize

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A Builder builds one folder again and again, and only where something has changed that the last build depended on. Its
// method Build is a reconcile.BuildFunc. It may be used by several goroutines at once.
//
// Whether something has changed is asked of the file system where that has a method Identity(name string) (string, error),
// as a source.Snapshot has, and found out by reading the same files where not. In either case a rebuild of what has not
// changed costs a small part of a build.
//
// The options must not change once it has built. Of their functions, Variables.Lookup and Remote are asked once in each call,
// for each name and reference that the last build asked for, and Decrypt is taken to always say the same about the same
// content. What it keeps is in memory only, decrypted Secrets too.
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
	inputs  Inputs
	objects []*unstructured.Unstructured
}

// Build is [Build] of the folder in fsys, but for whose the objects are: they are the Builder's, and are returned again as long
// as nothing has changed. Like those of an informer's cache they are not to be changed: who wants to calls DeepCopy first. The
// slice is the caller's own.
func (b *Builder) Build(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
	opts := b.Options.askingOnce()
	last := b.last()
	if last != nil {
		same, err := last.found.holds(ctx, fsys, opts)
		if err != nil {
			return nil, located(b.Dir, err)
		}
		if same {
			b.keep(last, last.inputs)
			return slices.Clone(last.objects), nil
		}
	}
	found := newRecord(fsys, true)
	objects, err := recordedBuild(ctx, fsys, b.Dir, opts, found)
	inputs := found.inputs()
	if err != nil {
		if last != nil {
			inputs = inputs.with(last.inputs)
		}
		b.keep(last, inputs)
		return nil, err
	}
	b.keep(&built{found, inputs, objects}, inputs)
	return slices.Clone(objects), nil
}

// Inputs returns what the last call of Build depended on. If that failed, it is what the build depended on up to where it
// failed, and what the last good one did: a change of either can make the next one differ.
func (b *Builder) Inputs() Inputs {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest
}

// Format implements [fmt.Formatter]: every verb prints the folder and the options. What else is in b holds references, and
// formatting a field that is not exported would show all of them, credentials too.
func (b *Builder) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Dir:%s Options:%+v}", b.Dir, b.Options)
}

func (b *Builder) last() *built {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done
}

func (b *Builder) keep(done *built, latest Inputs) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done, b.latest = done, latest
}

// askingOnce returns the options with functions that remember what they were told, so that what is asked to find out whether
// to build is not asked again to build.
func (o Options) askingOnce() Options {
	if remote := o.Remote; remote != nil {
		known := map[Reference]fs.FS{}
		o.Remote = func(ctx context.Context, ref Reference) (fs.FS, error) {
			if fsys, ok := known[ref]; ok {
				return fsys, nil
			}
			fsys, err := remote(ctx, ref)
			if err == nil {
				known[ref] = fsys
			}
			return fsys, err
		}
	}
	if lookup := o.Variables.Lookup; lookup != nil {
		known := map[string]lookedUp{}
		o.Variables.Lookup = func(ctx context.Context, name string) (string, bool, error) {
			l, ok := known[name]
			if !ok {
				l.value, l.found, l.err = lookup(ctx, name)
				known[name] = l
			}
			return l.value, l.found, l.err
		}
	}
	return o
}
