package work

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// An Engine does the works in a process of its own.
type Engine struct {
	// Prepare does what is not to be measured, and returns what is.
	Prepare func(context.Context, Job) (func(context.Context) error, error)
	// Child says that a child of the process does the work, and that its memory counts.
	Child bool
}

// Main is the program of an engine.
func Main(e Engine) { measure.Main(e.measure) }

func (e Engine) measure(ctx context.Context, j Job) (measure.Sample, error) {
	var s measure.Sample
	work, err := e.Prepare(ctx, j)
	if err != nil {
		return s, fmt.Errorf("preparing: %w", err)
	}
	if !e.Child {
		debug.FreeOSMemory() // what preparing left is nobody's peak, and no collection of it is in anybody's time
		if s.ReadyMiB, err = measure.RestartPeak(); err != nil {
			return s, err
		}
	}
	stop, err := measure.Profile(j.Profile)
	if err != nil {
		return s, err
	}
	start := time.Now()
	err = work(ctx)
	s.MS = time.Since(start).Seconds() * 1000
	if err := errors.Join(err, stop()); err != nil {
		return s, err
	}
	s.PeakMiB, err = measure.Peak(e.Child)
	return s, err
}
