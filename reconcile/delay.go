package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// The defaults of a Loop's times.
const (
	defaultInterval = time.Minute
	defaultRetryMin = time.Second
	defaultTimeout  = 5 * time.Minute
)

// longest is the longest Interval, so that the sum of two is a Duration: 73 years.
const longest time.Duration = 1 << 61

func (l *Loop) interval() time.Duration { return min(or(l.Interval, defaultInterval), longest) }

// delay is the time to the next round, after so many in a row that failed.
func (l *Loop) delay(failures int) time.Duration {
	if failures > 0 {
		first := or(l.RetryMin, defaultRetryMin)
		most := max(or(l.RetryMax, l.interval()), first)
		delay := most
		if doublings := failures - 1; doublings < 32 && first<<doublings>>doublings == first {
			delay = min(first<<doublings, most)
		}
		return delay
	}
	share := l.Jitter
	if share == 0 {
		share = 0.1
	}
	if !(share > 0) { // nor is NaN
		share = 0
	}
	share = min(share, 1)
	return l.interval() + time.Duration(float64(l.interval())*share*(2*rand.Float64()-1))
}

// patience is how long to leave an origin alone that wants to be.
func patience(err error) time.Duration {
	var temporary *source.TemporaryError
	if errors.As(err, &temporary) {
		return temporary.After
	}
	return 0
}

func or(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

// errTimeout is why a stage ended that took too long.
var errTimeout = errors.New("it took longer than the loop's")

// limit is the context of a stage, which may have a timeout of its own: of that name in Timeouts.
func (l *Loop) limit(ctx context.Context, name string, own time.Duration) (context.Context, context.CancelFunc) {
	option := "Timeouts." + name
	if own <= 0 {
		option = "Timeout"
	}
	timeout := or(own, or(l.Timeout, defaultTimeout))
	cause := fmt.Errorf("%w %s, %s: %w", errTimeout, option, timeout, context.DeadlineExceeded)
	return context.WithTimeoutCause(ctx, timeout, cause)
}

// late puts before a stage's error that its time was over, where it was: the stage may tell of it in words of its own.
func late(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errTimeout) && !errors.Is(err, errTimeout) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
