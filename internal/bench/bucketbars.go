package main

import (
	"fmt"
	"io"

	"github.com/gitopskit/gitopskit/internal/bench/objects"
)

const (
	bareLoop     = "bare"
	rclone       = "rclone"
	awsCLI       = "aws"
	notInstalled = "not installed"
)

var bucketContenders = []contender{
	{name: ourselves, engine: "objects/gitopskit"},
	{name: bareLoop, engine: "objects/bare"},
	{name: rclone, engine: "objects/programs"},
	{name: awsCLI, engine: "objects/programs"},
}

var bucketArea = area{
	name: "bucket", summary: "fetches from a bucket of S3: few, many and large objects, nothing changed, one changed",
	flags: bucketFlags, run: runBucket, table: printObjects, decimals: 1, contenders: bucketContenders, n: "10000",
	notes: "What was fetched is what was put. Requests and bytes, HTTP's headers among them, are from a round that was not\n" +
		"timed. Peak memory is the whole process's during the work; of these were there before it. x is the ratio of the\n" +
		"medians.\n",
	growth: []cost{{what: "ms", figure: milliseconds, decimals: 1}, {what: "MiB", figure: mebibytes, decimals: 1}},
	bars:   bucketBars(),
}

// bucketBars are beside the limit, beside our own first fetch, and beside the programs.
func bucketBars() []bar {
	var bars []bar
	families := []string{firstFew, firstLarge, firstAll, objects.Unchanged, objects.OneChanged}
	for _, work := range families[:4] {
		most := 1.15
		if work == objects.Unchanged {
			most = 1.1
		}
		bars = append(bars, bar{what: work + " ms", work: work, than: []string{bareLoop}, figure: milliseconds, most: most})
	}
	bars = append(bars, bar{what: objects.OneChanged + ", " + firstAll + " ms", work: objects.OneChanged,
		than: []string{ourselves}, beside: firstAll, figure: milliseconds, least: 20})
	for _, work := range families {
		for _, who := range []string{rclone, awsCLI} {
			bars = append(bars, bar{what: work + " ms", work: work, than: []string{who}, figure: milliseconds, least: 3})
		}
	}
	return bars
}

// printObjects prints the rows of the area bucket at one scale for people, a paragraph for each work.
func printObjects(w io.Writer, rows []row) {
	work, who := "", whoWidth(bucketContenders)
	for i, r := range rows {
		if i == 0 {
			fmt.Fprintf(w, "%s: n %d, %d timed runs of each in turn\n", r.Area, r.N, r.Runs)
		}
		if r.Work != work {
			work = r.Work
			fmt.Fprintf(w, "\n%-14s %-*s %8s %11s %11s %11s %11s %11s %9s %9s  %s\n", "work", who, "who", "objects", "median ms",
				"min ms", "x gitopskit", "sent KiB", "recv KiB", "peak MiB", "of these", "requests")
		}
		fmt.Fprintf(w, "%-14s %-*s %8d ", r.Work, who, r.Who, r.Objects)
		if r.Missing != "" {
			fmt.Fprintf(w, "%s\n", r.Missing)
			continue
		}
		fmt.Fprintf(w, "%11.1f %11.1f %11s %11.1f %11.1f %9s %9s  %d: %s\n", r.MS, r.MinMS, ratio(rows, r), float64(r.Sent)/1024,
			float64(r.Received)/1024, mib(r.PeakMiB), mib(r.ReadyMiB), r.Requests, verbs(r.Verbs))
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
	}
}
