// The program of gitopskit itself.
package main

import (
	"context"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/bench/work"
)

func main() { work.Main(work.Engine{Prepare: prepare}) }

// prepare makes a new Applier, which knows nothing of the work before, with no option set.
func prepare(ctx context.Context, j work.Job) (func(context.Context) error, error) {
	applier, err := apply.New(j.Config(), apply.Options{})
	if err != nil {
		return nil, err
	}
	set := apply.Set{ID: apply.ID{Namespace: j.Namespace, Name: "bench-set"}, Objects: j.Objects(0, j.Desired())}
	return func(ctx context.Context) error {
		result, err := applier.Apply(ctx, set)
		if err != nil {
			return err
		}
		count := func(a apply.Action) int { return result.Count(a) }
		return j.Check(count(apply.Created), count(apply.Unchanged), count(apply.Configured), count(apply.Pruned))
	}, work.Warm(ctx, j.Config())
}
