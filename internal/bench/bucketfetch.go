package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/objects"
	"github.com/gitopskit/gitopskit/internal/testbed"
)

func bucketFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.works, "work", ".", "regular expression of the works that are done, such as 'first 1000|unchanged'")
	flags.StringVar(&o.rclone, "rclone", "rclone", "name or path of rclone; its rows say so where it is not installed")
	flags.StringVar(&o.aws, "aws", "aws", "name or path of the AWS CLI; its rows say so where it is not installed")
}

// A bucketRun is one run of the area.
type bucketRun struct {
	options
	choice
	programs map[string]string // path of a contender's that is a program of its own; empty: it is not installed
	server   *testbed.S3Server
	proxy    *storeProxy // before the server
	wire     *wire       // before the proxy
	control  *control
	standing string // folder of the folders that contenders have kept in step
}

func runBucket(ctx context.Context, o options) (rows []row, err error) {
	r := &bucketRun{options: o}
	if r.choice, err = o.choose(ctx, "bucket", bucketContenders); err != nil {
		return nil, err
	}
	r.programs = o.find("bucket", map[string]string{rclone: r.rclone, awsCLI: r.aws})
	return o.atEach(func(s scale) ([]row, error) { return r.scale(ctx, s) })
}

// scale starts a server for one n, and has all works done there.
func (r *bucketRun) scale(ctx context.Context, s scale) (rows []row, err error) {
	if r.server, err = testbed.StartS3(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.server.Close()) }()
	if r.proxy, err = newStoreProxy(r.server.Endpoint); err != nil {
		return nil, err
	}
	defer r.proxy.Close()
	if r.wire, err = newWire(r.proxy.URL); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.wire.Close()) }()
	r.control = newControl()
	defer r.control.Close()
	if r.standing, err = os.MkdirTemp(tmpfs(), "gitopskit-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.standing)) }()
	warm, err := fill(ctx, r.server, stock{name: "warm", count: 2, size: smallObject})
	if err != nil {
		return nil, err
	}
	var filled *filled
	for _, w := range bucketWorks(s.n) {
		if !r.named.MatchString(w.name) {
			continue
		}
		if filled == nil || filled.stock != w.stock {
			fmt.Fprintf(r.log, "bucket: putting %d objects of %d bytes\n", w.stock.count, w.stock.size)
			if filled, err = fill(ctx, r.server, w.stock); err != nil {
				return nil, fmt.Errorf("filling the bucket %s: %w", w.stock.name, err)
			}
		}
		done, err := r.work(ctx, w, filled, warm, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		rows = append(rows, done...)
	}
	return rows, nil
}

// work has one work done by all contenders in turn: first to count, then to take the time.
func (r *bucketRun) work(ctx context.Context, w bucketWork, from, warm *filled, s scale) (rows []row, err error) {
	whos := slices.DeleteFunc(slices.Clone(r.whos), func(c contender) bool { return r.missing(c) })
	results := make(map[string]*result)
	err = r.inTurn("bucket", w.name, whos, 0, s.runs, func(c contender, round int) error {
		j := objects.Job{Who: c.name, Work: w.does, Warm: warm.name, Program: r.programs[c.name],
			Profile: r.profileOf(c.name, w.name, s.n, round)}
		sample, counted, err := r.job(ctx, from, j, c.program(r.engines), round == 0)
		switch {
		case err != nil:
			return err
		case round == 0:
			results[c.name] = &result{traffic: counted}
		default:
			results[c.name].samples = append(results[c.name].samples, sample)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range r.whos {
		measured := row{Area: "bucket", Work: w.name, Who: c.name, N: s.n, kind: w.kind, Objects: from.count}
		results[c.name].fill(&measured)
		rows = append(rows, measured)
	}
	return rows, nil
}

// missing says that the contender is a program that is not installed.
func (r *bucketRun) missing(c contender) bool {
	path, program := r.programs[c.name]
	return program && path == ""
}

// askedOften is how often one process asks whether something has changed: once is too short to be told from noise.
const askedOften = 5

// job is one process. One that counts does its work once, by the wire.
func (r *bucketRun) job(ctx context.Context, from *filled, j objects.Job, program string, counting bool) (
	s measure.Sample, counted traffic, err error) {
	j.Store = objects.Store{Endpoint: r.server.Endpoint, Bucket: from.name,
		AccessKey: r.server.AccessKey, SecretKey: r.server.SecretKey}
	j.Ready = r.control.URL
	switch {
	case counting:
		j.Endpoint = r.wire.address()
	case j.Work == objects.Unchanged && j.Program == "":
		j.Times = askedOften
	}
	for _, folder := range []*string{&j.Folder, &j.WarmWith} {
		if *folder, err = os.MkdirTemp(tmpfs(), "gitopskit-bench-"); err != nil {
			return s, counted, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(*folder)) }()
	}
	j.Standing = filepath.Join(r.standing, j.Who+"."+from.name)
	r.control.atReady = func() error {
		r.take()
		if j.Work == objects.OneChanged {
			return from.change(ctx)
		}
		return nil
	}
	var sample fetch.Sample
	if err := inProcess(ctx, program, j, &sample); err != nil {
		return s, counted, err
	}
	counted = r.take()
	// Who keeps no files has none to show where nothing has changed.
	nothing := j.Work == objects.Unchanged && j.Program == "" && sample.Content == fetch.Content{}
	if want := fetch.Of(from.sums); sample.Content != want && !nothing {
		err = fmt.Errorf("%d files are not the %d objects that were put", sample.Files, want.Files)
	}
	return sample.Sample, counted, err
}

// take returns what passed since the last call.
func (r *bucketRun) take() traffic {
	t, bytes := r.proxy.take(), r.wire.take()
	t.sent, t.received = bytes.sent, bytes.received
	return t
}
