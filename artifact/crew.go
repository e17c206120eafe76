package artifact

import (
	"context"
	"errors"
	"sync"
)

// A crew is the goroutines of one call, and the cores that they may use.
type crew struct {
	ctx    context.Context // ends with the caller's, or once somebody stops the crew
	caller context.Context
	cancel context.CancelCauseFunc
	cores  chan struct{}
	all    sync.WaitGroup
	panics chan any
}

// errAbandoned is what somebody's work ends with who panics. It is not met: whoever
// waits for the crew, and would see it, panics too.
var errAbandoned = errors.New("abandoned")

func newCrew(ctx context.Context, cores int) *crew {
	c := &crew{caller: ctx, cores: make(chan struct{}, cores), panics: make(chan any, 1)}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

func (c *crew) size() int { return cap(c.cores) }

// start has a goroutine of its own do f. What panics there, such as the caller's
// own fs.FS, panics in wait, where the caller can recover from it.
func (c *crew) start(f func()) {
	c.all.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				select {
				case c.panics <- v:
				default:
				}
				c.stop(errAbandoned)
			}
		}()
		f()
	})
}

// work does f on one of the cores. f must not wait for others of the crew.
func (c *crew) work(f func()) {
	c.cores <- struct{}{}
	defer func() { <-c.cores }()
	f()
}

// stop makes everybody stop because of err, unless somebody did so before.
func (c *crew) stop(err error) { c.cancel(err) }

// err is why everybody is to stop, or nil.
func (c *crew) err() error {
	if c.ctx.Err() == nil {
		return nil
	}
	if err := c.caller.Err(); err != nil {
		return err
	}
	return context.Cause(c.ctx)
}

// wait returns once no goroutine is left, with what err is then.
func (c *crew) wait() error {
	c.all.Wait()
	err := c.err()
	c.stop(nil)
	select {
	case v := <-c.panics:
		panic(v)
	default:
		return err
	}
}
