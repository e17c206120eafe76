package main

import (
	"fmt"
	"io"

	"github.com/gitopskit/gitopskit/internal/bench/work"
)

// A bar is what gitopskit has to keep beside a peer, or beside the limit.
type bar struct {
	what, work, than string
	figure           func(row) float64
	least            float64 // of theirs to ours; 0: there is a most
	most             float64 // of ours to theirs
	from             int     // it is asked for from this many objects on
}

const (
	peer      = "fluxcd/pkg/ssa@4" // with Flux's default concurrency
	limit     = "bare"
	limitList = "bare-list"
)

// bars are looked at for each scale. A contender that is the peer is to be beaten, a limit to be kept near.
var bars = []bar{
	{what: "no-op ms", work: work.NoOp, than: peer, figure: milliseconds, least: 50},
	{what: "no-op ms", work: work.NoOp, than: limitList, figure: milliseconds, most: 3},
	{what: "create ms", work: work.Create, than: peer, figure: milliseconds, least: 3},
	{what: "create ms", work: work.Create, than: limit, figure: milliseconds, most: 1.25},
	{what: "prune ms", work: work.Prune, than: limit, figure: milliseconds, most: 1.25},
	{what: "create peak MiB", work: work.Create, than: peer, figure: mebibytes, most: 0.5, from: 10_000},
	{what: "no-op peak MiB", work: work.NoOp, than: peer, figure: mebibytes, most: 0.5, from: 10_000},
}

func milliseconds(r row) float64 { return r.MS }

func mebibytes(r row) float64 { return r.PeakMiB }

// printBars prints for each scale and bar the two figures, their ratio, the bar, and whether it is met. It is for
// information: machines are noisy.
func printBars(w io.Writer, rows []row) {
	fmt.Fprintf(w, "\nbars\n\n%8s %8s  %-16s %-18s %11s %11s %9s %10s\n",
		"n", "bytes", "what", "than", ourselves, "theirs", "ratio", "bar")
	for _, s := range scalesOf(rows) {
		for _, b := range bars {
			if s.n >= b.from {
				b.print(w, rows, s)
			}
		}
	}
}

func (b bar) print(w io.Writer, rows []row, s scale) {
	fmt.Fprintf(w, "%8d %8d  %-16s %-18s ", s.n, s.size, b.what, b.than)
	ours, ok := find(rows, s.n, s.size, b.work, ourselves)
	theirs, there := find(rows, s.n, s.size, b.work, b.than)
	if !ok || !there || b.figure(ours) <= 0 || b.figure(theirs) <= 0 {
		fmt.Fprintln(w, "not measured")
		return
	}
	ratio := b.figure(ours) / b.figure(theirs)
	asked, met := fmt.Sprintf("<= %.2f", b.most), ratio <= b.most
	if b.least > 0 {
		ratio = 1 / ratio
		asked, met = fmt.Sprintf(">= %.2f", b.least), ratio >= b.least
	}
	fmt.Fprintf(w, "%11.1f %11.1f %9.2f %10s  %s\n", b.figure(ours), b.figure(theirs), ratio, asked,
		map[bool]string{true: "met", false: "NOT met"}[met])
}

// scalesOf returns the scales of the rows, each once, in their order.
func scalesOf(rows []row) []scale {
	var scales []scale
	for _, r := range rows {
		if n := len(scales); n == 0 || scales[n-1].n != r.N || scales[n-1].size != r.Size {
			scales = append(scales, scale{n: r.N, size: r.Size})
		}
	}
	return scales
}
