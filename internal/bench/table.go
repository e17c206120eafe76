package main

import (
	"fmt"
	"io"
)

// A column is one of a table.
type column struct {
	head  string
	width int
	cell  func(all []row, r row) string
}

// printParagraphs prints the rows of one scale for people: a paragraph for each work, and a line for each contender. Of a
// program that is not there the line says so.
func printParagraphs(w io.Writer, rows []row, all []contender, columns ...column) {
	work, who, workWidth := "", whoWidth(all), 0
	for _, r := range rows {
		workWidth = max(workWidth, len(r.Work))
	}
	for i, r := range rows {
		if i == 0 {
			fmt.Fprintf(w, "%s: n %d, %d timed runs of each in turn\n", r.Area, r.N, runsOf(rows))
		}
		if r.Work != work {
			work = r.Work
			fmt.Fprintf(w, "\n%-*s %-*s", workWidth, "work", who, "who")
			for _, c := range columns {
				fmt.Fprintf(w, " %*s", c.width, c.head)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%-*s %-*s", workWidth, r.Work, who, r.Who)
		for i, c := range columns {
			if r.Missing != "" && i > 0 {
				fmt.Fprintf(w, " %s", r.Missing)
				break
			}
			fmt.Fprintf(w, " %*s", c.width, c.cell(rows, r))
		}
		fmt.Fprintln(w)
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
	}
}

// runsOf is not of a program that is not there.
func runsOf(rows []row) (most int) {
	for _, r := range rows {
		most = max(most, r.Runs)
	}
	return most
}

// decimal is a column of a figure that has one decimal.
func decimal(head string, figure func(row) float64) column {
	return column{head, 11, func(_ []row, r row) string { return fmt.Sprintf("%.1f", figure(r)) }}
}

// objectsAs is the column that comes first, for it is known also of a program that is not there.
func objectsAs(head string) column {
	return column{head, 8, func(_ []row, r row) string { return fmt.Sprint(r.Objects) }}
}

// times are those of the runs.
func times() []column {
	return []column{decimal("median ms", milliseconds), decimal("min ms", func(r row) float64 { return r.MinMS }),
		{"x gitopskit", 11, ratio}}
}

// memory is the peak, and what of it was there before the work.
func memory() []column {
	return []column{
		{"peak MiB", 9, func(_ []row, r row) string { return mib(r.PeakMiB) }},
		{"of these", 9, func(_ []row, r row) string { return mib(r.ReadyMiB) }},
	}
}

// bytesOfWire are those of both directions.
func bytesOfWire() []column {
	return []column{decimal("sent KiB", func(r row) float64 { return float64(r.Sent) / 1024 }),
		decimal("recv KiB", func(r row) float64 { return float64(r.Received) / 1024 })}
}

// allRequests are the last column: it is as wide as it is.
func allRequests() column {
	return column{" requests", 0, func(_ []row, r row) string { return fmt.Sprintf(" %d: %s", r.Requests, verbs(r.Verbs)) }}
}

// printTransfers prints the rows of an area that fetches.
func printTransfers(w io.Writer, rows []row, all []contender, objects string) {
	columns := append([]column{objectsAs(objects)}, times()...)
	columns = append(append(columns, bytesOfWire()...), memory()...)
	printParagraphs(w, rows, all, append(columns, allRequests())...)
}
