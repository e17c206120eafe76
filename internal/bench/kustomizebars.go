package main

import (
	"fmt"
	"io"
)

const peerBuild = "fluxcd/pkg/kustomize"

// krusties are kustomize itself: no build is to be slower than the faster one.
var krusties = []string{"krusty disk", "krusty memory"}

var kustomizeContenders = []contender{
	{name: ourselves, engine: "build/gitopskit"},
	{name: "gitopskit memory", engine: "build/gitopskit",
		only: []string{oneObject, podinfo, prometheus, plainN, overlaidN, substitutedN, twoAtOnce}},
	{name: "gitopskit (no identities)", engine: "build/gitopskit",
		only: []string{unchangedPodinfo, unchangedN}},
	{name: peerBuild, engine: "build/flux"},
	{name: krusties[0], engine: "build/krusty", without: []string{substitutedN}, listed: true},
	{name: krusties[1], engine: "build/krusty", without: []string{substitutedN}, listed: true},
}

var kustomizeArea = area{
	name: "kustomize", summary: "builds of trees of files: one object, real manifests, n objects",
	flags: kustomizeFlags, run: runKustomize, table: printBuilds, decimals: 4, contenders: kustomizeContenders,
	notes: "All contenders of a work made the same objects. Processes are warm: each has built another tree before. Peak memory\n" +
		"is the whole process's during its first build; of these were there before it. x is the ratio of the medians.\n",
	growth: []cost{
		{what: "ms/object", figure: millisecondsEach, decimals: 4},
		{what: "MiB", figure: mebibytes, decimals: 1},
	},
	bars: []bar{
		{what: "one object ms", work: oneObject, fixed: true, figure: milliseconds, most: 1},
		{what: "one object ms", work: oneObject, fixed: true, than: []string{peerBuild}, figure: milliseconds, least: 30},
		{what: "one object ms", work: oneObject, fixed: true, than: krusties, figure: milliseconds, most: 1},
		{what: "podinfo ms", work: podinfo, fixed: true, than: krusties, figure: milliseconds, most: 1},
		{what: "kube-prometheus ms", work: prometheus, fixed: true, than: krusties, figure: milliseconds, most: 1},
		{what: "unchanged podinfo ms", work: unchangedPodinfo, fixed: true, figure: milliseconds, most: 0.1},
		{what: "n plain ms", work: plainN, than: krusties, figure: milliseconds, most: 1},
		{what: "n overlay ms", work: overlaidN, than: krusties, figure: milliseconds, most: 1},
		{what: "n substitution ms", work: substitutedN, than: []string{peerBuild}, figure: milliseconds, least: 3, from: 1000},
		{what: "n substitution peak MiB", work: substitutedN, than: []string{peerBuild}, figure: mebibytes, most: 0.5, from: 1000},
		{what: "two at once speed-up", work: twoAtOnce, figure: speedUp, least: 1.7, from: 1000},
		{what: "unchanged n ms", work: unchangedN, figure: milliseconds, most: 5, upTo: 1000},
	},
}

func millisecondsEach(r row) float64 { return r.MS / float64(r.N) }

// speedUp is how many times as fast two builds side by side are done as one after the other.
func speedUp(r row) float64 { return 2 * r.AloneMS / r.MS }

// printBuilds prints the rows of the area kustomize at one scale, or the fixed ones, for people, a paragraph for each work.
func printBuilds(w io.Writer, rows []row) {
	work, who := "", whoWidth(kustomizeContenders)
	for i, r := range rows {
		if i == 0 {
			fmt.Fprintf(w, "%s: %d timed runs of each in turn\n", r.Area, r.Runs)
		}
		if r.Work != work {
			work = r.Work
			fmt.Fprintf(w, "\n%-18s %-*s %8s %11s %11s %11s %11s %9s %9s\n", "work", who, "who", "objects", "median ms", "min ms",
				"x gitopskit", "ms/object", "peak MiB", "of these")
		}
		fmt.Fprintf(w, "%-18s %-*s %8d %11.4f %11.4f %11s %11.4f %9s %9s", r.Work, who, r.Who, r.Objects, r.MS, r.MinMS,
			ratio(rows, r), r.MS/float64(r.Objects), mib(r.PeakMiB), mib(r.ReadyMiB))
		if r.AloneMS > 0 {
			fmt.Fprintf(w, "  one alone %.2f ms, speed-up %.2f", r.AloneMS, speedUp(r))
		}
		fmt.Fprintln(w)
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
	}
}
