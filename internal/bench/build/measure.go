package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// A build is repeated in its process for this long, and not more often than this; but it is always done once.
const (
	enough = 300 * time.Millisecond
	most   = 200
)

// A Sample is what measuring one work in one process gave. Times are medians of the builds in it; the memory is that of the
// first, for those that follow have what it left, too.
type Sample struct {
	measure.Sample
	AloneMS float64 // of a job that builds twice: one build with none beside it; MS is until both are done
	Objects int
	Digest  string // of the objects, in whatever order
}

// Main is the program of an engine.
func Main(open Engine) {
	measure.Main(func(ctx context.Context, j Job) (Sample, error) { return open.measure(ctx, j) })
}

func (open Engine) measure(ctx context.Context, j Job) (Sample, error) {
	var s Sample
	if err := open.warm(ctx, j); err != nil {
		return s, fmt.Errorf("warming up: %w", err)
	}
	builds, err := open.prepare(ctx, j)
	if err != nil {
		return s, fmt.Errorf("preparing: %w", err)
	}
	debug.FreeOSMemory() // what preparing left is nobody's peak
	if s.ReadyMiB, err = measure.RestartPeak(); err != nil {
		return s, err
	}
	stop, err := measure.Profile(j.Profile)
	if err != nil {
		return s, err
	}
	return s, errors.Join(s.repeat(ctx, builds), stop())
}

// warm builds the small tree, so that kustomize's schema is parsed where that is kept.
func (open Engine) warm(ctx context.Context, j Job) error {
	b, err := open.in(ctx, j, j.Warm, "warm")
	if err != nil {
		return err
	}
	_, err = b.Run(ctx)
	return err
}

// prepare opens the tree as often as it is built side by side.
func (open Engine) prepare(ctx context.Context, j Job) ([]*Build, error) {
	names := []string{"one"}
	if j.Twice {
		names = append(names, "two")
	}
	var builds []*Build
	for _, name := range names {
		b, err := open.in(ctx, j, j.Tree, name)
		if err != nil {
			return nil, err
		}
		if j.Again {
			if _, err := b.Run(ctx); err != nil {
				return nil, err
			}
			if err := b.restore(); err != nil {
				return nil, err
			}
		}
		builds = append(builds, b)
	}
	return builds, nil
}

func (open Engine) in(ctx context.Context, j Job, t Tree, name string) (*Build, error) {
	folder := filepath.Join(j.Folder, name)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	return open(ctx, j, t, folder)
}

// repeat measures builds side by side, and one alone where there are more. The objects of the first time and of the last are
// looked at.
func (s *Sample) repeat(ctx context.Context, builds []*Build) error {
	var times, alone []float64
	for begin := time.Now(); len(times) == 0 || time.Since(begin) < enough && len(times) < most; {
		ms, results, err := once(ctx, builds)
		if err != nil {
			return err
		}
		if times = append(times, ms); len(times) == 1 {
			if s.PeakMiB, err = measure.Peak(false); err != nil {
				return err
			}
			if err := s.check(results); err != nil {
				return err
			}
		}
		if len(builds) > 1 {
			if ms, _, err = once(ctx, builds[:1]); err != nil {
				return err
			}
			alone = append(alone, ms)
		}
	}
	s.MS = measure.Median(times)
	if len(alone) > 0 {
		s.AloneMS = measure.Median(alone)
	}
	_, results, err := once(ctx, builds)
	if err != nil {
		return err
	}
	return s.check(results)
}

// once returns how many milliseconds passed until all builds were done.
func once(ctx context.Context, builds []*Build) (ms float64, results []Objects, err error) {
	results = make([]Objects, len(builds))
	errs, done := make([]error, len(builds)), make(chan struct{}, len(builds))
	start := time.Now()
	for i := 1; i < len(builds); i++ {
		go func() {
			results[i], errs[i] = builds[i].Run(ctx)
			done <- struct{}{}
		}()
	}
	results[0], errs[0] = builds[0].Run(ctx)
	for range builds[1:] {
		<-done
	}
	ms = time.Since(start).Seconds() * 1000
	for _, b := range builds {
		errs = append(errs, b.restore())
	}
	return ms, results, errors.Join(errs...)
}

func (b *Build) restore() error {
	if b.Restore == nil {
		return nil
	}
	return b.Restore()
}
