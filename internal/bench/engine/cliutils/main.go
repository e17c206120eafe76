// The program of cli-utils' Applier.
package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/work"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	cliapply "sigs.k8s.io/cli-utils/pkg/apply"
	"sigs.k8s.io/cli-utils/pkg/apply/event"
	"sigs.k8s.io/cli-utils/pkg/common"
	"sigs.k8s.io/cli-utils/pkg/inventory"
	"sigs.k8s.io/cli-utils/pkg/kstatus/watcher"
)

func main() { work.Main(work.Engine{Prepare: prepare}) }

// noWait ends cli-utils' waiting for health at once. It has no option to leave that out, and 0 is to wait for ever.
const noWait = time.Nanosecond

// prepare makes an Applier as cli-utils' own command kapply does: by a factory of kubectl's, with an inventory
// in a ConfigMap without the objects' status, server-side, pruning. Nothing waits for health in these works, so there is no
// wait, and no watch either, which the waits alone are fed by: it would LIST and WATCH all objects in full.
func prepare(ctx context.Context, j work.Job) (func(context.Context) error, error) {
	factory, err := kubectlFactory(j)
	if err != nil {
		return nil, err
	}
	store, err := inventory.ClusterClientFactory{StatusPolicy: inventory.StatusPolicyNone}.NewClient(factory)
	if err != nil {
		return nil, err
	}
	applier, err := cliapply.NewApplierBuilder().WithFactory(factory).WithInventoryClient(store).
		WithStatusWatcher(watcher.BlindStatusWatcher{}).Build()
	if err != nil {
		return nil, err
	}
	objects, parent := j.Objects(0, j.Desired()), inventory.WrapInventoryInfoObj(parentOf(j))
	options := cliapply.ApplierOptions{
		ServerSideOptions: common.ServerSideOptions{ServerSideApply: true, ForceConflicts: true, FieldManager: "kapply"},
		ReconcileTimeout:  noWait,
		PruneTimeout:      noWait,
	}
	return func(ctx context.Context) error {
		return check(j, applier.Run(ctx, parent, objects, options))
	}, work.Warm(ctx, j.Config())
}

// kubectlFactory is of kubectl's own code, with its cache of discovery on disk.
func kubectlFactory(j work.Job) (cmdutil.Factory, error) {
	kubeconfig := filepath.Join(j.Folder, "kubeconfig")
	if err := j.WriteKubeconfig(kubeconfig); err != nil {
		return nil, err
	}
	flags := genericclioptions.NewConfigFlags(true).WithDiscoveryQPS(-1).
		WithWrapConfigFn(func(*rest.Config) *rest.Config { return j.Config() })
	flags.KubeConfig, flags.CacheDir = &kubeconfig, &j.Cache
	return cmdutil.NewFactory(flags), nil
}

func parentOf(j work.Job) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "bench-inventory", "namespace": j.Namespace,
			"labels": map[string]any{common.InventoryLabel: j.Namespace}},
	}}
}

// check reads the events to their end and counts what was done. They do not tell whether an object that was
// applied has changed.
func check(j work.Job, events <-chan event.Event) error {
	var applied, pruned int
	var errs []error
	for e := range events {
		switch e.Type {
		case event.ErrorType:
			errs = append(errs, e.ErrorEvent.Err)
		case event.ApplyType:
			if errs = append(errs, e.ApplyEvent.Error); e.ApplyEvent.Status == event.ApplySuccessful {
				applied++
			}
		case event.PruneType:
			if errs = append(errs, e.PruneEvent.Error); e.PruneEvent.Status == event.PruneSuccessful {
				pruned++
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if want := j.Desired(); applied != want || pruned != j.N-want {
		return fmt.Errorf("checking %s: %d were applied and %d pruned, and not %d and %d", j.Work, applied, pruned, want, j.N-want)
	}
	return nil
}
