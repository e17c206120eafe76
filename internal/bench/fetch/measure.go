package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// A Sample is what measuring one work in one process gave.
type Sample struct {
	measure.Sample
	Content
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
	f, err := open(ctx, j)
	if err != nil {
		return s, fmt.Errorf("preparing: %w", err)
	}
	if err := ready(ctx, j.Ready); err != nil {
		return s, err
	}
	debug.FreeOSMemory() // what preparing left is nobody's peak
	if s.ReadyMiB, err = measure.RestartPeak(); err != nil {
		return s, err
	}
	stop, err := measure.Profile(j.Profile)
	if err != nil {
		return s, err
	}
	files, err := s.repeat(ctx, f, max(j.Times, 1))
	if err := errors.Join(err, stop()); err != nil {
		return s, err
	}
	return s, s.check(j, files)
}

// warm fetches the small repository.
func (open Engine) warm(ctx context.Context, j Job) error {
	f, err := open(ctx, Job{Who: j.Who, Work: Full, URL: j.Warm, Folder: j.WarmWith})
	if err != nil {
		return err
	}
	_, err = f.Run(ctx)
	return err
}

// ready has whoever gave the job do what belongs between preparing and working.
func ready(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("telling that all is prepared: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("telling that all is prepared: the answer is %s", answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// repeat takes the times and the peak, and returns the files of the last time.
func (s *Sample) repeat(ctx context.Context, f *Fetch, times int) (files fs.FS, err error) {
	var all []float64
	for range times {
		start := time.Now()
		if files, err = f.Run(ctx); err != nil {
			return nil, err
		}
		all = append(all, time.Since(start).Seconds()*1000)
	}
	s.MS = measure.Median(all)
	if f.PeakMiB != nil {
		s.ReadyMiB, s.PeakMiB = 0, f.PeakMiB() // they start with nothing
		return files, nil
	}
	s.PeakMiB, err = measure.Peak(false)
	return files, err
}

// check reads what was fetched.
func (s *Sample) check(j Job, files fs.FS) (err error) {
	switch {
	case (files == nil) != (j.Work == NothingNew):
		return errors.New("it was not told right whether there is something new")
	case files == nil:
		return nil
	}
	s.Content, err = Read(files, j.Path)
	return err
}
