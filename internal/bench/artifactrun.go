package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/archive"
	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

// An artifactWork is done with each tree.
type artifactWork struct {
	name         string
	does, format string // see [archive.Job]
	by           string // whose archive it is that is there
}

// artifactWorks are in the order in which they are printed.
var artifactWorks = []artifactWork{
	{packGzip, archive.Pack, archive.Gzip, ""},
	{packZstd, archive.Pack, archive.Zstd, ""},
	{unpackGzip, archive.Unpack, archive.Gzip, byPack},
	{unpackFlux, archive.Unpack, archive.Gzip, byFlux},
	{unpackZstd, archive.Unpack, archive.Zstd, byPack},
	{openOne, archive.Open, archive.Gzip, byPack},
}

const (
	packGzip   = "pack gzip"
	packZstd   = "pack zstd"
	unpackGzip = "unpack gzip"
	unpackFlux = "unpack gzip of Flux"
	unpackZstd = "unpack zstd"
	openOne    = "open one"
)

func artifactFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.works, "work", ".", "regular expression of the works that are done, such as 'pack.*manifests|open'")
	flags.StringVar(&o.dir, "dir", tmpfs(), "folder for the trees and archives, in memory")
	for what, to := range o.tools.all() {
		flags.StringVar(to, what, what, "name or path of "+what+"; the rows that need it say so where it is not installed")
	}
}

// The tools are names or paths of the programs.
type tools struct{ tar, gzip, pigz, zstd string }

func (t *tools) all() map[string]*string {
	return map[string]*string{"tar": &t.tar, archive.Gzip: &t.gzip, "pigz": &t.pigz, archive.Zstd: &t.zstd}
}

// An artifactRun is one run of the area.
type artifactRun struct {
	options
	choice
	programs map[string]string // paths of tar and the compressors; empty: it is not installed
	warm     *writtenTree
}

func runArtifact(ctx context.Context, o options) (rows []row, err error) {
	r := &artifactRun{options: o}
	if r.choice, err = o.choose(ctx, "artifact", artifactContenders); err != nil {
		return nil, err
	}
	names := make(map[string]string)
	for what, name := range o.tools.all() {
		names[what] = *name
	}
	r.programs = o.find("artifact", names)
	folder, err := os.MkdirTemp(o.dir, "gitopskit-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if r.warm, err = (artifactTree{"warm", 20, 5 << 10}).writeTo(folder); err != nil {
		return nil, err
	}
	return o.atEach(func(s scale) ([]row, error) { return r.scale(ctx, s) })
}

// scale does all works with one tree after the other: there is one at a time.
func (r *artifactRun) scale(ctx context.Context, s scale) (rows []row, err error) {
	for _, t := range artifactTrees(s.n) {
		works := slices.DeleteFunc(slices.Clone(artifactWorks), func(w artifactWork) bool {
			return !r.named.MatchString(w.with(t))
		})
		if len(works) == 0 {
			continue
		}
		done, err := r.tree(ctx, t, works, s)
		if err != nil {
			return nil, err
		}
		rows = append(rows, done...)
	}
	if len(rows) == 0 {
		return nil, errors.New("no work and contender match")
	}
	return rows, nil
}

// with is the name of the work with that tree, and family that with such a one.

func (w artifactWork) with(t artifactTree) string {
	return fmt.Sprintf("%s, %d %s", w.name, t.count, t.name)
}

func familyOf(work, tree string) string { return work + ", " + tree }

func (r *artifactRun) tree(ctx context.Context, t artifactTree, works []artifactWork, s scale) (rows []row, err error) {
	fmt.Fprintf(r.log, "artifact: writing %d %s\n", t.count, t.name)
	folder, err := os.MkdirTemp(r.dir, "gitopskit-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	written, err := t.writeTo(folder)
	if err != nil {
		return nil, err
	}
	for _, w := range works {
		done, err := r.work(ctx, w, written, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.with(t), err)
		}
		rows = append(rows, done...)
	}
	return rows, nil
}

// work has one work done by all contenders in turn. There is nothing to count, so every round is timed.
func (r *artifactRun) work(ctx context.Context, w artifactWork, t *writtenTree, s scale) (rows []row, err error) {
	able := slices.DeleteFunc(slices.Clone(r.whos), func(c contender) bool { return !slices.Contains(c.only, w.name) })
	there := slices.DeleteFunc(slices.Clone(able), r.missing)
	results, sizes := make(map[string]*result), make(map[string]int64)
	err = r.inTurn("artifact", w.with(t.artifactTree), there, 1, s.runs, func(c contender, round int) error {
		sample, size, err := r.job(ctx, w, t, c, s.n, round)
		if results[c.name] == nil {
			results[c.name] = &result{}
		}
		results[c.name].samples = append(results[c.name].samples, sample.Sample)
		sizes[c.name] = size
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range able {
		measured := row{Area: "artifact", Work: w.with(t.artifactTree), Who: c.name, N: s.n, kind: familyOf(w.name, t.name),
			Objects: t.content.Files, Bytes: sizes[c.name]}
		results[c.name].fill(&measured)
		rows = append(rows, measured)
	}
	return rows, nil
}

// missing says that one of the contender's two programs is not installed.
func (r *artifactRun) missing(c contender) bool {
	if c.engine != "archive/programs" {
		return false
	}
	return r.programs["tar"] == "" || r.programs[strings.TrimPrefix(c.name, "tar+")] == ""
}

// job is one process. What it made, or read, is compared with the tree, and the archive's size returned.
func (r *artifactRun) job(ctx context.Context, w artifactWork, t *writtenTree, c contender, n, round int) (
	s fetch.Sample, size int64, err error) {
	folder, err := os.MkdirTemp(r.dir, "gitopskit-bench-")
	if err != nil {
		return s, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	warm, err := r.order(ctx, w, r.warm, c, filepath.Join(folder, "warm"))
	if err != nil {
		return s, 0, err
	}
	j, err := r.order(ctx, w, t, c, filepath.Join(folder, "work"))
	if err != nil {
		return s, 0, err
	}
	j.Warm, j.Profile = warm, r.profileOf(c.name, w.with(t.artifactTree), n, round)
	if err := inProcess(ctx, c.program(r.engines), j, &s); err != nil {
		return s, 0, err
	}
	switch w.does {
	case archive.Pack:
		_, j.Size, err = t.check(j.Archive, w.format)
	case archive.Open:
		err = t.checkOne(j.Name, s.Content)
	default:
		err = t.same("unpacked", s.Content)
	}
	return s, j.Size, err
}

// order is a job in a folder that it makes.
func (r *artifactRun) order(ctx context.Context, w artifactWork, t *writtenTree, c contender, folder string) (
	*archive.Job, error) {
	j := &archive.Job{Who: c.name, Does: w.does, Format: w.format, Tree: t.tree(), Programs: r.programs,
		Folder: filepath.Join(folder, "files"), Archive: filepath.Join(folder, "archive"), Name: t.fileName(t.count / 2)}
	if err := os.MkdirAll(j.Folder, 0o755); err != nil || w.does == archive.Pack {
		return j, err
	}
	a, err := t.archive(ctx, w.by, w.format)
	j.Archive, j.Digest, j.Size = a.path, a.digest, a.size
	return j, err
}
