package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// A bar is what gitopskit has to keep beside a peer, beside the limit, or by itself.
type bar struct {
	what, work string   // the work's family
	than       []string // the best of these that was measured counts; none: the bar is of gitopskit's own figure
	beside     string   // the work of theirs, where it is another one
	figure     func(row) float64
	least      float64 // of theirs to ours, or of our own figure; 0: there is a most
	most       float64 // of ours to theirs, or of our own figure
	none       bool    // our own figure has to be 0
	from       int     // it is asked for from this many objects on
	upTo       int     // and up to this many; 0: any number
	fixed      bool    // the work is the same one for each n
}

func milliseconds(r row) float64 { return r.MS }

func mebibytes(r row) float64 { return r.PeakMiB }

// asked says whether a bar is looked at where there are n objects.
func (b bar) asked(n int) bool { return n >= b.from && (b.upTo == 0 || n <= b.upTo) }

// printBars prints for each scale and bar the two figures, their ratio, the bar, and whether it is met; those that are of no
// scale come first. It is for information: machines are noisy.
func (a *area) printBars(w io.Writer, rows []row) {
	fmt.Fprintf(w, "\nbars\n\n%8s%s  %-*s %-*s %11s %11s %9s %10s\n",
		"n", a.sizeCell("bytes"), a.whatWidth(), "what", a.whoWidth(), "than", ourselves, "theirs", "ratio", "bar")
	for _, b := range a.bars {
		if !b.fixed {
			continue
		}
		i := slices.IndexFunc(rows, func(r row) bool { return r.fixed && r.Work == b.work })
		if i < 0 {
			a.printBar(w, rows, b, scale{})
			continue
		}
		a.printBar(w, rows, b, scale{n: rows[i].N})
	}
	for _, s := range scalesOf(rows) {
		for _, b := range a.bars {
			if !b.fixed && b.asked(s.n) {
				a.printBar(w, rows, b, s)
			}
		}
	}
}

func (a *area) printBar(w io.Writer, rows []row, b bar, s scale) {
	ours, ok := find(rows, s.n, s.size, b.work, ourselves)
	theirs, there := b.best(rows, s)
	fmt.Fprintf(w, "%8d%s  %-*s %-*s ", s.n, a.sizeCell(fmt.Sprint(s.size)), a.whatWidth(), b.what, a.whoWidth(), theirs.Who)
	if !ok || !there || b.figure(ours) <= 0 && !b.none || len(b.than) > 0 && b.figure(theirs) <= 0 {
		fmt.Fprintln(w, "not measured")
		return
	}
	value, beside, ratio := b.figure(ours), "-", "-"
	own := fmt.Sprintf("%.*f", a.decimals, value)
	if len(b.than) > 0 {
		beside = fmt.Sprintf("%.*f", a.decimals, b.figure(theirs))
		if value /= b.figure(theirs); b.least > 0 {
			value = 1 / value
		}
		ratio = fmt.Sprintf("%.2f", value)
	}
	asked, met := fmt.Sprintf("<= %.2f", b.most), value <= b.most
	if b.least > 0 {
		asked, met = fmt.Sprintf(">= %.2f", b.least), value >= b.least
	}
	fmt.Fprintf(w, "%11s %11s %9s %10s  %s\n", own, beside, ratio, asked, map[bool]string{true: "met", false: "NOT met"}[met])
}

// best returns the peer's row with the least figure. Where none was measured it has the first peer's name and nothing else.
func (b bar) best(rows []row, s scale) (best row, ok bool) {
	if len(b.than) == 0 {
		return row{Who: "-"}, true
	}
	best.Who = b.than[0]
	for _, who := range b.than {
		r, there := find(rows, s.n, s.size, cmp.Or(b.beside, b.work), who)
		if there && r.Missing == "" && (!ok || b.figure(r) < b.figure(best)) {
			best, ok = r, true
		}
	}
	return best, ok
}

// sizeCell is empty in an area whose objects all have one size.
func (a *area) sizeCell(text string) string {
	if !a.sized {
		return ""
	}
	return fmt.Sprintf(" %8s", text)
}

// whatWidth and whoWidth are those of the columns.

func (a *area) whatWidth() int {
	width := 16
	for _, b := range a.bars {
		width = max(width, len(b.what))
	}
	return width
}

func (a *area) whoWidth() int { return whoWidth(a.contenders) }

func whoWidth(all []contender) int {
	width := 18
	for _, c := range all {
		width = max(width, len(c.name))
	}
	return width
}

// scalesOf returns the scales of the rows, each once, in their order.
func scalesOf(rows []row) []scale {
	var scales []scale
	for _, r := range rows {
		if r.fixed {
			continue
		}
		if n := len(scales); n == 0 || scales[n-1].n != r.N || scales[n-1].size != r.Size {
			scales = append(scales, scale{n: r.N, size: r.Size})
		}
	}
	return scales
}
