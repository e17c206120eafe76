package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// measureCommand is the first argument of a process that measures one work, which it reads from its standard input.
const measureCommand = "measure"

// The works of the area apply, in their order.
const (
	workCreate     = "create"
	workNoOp       = "no-op"
	workOneChanged = "one-changed"
	workPrune      = "prune"
)

// A job is one work for one contender.
type job struct {
	Who, Work string
	Namespace string
	N, Size   int
	Host      string
	Token     string
	CA        []byte
	Kubectl   string // path
	Folder    string // for a contender's files; the same one for all its jobs
	Profile   string // file; empty: none
}

// config is alike for all contenders: no client-side limit of requests a second.
func (j job) config() *rest.Config {
	return &rest.Config{Host: j.Host, BearerToken: j.Token, TLSClientConfig: rest.TLSClientConfig{CAData: j.CA}, QPS: -1, Burst: -1}
}

// desired returns how many objects the set has for this work; the rest of the N is to go.
func (j job) desired() int {
	if j.Work == workPrune {
		return 1
	}
	return j.N
}

// object makes the object with the number i as it is to be for this work.
func (j job) object(i int) *unstructured.Unstructured {
	changed := i == 0 && (j.Work == workOneChanged || j.Work == workPrune)
	return object(i, j.Size, j.Namespace, changed)
}

// objects makes those from the number first to before the number end.
func (j job) objects(first, end int) []*unstructured.Unstructured {
	list := make([]*unstructured.Unstructured, 0, end-first)
	for i := first; i < end; i++ {
		list = append(list, j.object(i))
	}
	return list
}

// measure has the job done in a process of its own.
func measure(ctx context.Context, j job) (sample, error) {
	var s sample
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	input, err := json.Marshal(j)
	if err != nil {
		return s, err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, self, measureCommand)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it can end a kubectl
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s by %s: %w: %s", j.Work, j.Who, err, strings.TrimSpace(said.String()))
	}
	return s, json.Unmarshal(out.Bytes(), &s)
}

// measureMain is the process that measures.
func measureMain(stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var j job
	err := json.NewDecoder(stdin).Decode(&j)
	if err == nil {
		var s sample
		if s, err = j.measure(ctx); err == nil {
			err = json.NewEncoder(stdout).Encode(s)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func (j job) measure(ctx context.Context) (sample, error) {
	var s sample
	c, err := contenderOf(j.Who)
	if err != nil {
		return s, err
	}
	work, err := c.prepare(ctx, j)
	if err != nil {
		return s, fmt.Errorf("preparing: %w", err)
	}
	if !c.child {
		runtime.GC() // of what preparing left
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
	s.PeakMiB, err = peak(c.child)
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
