package main

import (
	"io"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
)

const (
	gitClone   = "git clone"
	gitPartial = "git partial"
)

// peerFetches are Flux's package with its two kinds of storage.
var peerFetches = []string{"fluxcd/pkg/git", "fluxcd/pkg/git memory"}

var gitContenders = []contender{
	{name: ourselves, engine: "fetch/gitopskit"},
	{name: gitClone, engine: "fetch/git", without: []string{fetch.NothingNew}},
	{name: gitPartial, engine: "fetch/git"},
	{name: peerFetches[0], engine: "fetch/flux"},
	{name: peerFetches[1], engine: "fetch/flux"},
}

var gitArea = area{
	name: "git", summary: "fetches from a Git server: nothing new, all, a path, a new commit, a version, an old commit",
	flags: gitFlags, run: runGit, table: printFetches, decimals: 1, contenders: gitContenders, n: "50000",
	notes: "What was fetched is what git archive gives. Requests and bytes, HTTP's headers among them, are from a round\n" +
		"that was not timed. Peak memory is the whole process's during the work; of these were there before it. That of git\n" +
		"is of the largest of its processes. x is the ratio of the medians.\n",
	growth: []cost{{what: "ms", figure: milliseconds, decimals: 1}, {what: "MiB", figure: mebibytes, decimals: 1}},
	bars:   append(gitBars, fluxBars()...),
}

var gitBars = []bar{
	{what: "nothing new requests", work: fetch.NothingNew, figure: requests, most: 1},
	{what: "full ms", work: fetch.Full, than: []string{gitClone}, figure: milliseconds, most: 1},
	{what: "path ms", work: fetch.Path, than: []string{gitPartial}, figure: milliseconds, most: 1},
	{what: "new commit KiB", work: fetch.NewCommit, than: peerFetches, figure: kibibytes, least: 10},
}

// fluxBars are beside Flux's package as Flux has it, on disk, and in memory, where it is faster and larger. The peak is held
// against the smaller of the two.
func fluxBars() []bar {
	var bars []bar
	for _, b := range []bar{
		{work: fetch.Full, least: 2}, {work: fetch.Path, least: 5}, {work: fetch.NewCommit, least: 5},
		{work: fetch.SemVer, least: 10},
	} {
		for _, who := range peerFetches {
			bars = append(bars, bar{what: b.work + " ms", work: b.work, than: []string{who}, figure: milliseconds, least: b.least})
		}
	}
	for _, work := range gitWorks {
		bars = append(bars, bar{what: work + " peak MiB", work: work, than: peerFetches, figure: mebibytes, most: 0.5})
	}
	return bars
}

func requests(r row) float64 { return float64(r.Requests) }

// kibibytes are of the wire in both directions.
func kibibytes(r row) float64 { return float64(r.Sent+r.Received) / 1024 }

// printFetches prints the rows of the area git at one scale for people.
func printFetches(w io.Writer, rows []row) { printTransfers(w, rows, gitContenders, "files") }
