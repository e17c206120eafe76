// Package measure is what the programs of all engines have in common: each is a process that gets one job, does its work, and
// says what that cost in time and memory.
package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"syscall"
)

// A Sample is what measuring one work once gave.
type Sample struct {
	MS       float64
	PeakMiB  float64 // the greatest resident memory during the work; 0: not known
	ReadyMiB float64 // resident memory before the work
}

// Main is the program of an engine: it reads a job from standard input, has it done, and writes what that gave to standard
// output. Both are JSON.
func Main[J, S any](do func(context.Context, J) (S, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, os.Stdin, os.Stdout, do)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve[J, S any](ctx context.Context, in io.Reader, out io.Writer, do func(context.Context, J) (S, error)) error {
	var job J
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	s, err := do(ctx, job)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// Profile starts a CPU profile, where one is wanted, and returns what ends it.
func Profile(file string) (func() error, error) {
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

// Median returns the middle value, or the mean of the two in the middle.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
