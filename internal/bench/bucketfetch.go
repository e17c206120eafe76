package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	whos     []contender
	programs map[string]string // path of a contender's that is a program of its own; empty: it is not installed
	engines  string            // folder of their programs
	server   *testbed.S3Server
	proxy    *storeProxy      // before the server
	wire     *wire            // before the proxy
	control  *httptest.Server // engines tell it that they are prepared
	atReady  func() error     // what is done then
	standing string           // folder of the folders that contenders have kept in step
}

func runBucket(ctx context.Context, o options) (rows []row, err error) {
	r := &bucketRun{options: o, whos: matching(bucketContenders, o.who)}
	if len(r.whos) == 0 {
		return nil, fmt.Errorf("no contender matches %s", o.who)
	}
	works, err := regexp.Compile(o.works)
	if err != nil {
		return nil, fmt.Errorf("reading the expression of the works: %w", err)
	}
	r.findPrograms()
	if r.engines, err = buildEngines(ctx, o.log, "bucket", r.whos); err != nil {
		return nil, err
	}
	for _, s := range o.scales {
		measured, err := r.scale(ctx, works, s)
		if err != nil {
			return nil, err
		}
		if err := o.print(measured); err != nil {
			return nil, err
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// findPrograms looks for those that are not built here.
func (r *bucketRun) findPrograms() {
	r.programs = make(map[string]string)
	for who, name := range map[string]string{rclone: r.rclone, awsCLI: r.aws} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			fmt.Fprintf(r.log, "bucket: %s is not installed: %v\n", who, err)
			path = ""
		}
		r.programs[who] = path
	}
}

// scale starts a server for one n, and has all works done there.
func (r *bucketRun) scale(ctx context.Context, works *regexp.Regexp, s scale) (rows []row, err error) {
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
	r.control = httptest.NewServer(http.HandlerFunc(r.ready))
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
		if !works.MatchString(w.name) {
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

// ready answers an engine that is prepared: what it did so far does not count, and what is new arrives.
func (r *bucketRun) ready(w http.ResponseWriter, _ *http.Request) {
	if err := r.atReady(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// A bucketResult is what one contender's work gave in all rounds.
type bucketResult struct {
	traffic
	samples []measure.Sample
}

// work has one work done by all contenders in turn: first to count, then to take the time.
func (r *bucketRun) work(ctx context.Context, w bucketWork, from, warm *filled, s scale) (rows []row, err error) {
	whos := slices.DeleteFunc(slices.Clone(r.whos), func(c contender) bool { return r.missing(c) })
	results := make(map[string]*bucketResult)
	for round := 0; round <= s.runs && len(whos) > 0; round++ {
		fmt.Fprintf(r.log, "bucket: %s, round %d of %d\n", w.name, round, s.runs)
		for _, c := range turns(whos, round) {
			j := objects.Job{Who: c.name, Work: w.does, Warm: warm.name, Program: r.programs[c.name],
				Profile: r.profileOf(c.name, w.name, s.n, round)}
			sample, counted, err := r.job(ctx, from, j, c.program(r.engines), round == 0)
			if err != nil {
				return nil, fmt.Errorf("by %s: %w", c.name, err)
			}
			if round == 0 {
				results[c.name] = &bucketResult{traffic: counted}
				continue
			}
			results[c.name].samples = append(results[c.name].samples, sample)
		}
	}
	for _, c := range r.whos {
		measured := row{Area: "bucket", Work: w.name, Who: c.name, N: s.n, kind: w.kind, Objects: from.count}
		if done := results[c.name]; done == nil {
			measured.Missing = notInstalled
		} else {
			measured.Requests, measured.Verbs, measured.Sent, measured.Received = done.requests, done.verbs, done.sent, done.received
			measured.summarize(done.samples)
		}
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
	r.atReady = func() error {
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
