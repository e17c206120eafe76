package main

import (
	"context"
	"fmt"

	"github.com/fluxcd/pkg/ssa"
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// prepareFlux makes a resource manager as Flux's kustomize-controller does. The poller of status, which waits for
// definitions of kinds and for health, has nothing to do in these works, so there is none.
func prepareFlux(concurrency int) func(context.Context, job) (func(context.Context) error, error) {
	return func(ctx context.Context, j job) (func(context.Context) error, error) {
		log.SetLogger(logr.Discard()) // or it complains after half a minute that nobody did
		c, err := client.New(j.config(), client.Options{})
		if err != nil {
			return nil, err
		}
		m := ssa.NewResourceManager(c, nil, ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
		m.SetConcurrency(concurrency)
		first, end := 0, j.N
		if j.Work == workPrune {
			first = 1
		}
		objects := j.objects(first, end)
		m.SetOwnerLabels(objects, "bench", j.Namespace)
		return func(ctx context.Context) error {
			if j.Work == workPrune {
				return fluxResult(j)(m.DeleteAll(ctx, objects, ssa.DefaultDeleteOptions()))
			}
			return fluxResult(j)(m.ApplyAll(ctx, objects, ssa.DefaultApplyOptions()))
		}, warm(ctx, j.config())
	}
}

func fluxResult(j job) func(*ssa.ChangeSet, error) error {
	return func(changes *ssa.ChangeSet, err error) error {
		if err != nil {
			return err
		}
		n := make(map[ssa.Action]int)
		for _, e := range changes.Entries {
			n[e.Action]++
		}
		if j.Work == workPrune { // it is only told what is to go
			n[ssa.UnchangedAction]++
		}
		if err := checkWork(j, n[ssa.CreatedAction], n[ssa.UnchangedAction], n[ssa.ConfiguredAction], n[ssa.DeletedAction]); err != nil {
			return fmt.Errorf("%w: %v", err, n)
		}
		return nil
	}
}
