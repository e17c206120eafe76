package apply

import (
	"context"
	"sync"
)

// parallel calls do for all items, by at most n goroutines, and returns the first error, at which the others are called off.
func parallel[T any](ctx context.Context, n int, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each(n, items, func(item T) {
		if ctx.Err() != nil {
			return
		}
		if err := do(ctx, item); err != nil {
			cancel(err)
		}
	})
	return context.Cause(ctx)
}

// each calls do for all items, by at most n goroutines, and returns when they are done.
func each[T any](n int, items []T, do func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range min(n, len(items)) {
		workers.Go(func() {
			for item := range queue {
				do(item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}
