package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/gitopskit/gitopskit/internal/bench/build"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// The families of works; an n in one stands for the number of objects.
const (
	oneObject        = "one object"
	podinfo          = "podinfo"
	prometheus       = "kube-prometheus"
	plainN           = "n plain"
	overlaidN        = "n overlay"
	substitutedN     = "n substitution"
	twoAtOnce        = "two at once"
	unchangedPodinfo = "unchanged podinfo"
	unchangedN       = "unchanged n"
)

// A kustomizeWork is a tree that is built.
type kustomizeWork struct {
	family string
	tree   string
	n      int  // of a tree whose number of objects is not to be chosen; 0: it is, or the tree is of the corpus
	fixed  bool // it is the same work for each n
	twice  bool // two builds side by side
	again  bool // the same Build has built it before
}

// Those that are fixed come first.
var kustomizeWorks = []kustomizeWork{
	{family: oneObject, tree: treePlain, n: 1, fixed: true},
	{family: podinfo, tree: treePodinfo, fixed: true},
	{family: prometheus, tree: treePrometheus, fixed: true},
	{family: unchangedPodinfo, tree: treePodinfo, fixed: true, again: true},
	{family: plainN, tree: treePlain},
	{family: overlaidN, tree: treeOverlay},
	{family: substitutedN, tree: treeSubstitution},
	{family: twoAtOnce, tree: treeOverlay, twice: true},
	{family: unchangedN, tree: treeOverlay, again: true},
}

var letterN = regexp.MustCompile(`\bn\b`)

// name is that of the work with n objects.
func (w kustomizeWork) name(n int) string { return letterN.ReplaceAllString(w.family, strconv.Itoa(n)) }

func kustomizeFlags(flags *flag.FlagSet, o *options) {
	flags.StringVar(&o.works, "work", ".", "regular expression of the works that are done")
	flags.StringVar(&o.corpus, "corpus", defaultCorpus(), "folder with podinfo/kustomize and kube-prometheus/manifests")
}

// defaultCorpus is the folder that GITOPSKIT_CORPUS names, or the one that continuous integration takes.
func defaultCorpus() string {
	if folder := os.Getenv("GITOPSKIT_CORPUS"); folder != "" {
		return folder
	}
	folder := filepath.Join(ownFolder(), "..", "..", "..", "shared", "corpus")
	if _, err := os.Stat(folder); err != nil {
		return ""
	}
	return folder
}

// A kustomizeRun is one run of the area.
type kustomizeRun struct {
	options
	choice
	trees
	jobs int // how many were done
}

func runKustomize(ctx context.Context, o options) (rows []row, err error) {
	r := &kustomizeRun{options: o}
	if r.choice, err = o.choose(ctx, "kustomize", kustomizeContenders); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "gitopskit-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	r.trees = trees{folder: folder, corpus: o.corpus}
	for i, s := range o.scales {
		for _, fixed := range []bool{true, false} {
			if fixed && i > 0 {
				continue // they are the same again
			}
			measured, err := r.scale(ctx, s, fixed)
			if err != nil {
				return nil, err
			}
			if err := o.print(measured); err != nil {
				return nil, err
			}
			rows = append(rows, measured...)
		}
	}
	if len(rows) == 0 {
		return nil, errors.New("no work and contender match")
	}
	return rows, nil
}

// scale does the works that are fixed, or those with n objects.
func (r *kustomizeRun) scale(ctx context.Context, s scale, fixed bool) ([]row, error) {
	var rows []row
	for _, w := range kustomizeWorks {
		if w.fixed != fixed || !r.named.MatchString(w.name(s.n)) {
			continue
		}
		whos := r.ableTo(w, s.n)
		if len(whos) == 0 {
			continue
		}
		if copied[w.tree] != "" {
			if err := r.look(w.tree); err != nil {
				fmt.Fprintf(r.log, "kustomize: leaving out %s: %v\n", w.family, err)
				continue
			}
		}
		if fixed {
			s.n = w.n
		}
		done, err := r.work(ctx, w, whos, s)
		if err != nil {
			return nil, err
		}
		rows = append(rows, done...)
	}
	return rows, nil
}

// ableTo returns the contenders that do a work, and tells of those that cannot.
func (r *kustomizeRun) ableTo(w kustomizeWork, n int) []contender {
	var whos []contender
	for _, c := range r.whos {
		switch {
		case len(c.only) > 0 && !slices.Contains(c.only, w.family):
		case slices.Contains(c.without, w.family):
			fmt.Fprintf(r.log, "kustomize: leaving out %s by %s, which cannot do that\n", w.name(n), c.name)
		default:
			whos = append(whos, c)
		}
	}
	return whos
}

// work has one work done by all contenders in turn, and compares what they made.
func (r *kustomizeRun) work(ctx context.Context, w kustomizeWork, whos []contender, s scale) ([]row, error) {
	samples := make(map[string][]build.Sample)
	err := r.inTurn("kustomize", w.name(s.n), whos, 1, s.runs, func(c contender, round int) error {
		sample, err := r.job(ctx, w, c, s.n, round)
		samples[c.name] = append(samples[c.name], sample)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s %w", w.name(s.n), err)
	}
	var rows []row
	for _, c := range whos {
		if err := sameObjects(whos[0].name, samples[whos[0].name][0], c.name, samples[c.name]); err != nil {
			return nil, fmt.Errorf("comparing what was built for %s: %w", w.name(s.n), err)
		}
		rows = append(rows, w.row(c.name, s.n, samples[c.name]))
	}
	return rows, nil
}

// job is one process.
func (r *kustomizeRun) job(ctx context.Context, w kustomizeWork, c contender, n, round int) (s build.Sample, err error) {
	j := build.Job{Who: c.name, Work: w.name(n), Twice: w.twice, Again: w.again}
	j.Profile = r.profileOf(c.name, j.Work, n, round)
	if copied[w.tree] != "" {
		j.Tree, err = r.copy(w.tree, c.listed)
	} else {
		j.Tree, err = r.make(w.tree, n)
	}
	if err != nil {
		return s, err
	}
	if j.Warm, err = r.make(treeWarm, 2); err != nil {
		return s, err
	}
	r.jobs++
	j.Folder = filepath.Join(r.folder, fmt.Sprintf("job-%d", r.jobs))
	if err := os.Mkdir(j.Folder, 0o700); err != nil {
		return s, err
	}
	if err := inProcess(ctx, c.program(r.engines), j, &s); err != nil {
		return s, err
	}
	return s, os.RemoveAll(j.Folder)
}

// sameObjects is an error if a contender's builds gave something else than the first one's.
func sameObjects(first string, want build.Sample, who string, got []build.Sample) error {
	for _, s := range got {
		if s.Digest != want.Digest || s.Objects != want.Objects {
			return fmt.Errorf("%d objects of %s are not the %d of %s", s.Objects, who, want.Objects, first)
		}
	}
	return nil
}

// row sums up the samples, of which there is at least one.
func (w kustomizeWork) row(who string, n int, samples []build.Sample) row {
	r := row{Area: "kustomize", Work: w.name(n), Who: who, N: n, Objects: samples[0].Objects, fixed: w.fixed}
	if w.fixed {
		r.N = r.Objects
	}
	var alone []float64
	var all []measure.Sample
	for _, s := range samples {
		all, alone = append(all, s.Sample), append(alone, s.AloneMS)
	}
	r.summarize(all)
	r.AloneMS = hundredths(measure.Median(alone))
	return r
}
