// Package objects is what the programs of the engines of the area bucket have in common: the job that each gets, and how it
// is measured.
package objects

import (
	"context"
	"errors"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// The works.
const (
	First      = "first"       // all objects, by one who has none
	Unchanged  = "unchanged"   // by one who has all
	OneChanged = "one changed" // the same, and one object has changed meanwhile
)

// Concurrency is how many objects gitopskit and the bare loop read at once: gitopskit's default.
const Concurrency = 16

// Region is the server's.
const Region = "us-east-1"

// A Store is a bucket on a server of plain HTTP.
type Store struct {
	Endpoint             string // host:port
	Bucket               string
	AccessKey, SecretKey string
}

// A Job is one work for one contender.
type Job struct {
	Store
	Who, Work string
	Warm      string // a small bucket that is fetched first, so that no time has what a process does once
	Program   string // the path of a contender's that is a program of its own
	Folder    string // empty, for the contender's files
	WarmWith  string // another one
	Standing  string // a folder that has what the contender's last job of this work left in it
	Ready     string // URL that is sent a POST when all is prepared: counting starts, and the one object changes
	Times     int    // how often it is done, of which the median counts
	Profile   string // file; empty: none
}

// An Engine prepares a job. What it does then is not measured: to fetch all that is there before the one object changes.
// Who finds out that nothing has changed, and has no files to show, returns none.
type Engine func(context.Context, Job) (*fetch.Fetch, error)

// Main is the program of an engine.
func Main(open Engine) {
	measure.Main(func(ctx context.Context, j Job) (fetch.Sample, error) { return open.measure(ctx, j) })
}

func (open Engine) measure(ctx context.Context, j Job) (fetch.Sample, error) {
	warm := j
	warm.Work, warm.Bucket, warm.Folder = First, j.Warm, j.WarmWith
	s, files, err := fetch.Course{
		Warm:  func(ctx context.Context) (*fetch.Fetch, error) { return open(ctx, warm) },
		Open:  func(ctx context.Context) (*fetch.Fetch, error) { return open(ctx, j) },
		Ready: j.Ready, Times: j.Times, Profile: j.Profile,
	}.Measure(ctx)
	switch {
	case err != nil:
		return s, err
	case files != nil:
		s.Content, err = fetch.Read(files, "")
	case j.Work != Unchanged:
		err = errors.New("it says that nothing has changed")
	}
	return s, err
}
