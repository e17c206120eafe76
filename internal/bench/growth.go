package main

import (
	"fmt"
	"io"
	"slices"
)

// printGrowth prints, where there is more than one n, how time and memory grow with it: at each n the median and, from the
// second on, its multiple of the one before; and in the same way the peak of resident memory.
func printGrowth(w io.Writer, rows []row) {
	counts, sizes := distinct(rows, func(r row) int { return r.N }), distinct(rows, func(r row) int { return r.Size })
	if len(counts) < 2 {
		return
	}
	for _, size := range sizes {
		fmt.Fprintf(w, "\ngrowth, %d bytes added to each object; x is to the column before\n\n%-12s %-18s", size, "work", "who")
		for _, n := range counts {
			fmt.Fprintf(w, " %18s", fmt.Sprintf("ms at %d", n))
		}
		for _, n := range counts {
			fmt.Fprintf(w, " %18s", fmt.Sprintf("MiB at %d", n))
		}
		fmt.Fprintln(w)
		for _, r := range rows {
			if r.N != counts[0] || r.Size != size {
				continue
			}
			line := fmt.Sprintf("%-12s %-18s", r.Work, r.Who)
			line += steps(rows, r, counts, func(r row) float64 { return r.MS })
			line += steps(rows, r, counts, func(r row) float64 { return r.PeakMiB })
			fmt.Fprintln(w, line)
		}
	}
}

// steps writes what a contender's work cost at each n.
func steps(rows []row, r row, counts []int, cost func(row) float64) string {
	line, before := "", 0.0
	for _, n := range counts {
		cell, now := "-", 0.0
		if at, ok := find(rows, n, r.Size, r.Work, r.Who); ok {
			now = cost(at)
			cell = fmt.Sprintf("%.1f", now)
		}
		if before > 0 && now > 0 {
			cell += fmt.Sprintf(" x%.1f", now/before)
		}
		line += fmt.Sprintf(" %18s", cell)
		before = now
	}
	return line
}

// distinct returns the values of the rows in order.
func distinct(rows []row, value func(row) int) []int {
	var values []int
	for _, r := range rows {
		values = append(values, value(r))
	}
	slices.Sort(values)
	return slices.Compact(values)
}
