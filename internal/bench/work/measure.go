package work

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
	"time"
)

// An Engine does the works in a process of its own.
type Engine struct {
	// Prepare does what is not to be measured, and returns what is.
	Prepare func(context.Context, Job) (func(context.Context) error, error)
	// Child says that a child of the process does the work, and that its memory counts.
	Child bool
}

// A Sample is what measuring one work once gave.
type Sample struct {
	MS       float64
	PeakMiB  float64 // the greatest resident memory during the work; 0: not known
	ReadyMiB float64 // resident memory before the work
}

// Main is the program of an engine: it reads a job from standard input and writes a sample to standard output.
func Main(e Engine) { os.Exit(e.main(os.Stdin, os.Stdout, os.Stderr)) }

func (e Engine) main(stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var j Job
	err := json.NewDecoder(stdin).Decode(&j)
	if err == nil {
		var s Sample
		if s, err = e.measure(ctx, j); err == nil {
			err = json.NewEncoder(stdout).Encode(s)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func (e Engine) measure(ctx context.Context, j Job) (Sample, error) {
	var s Sample
	work, err := e.Prepare(ctx, j)
	if err != nil {
		return s, fmt.Errorf("preparing: %w", err)
	}
	if !e.Child {
		debug.FreeOSMemory() // what preparing left is nobody's peak, and no collection of it is in anybody's time
		if s.ReadyMiB, err = restartPeak(); err != nil {
			return s, err
		}
	}
	stop, err := startProfile(j.Profile)
	if err != nil {
		return s, err
	}
	start := time.Now()
	err = work(ctx)
	s.MS = time.Since(start).Seconds() * 1000
	if err := errors.Join(err, stop()); err != nil {
		return s, err
	}
	s.PeakMiB, err = peak(e.Child)
	return s, err
}

// startProfile starts a CPU profile, where one is wanted, and returns what ends it.
func startProfile(file string) (func() error, error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
