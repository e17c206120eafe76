package main

import (
	"fmt"
	"io"
	"slices"
)

// A cost is a figure that grows with n.
type cost struct {
	what     string
	figure   func(row) float64
	decimals int
}

// printGrowth prints, where there is more than one n, how the area's costs grow with it: at each n the cost and, from the
// second on, its multiple of the one before.
func (a *area) printGrowth(w io.Writer, rows []row) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.fixed })
	counts, sizes := distinct(rows, func(r row) int { return r.N }), distinct(rows, func(r row) int { return r.Size })
	if len(counts) < 2 {
		return
	}
	for _, size := range sizes {
		added := fmt.Sprintf(", %d bytes added to each object", size)
		if !a.sized {
			added = ""
		}
		fmt.Fprintf(w, "\ngrowth%s; x is to the column before\n\n%-16s %-*s", added, "work", a.whoWidth(), "who")
		for _, c := range a.growth {
			for _, n := range counts {
				fmt.Fprintf(w, " %18s", fmt.Sprintf("%s at %d", c.what, n))
			}
		}
		fmt.Fprintln(w)
		a.printSteps(w, rows, counts, size)
	}
}

// printSteps prints a line for each work and contender of the first n.
func (a *area) printSteps(w io.Writer, rows []row, counts []int, size int) {
	for _, r := range rows {
		if r.N != counts[0] || r.Size != size {
			continue
		}
		line := fmt.Sprintf("%-16s %-*s", r.family(), a.whoWidth(), r.Who)
		for _, c := range a.growth {
			line += c.steps(rows, r, counts)
		}
		fmt.Fprintln(w, line)
	}
}

// steps writes what a contender's work cost at each n.
func (c cost) steps(rows []row, r row, counts []int) string {
	line, before := "", 0.0
	for _, n := range counts {
		cell, now := "-", 0.0
		if at, ok := find(rows, n, r.Size, r.family(), r.Who); ok && at.Missing == "" {
			now = c.figure(at)
			cell = fmt.Sprintf("%.*f", c.decimals, now)
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
