package main

import (
	"fmt"
	"io"

	"github.com/gitopskit/gitopskit/internal/bench/fleet"
)

var reconcileContenders = []contender{
	{name: ourselves, engine: "fleet/gitopskit"},
	{name: limit, engine: "fleet/bare"},
}

var reconcileArea = area{
	name: "reconcile", summary: "n loops of one process, of four objects each, from one Git repository to one API server",
	flags: reconcileFlags, run: runReconcile, table: printFleets, decimals: 1, contenders: reconcileContenders,
	notes: "Requests and bytes are from a round through counting proxies that was not timed, and so are fetches, builds and\n" +
		"applies, and the idle minute. requests are those to the API server, of source those to the Git server. A process does\n" +
		"all works one after the other; the peak is of each. x is the ratio of the medians. Flux's own benchmark has these four\n" +
		"objects too; its published figure for 1,000 Kustomizations is 4m13s and 223 MiB, on 16 cores, with an OCI artifact for\n" +
		"each. It is not measured here.\n",
	growth: []cost{{what: "ms", figure: milliseconds, decimals: 1}, {what: "MiB", figure: mebibytes, decimals: 1}},
	bars:   reconcileBars(),
}

func reconcileBars() []bar {
	one := func(what, work string, figure func(row) float64, most float64) bar {
		return bar{what: work + " " + what, work: work, figure: figure, most: most}
	}
	none := func(what, work string, figure func(row) float64) bar {
		return bar{what: work + " " + what, work: work, figure: figure, none: true}
	}
	bars := []bar{
		{what: "first ms", work: fleet.First, than: []string{limit}, figure: milliseconds, most: 1.5},
		one("fetches", fleet.OneTouched, fetches, 1),
		one("builds", fleet.OneTouched, builds, 1),
		one("applies", fleet.OneTouched, applies, 1),
		one("ms", fleet.OneTouched, milliseconds, 1000),
		none("builds", fleet.NoTouched, builds),
		none("requests", fleet.NoTouched, requests),
		none("requests", fleet.Idle, requests),
		one("requests of source, each interval", fleet.Idle, eachInterval, 1),
	}
	for _, work := range fleet.All {
		b := one("peak MiB", work, mebibytes, 150)
		b.upTo = 1000
		bars = append(bars, b)
	}
	return bars
}

func fetches(r row) float64 { return float64(r.Fetches) }
func builds(r row) float64  { return float64(r.Builds) }
func applies(r row) float64 { return float64(r.Applies) }

// eachInterval is how many requests there were to the source in each interval of the work's time.
func eachInterval(r row) float64 {
	if r.IntervalMS == 0 {
		return 0
	}
	return float64(r.SourceRequests) * r.IntervalMS / r.MS
}

// printFleets prints the rows of the area reconcile at one scale for people.
func printFleets(w io.Writer, rows []row) {
	count := func(head string, n func(row) int64) column {
		return column{head, 9, func(_ []row, r row) string { return fmt.Sprint(n(r)) }}
	}
	columns := append([]column{objectsAs("objects")}, times()...)
	columns = append(columns, decimal("cpu ms", func(r row) float64 { return r.CPUMS }))
	columns = append(columns, memory()...)
	printParagraphs(w, rows, reconcileContenders, append(columns,
		count("fetches", func(r row) int64 { return int64(r.Fetches) }), count("builds", func(r row) int64 { return int64(r.Builds) }),
		count("applies", func(r row) int64 { return int64(r.Applies) }),
		count("of source", func(r row) int64 { return r.SourceRequests }),
		decimal("source KiB", func(r row) float64 { return float64(r.SourceBytes) / 1024 }), allRequests())...)
}
