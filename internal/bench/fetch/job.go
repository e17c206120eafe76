// Package fetch is what the programs of the engines of the area git have in common: the job that each gets, how a fetch is
// measured, and how what it brought is compared with what is in the repository.
package fetch

import (
	"context"
	"io/fs"
)

// The works.
const (
	NothingNew = "nothing new"
	Full       = "full"
	Path       = "path"
	NewCommit  = "new commit"
	SemVer     = "semver"
	OldCommit  = "old commit"
)

// Branch is the one that all works are about.
const Branch = "main"

// A Job is one work for one contender.
type Job struct {
	Who, Work string
	URL       string // of the repository
	Warm      string // URL of a small one that is fetched first, so that no time has what a process does once
	Path      string // the folder that is wanted; empty: all are
	Range     string // of versions; the highest tag in it is wanted
	Commit    string // the one that is wanted of OldCommit; of NothingNew and NewCommit the one that is known
	Folder    string // empty, for the contender's files; its path is short, for some pay for each element of it
	WarmWith  string // another one
	Ready     string // URL that is sent a POST when all is prepared: counting starts, and the new commit arrives
	Times     int    // how often it is done, of which the median counts
	Profile   string // file; empty: none
}

// A Fetch is a work that is done once; only NothingNew is done several times.
type Fetch struct {
	// Run returns the files, which are looked at when nothing is measured; nil if there is nothing new.
	Run func(context.Context) (fs.FS, error)
	// PeakMiB is of the processes that the last Run started. It may be nil: this process does the work.
	PeakMiB func() float64
}

// An Engine prepares a job. What it does then is not measured: to fetch the commit before the new one.
type Engine func(context.Context, Job) (*Fetch, error)
