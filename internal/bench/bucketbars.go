package main

import (
	"io"

	"github.com/gitopskit/gitopskit/internal/bench/objects"
)

const (
	bareLoop = "bare"
	rclone   = "rclone"
	awsCLI   = "aws"
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

// printObjects prints the rows of the area bucket at one scale for people.
func printObjects(w io.Writer, rows []row) { printTransfers(w, rows, bucketContenders, "objects") }
