package main

import (
	"context"
	"fmt"

	"github.com/gitopskit/gitopskit/apply"
)

// prepareGitopskit makes a new Applier, which knows nothing of the work before.
func prepareGitopskit(ctx context.Context, j job) (func(context.Context) error, error) {
	applier, err := apply.New(j.config(), apply.Options{})
	if err != nil {
		return nil, err
	}
	set := apply.Set{ID: apply.ID{Namespace: j.Namespace, Name: "bench-set"}, Objects: j.objects(0, j.desired())}
	return func(ctx context.Context) error {
		result, err := applier.Apply(ctx, set)
		if err != nil {
			return err
		}
		count := func(a apply.Action) int { return result.Count(a) }
		return checkWork(j, count(apply.Created), count(apply.Unchanged), count(apply.Configured), count(apply.Pruned))
	}, warm(ctx, j.config())
}

// checkWork is an error where a contender says that it did something else than the work.
func checkWork(j job, created, unchanged, configured, deleted int) error {
	got := [4]int{created, unchanged, configured, deleted}
	want := map[string][4]int{
		workCreate:     {j.N, 0, 0, 0},
		workNoOp:       {0, j.N, 0, 0},
		workOneChanged: {0, j.N - 1, 1, 0},
		workPrune:      {0, 1, 0, j.N - 1},
	}[j.Work]
	if got != want {
		return fmt.Errorf("checking %s: created, unchanged, configured and deleted are %v and not %v", j.Work, got, want)
	}
	return nil
}
