// Package archive is what the programs of the engines of the area artifact have in common: the job that each gets, and how
// it is measured.
package archive

import (
	"context"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// What is done.
const (
	Pack   = "pack"   // a folder to an archive
	Unpack = "unpack" // an archive to a folder
	Open   = "open"   // an archive to the content of one file in it
)

// How archives are compressed.
const (
	Gzip = "gzip"
	Zstd = "zstd"
)

// A Job is one work for one contender.
type Job struct {
	Who, Does, Format string

	Tree    string // path of the folder that is packed
	Archive string // path of the archive: Pack makes the file
	Digest  string // of an archive that is there, sha256:…
	Size    int64  // the same, in bytes
	Name    string // the file that Open reads, with slashes
	Folder  string // empty, for what is unpacked

	Warm     *Job              // a small one that is done first, so that no time has what a process does once
	Programs map[string]string // paths, by what they are
	Profile  string            // file; empty: none
}

// An Engine prepares a job. The files are those that were unpacked, or the one that was read; of Pack there are none.
type Engine func(context.Context, Job) (*fetch.Fetch, error)

// One is the file that Open has read.
func One(name string, body []byte) fstest.MapFS {
	return fstest.MapFS{name: &fstest.MapFile{Data: body, Mode: 0o644}}
}

// Main is the program of an engine.
func Main(open Engine) {
	measure.Main(func(ctx context.Context, j Job) (fetch.Sample, error) { return open.measure(ctx, j) })
}

// measure looks at the files. Whoever gave the job looks at the archive, with code that no engine has in it.
func (open Engine) measure(ctx context.Context, j Job) (fetch.Sample, error) {
	s, files, err := fetch.Course{
		Warm:    func(ctx context.Context) (*fetch.Fetch, error) { return open(ctx, *j.Warm) },
		Open:    func(ctx context.Context) (*fetch.Fetch, error) { return open(ctx, j) },
		Profile: j.Profile,
	}.Measure(ctx)
	if err != nil || files == nil {
		return s, err
	}
	s.Content, err = fetch.Read(files, "")
	return s, err
}
