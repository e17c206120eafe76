package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// A row is what one contender's work cost.
type row struct {
	Area     string  `json:"area"`
	Work     string  `json:"work"`
	Who      string  `json:"who"`
	N        int     `json:"n"`
	MS       float64 `json:"ms"` // the median
	MinMS    float64 `json:"min_ms"`
	Requests int64   `json:"requests"`
	Bytes    int64   `json:"bytes"`    // of the requests' and the answers' bodies
	PeakMiB  float64 `json:"peak_mib"` // the greatest; 0: not known
	Runs     int     `json:"runs"`
}

// A sample is what measuring one work once gave.
type sample struct {
	MS      float64
	PeakMiB float64
}

// summarize fills a row from its samples, of which there is at least one.
func (r *row) summarize(samples []sample) {
	var times []float64
	for _, s := range samples {
		times = append(times, s.MS)
		r.PeakMiB = max(r.PeakMiB, round(s.PeakMiB, 10))
	}
	r.Runs, r.MS, r.MinMS = len(samples), round(median(times), 100), round(slices.Min(times), 100)
}

// median returns the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// round keeps parts of a unit: 100 for two decimals.
func round(v, parts float64) float64 { return math.Round(v*parts) / parts }

// printTable prints the rows for people, a paragraph for each work.
func printTable(w io.Writer, o options, rows []row) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "%s: n %d, %d bytes added to each object, %d timed runs of each in turn\n", rows[0].Area, o.n, o.size, o.runs)
	work := ""
	for _, r := range rows {
		if r.Work != work {
			work = r.Work
			fmt.Fprintf(w, "\n%-12s %-18s %11s %11s %9s %11s %9s %12s\n",
				"work", "who", "median ms", "min ms", "requests", "KiB", "peak MiB", "x gitopskit")
		}
		peak := "-"
		if r.PeakMiB > 0 {
			peak = fmt.Sprintf("%.1f", r.PeakMiB)
		}
		fmt.Fprintf(w, "%-12s %-18s %11.1f %11.1f %9d %11.1f %9s %12s\n",
			r.Work, r.Who, r.MS, r.MinMS, r.Requests, float64(r.Bytes)/1024, peak, ratio(rows, r))
	}
	fmt.Fprint(w, "\nRequests and bytes of bodies are from a round through a counting proxy that was not timed. Peak memory is the\n",
		"whole process's, with the objects. The last column is the ratio of the medians. kubectl's time is its process's.\n")
}

// ratio returns the row's median as a multiple of gitopskit's for the same work.
func ratio(rows []row, r row) string {
	for _, ours := range rows {
		if ours.Who == ourselves && ours.Work == r.Work && ours.Area == r.Area && ours.MS > 0 {
			return fmt.Sprintf("%.2f", r.MS/ours.MS)
		}
	}
	return "-"
}
