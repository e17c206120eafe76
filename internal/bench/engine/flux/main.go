// The program of Flux's package for server-side apply.
package main

import (
	"context"
	"fmt"

	"github.com/fluxcd/pkg/ssa"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() { work.Main(work.Engine{Prepare: prepare}) }

// prepare makes a resource manager as Flux's kustomize-controller does, with the same options. The poller of status,
// which waits for definitions of kinds and for health, has nothing to do in these works, so there is none. The controller
// limits its requests a second; here nobody does.
func prepare(ctx context.Context, j work.Job) (func(context.Context) error, error) {
	log.SetLogger(logr.Discard()) // or it complains after half a minute that nobody did
	c, err := client.New(j.Config(), client.Options{})
	if err != nil {
		return nil, err
	}
	m := ssa.NewResourceManager(c, nil, ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
	m.SetConcurrency(j.Concurrency)
	first := 0
	if j.Work == work.Prune {
		first = 1
	}
	objects := j.Objects(first, j.N)
	m.SetOwnerLabels(objects, "bench", j.Namespace)
	return func(ctx context.Context) error {
		if j.Work == work.Prune {
			return check(j)(m.DeleteAll(ctx, objects, ssa.DefaultDeleteOptions()))
		}
		return check(j)(m.ApplyAll(ctx, objects, ssa.DefaultApplyOptions()))
	}, work.Warm(ctx, j.Config())
}

func check(j work.Job) func(*ssa.ChangeSet, error) error {
	return func(changes *ssa.ChangeSet, err error) error {
		if err != nil {
			return err
		}
		n := make(map[ssa.Action]int)
		for _, e := range changes.Entries {
			n[e.Action]++
		}
		if j.Work == work.Prune { // it is only told what is to go
			n[ssa.UnchangedAction]++
		}
		if err := j.Check(n[ssa.CreatedAction], n[ssa.UnchangedAction], n[ssa.ConfiguredAction], n[ssa.DeletedAction]); err != nil {
			return fmt.Errorf("%w: %v", err, n)
		}
		return nil
	}
}
