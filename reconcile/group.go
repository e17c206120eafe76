package reconcile

import (
	"context"
	"fmt"
	"sync"
)

// Run runs many loops at once until ctx ends, and returns ctx's error then. A loop that cannot run at all, since it lacks
// a part or its name is another's too, keeps all from starting.
func Run(ctx context.Context, loops ...*Loop) error {
	names := make(map[string]bool, len(loops))
	for _, l := range loops {
		if err := l.check(); err != nil {
			return err
		}
		if names[l.Name] {
			return fmt.Errorf("running loops: two have the name %q", l.Name)
		}
		names[l.Name] = true
	}
	var running sync.WaitGroup
	for _, l := range loops {
		running.Go(func() { _ = l.Run(ctx) }) // checked above: its error is ctx's
	}
	running.Wait()
	if len(loops) == 0 {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}
