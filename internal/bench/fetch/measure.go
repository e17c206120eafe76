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
	s, files, err := Course{
		// The small repository.
		Warm: func(ctx context.Context) (*Fetch, error) {
			return open(ctx, Job{Who: j.Who, Work: Full, URL: j.Warm, Folder: j.WarmWith})
		},
		Open:  func(ctx context.Context) (*Fetch, error) { return open(ctx, j) },
		Ready: j.Ready, Times: j.Times, Profile: j.Profile,
	}.Measure(ctx)
	if err != nil {
		return s, err
	}
	return s, s.check(j, files)
}

// A Course is how a fetch is measured, whatever it fetches from, or what else brings files.
type Course struct {
	Warm    func(context.Context) (*Fetch, error) // something small, that is run and not measured
	Open    func(context.Context) (*Fetch, error) // what is measured
	Ready   string                                // URL that is sent a POST between the two; empty: nobody has to know
	Times   int                                   // how often it is run, of which the median counts; 0: once
	Profile string                                // file; empty: none
}

// Measure returns what the last time brought, too. It is not looked at yet.
func (c Course) Measure(ctx context.Context) (s Sample, files fs.FS, err error) {
	f, err := c.Warm(ctx)
	if err == nil {
		_, err = f.Run(ctx)
	}
	if err != nil {
		return s, nil, fmt.Errorf("warming up: %w", err)
	}
	if f, err = c.Open(ctx); err != nil {
		return s, nil, fmt.Errorf("preparing: %w", err)
	}
	if c.Ready != "" {
		if err := ready(ctx, c.Ready); err != nil {
			return s, nil, err
		}
	}
	debug.FreeOSMemory() // what preparing left is nobody's peak
	if s.ReadyMiB, err = measure.RestartPeak(); err != nil {
		return s, nil, err
	}
	stop, err := measure.Profile(c.Profile)
	if err != nil {
		return s, nil, err
	}
	files, err = s.repeat(ctx, f, max(c.Times, 1))
	return s, files, errors.Join(err, stop())
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
