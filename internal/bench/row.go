package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/work"
)

// A row is what one contender's work cost at one scale.
type row struct {
	Area     string           `json:"area"`
	Work     string           `json:"work"`
	Who      string           `json:"who"`
	N        int              `json:"n"`
	Size     int              `json:"size"`
	MS       float64          `json:"ms"` // the median
	MinMS    float64          `json:"min_ms"`
	Requests int64            `json:"requests"`
	Verbs    map[string]int64 `json:"verbs"`     // requests by verb
	Sent     int64            `json:"sent"`      // bytes of the requests' bodies
	Received int64            `json:"received"`  // bytes of the answers' bodies
	PeakMiB  float64          `json:"peak_mib"`  // the greatest of resident memory; 0: not known
	ReadyMiB float64          `json:"ready_mib"` // the part of it that was there before the work: program and objects
	Runs     int              `json:"runs"`
}

// summarize fills a row from its samples, of which there is at least one.
func (r *row) summarize(samples []work.Sample) {
	var times []float64
	for _, s := range samples {
		times = append(times, s.MS)
		if s.PeakMiB >= r.PeakMiB {
			r.PeakMiB, r.ReadyMiB = round(s.PeakMiB, 10), round(s.ReadyMiB, 10)
		}
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

// printTable prints the rows of one scale for people, a paragraph for each work.
func printTable(w io.Writer, rows []row) {
	work := ""
	for i, r := range rows {
		if i == 0 {
			fmt.Fprintf(w, "%s: n %d, %d bytes added to each object, %d timed runs of each in turn\n", r.Area, r.N, r.Size, r.Runs)
		}
		if r.Work != work {
			work = r.Work
			fmt.Fprintf(w, "\n%-12s %-18s %11s %11s %11s %11s %11s %9s %9s  %s\n", "work", "who", "median ms", "min ms",
				"x gitopskit", "sent KiB", "recv KiB", "peak MiB", "of these", "requests")
		}
		fmt.Fprintf(w, "%-12s %-18s %11.1f %11.1f %11s %11.1f %11.1f %9s %9s  %d: %s\n", r.Work, r.Who, r.MS, r.MinMS,
			ratio(rows, r), float64(r.Sent)/1024, float64(r.Received)/1024, mib(r.PeakMiB), mib(r.ReadyMiB), r.Requests, verbs(r.Verbs))
	}
	fmt.Fprintln(w)
}

// printNotes says what the columns are.
func printNotes(w io.Writer) {
	fmt.Fprint(w, "Requests and bytes of bodies are from a round through a counting proxy that was not timed. Peak memory is the\n",
		"whole process's during the work; of these were there before it: the program and the objects. x is the ratio of the\n",
		"medians. kubectl's time is its process's.\n")
}

func mib(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", v)
}

func verbs(counts map[string]int64) string {
	var parts []string
	for _, verb := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[verb], verb))
	}
	return strings.Join(parts, ", ")
}

// ratio returns the row's median as a multiple of gitopskit's for the same work at the same scale.
func ratio(rows []row, r row) string {
	if ours, ok := find(rows, r.N, r.Size, r.Work, ourselves); ok && ours.MS > 0 {
		return fmt.Sprintf("%.2f", r.MS/ours.MS)
	}
	return "-"
}

func find(rows []row, n, size int, work, who string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.N == n && r.Size == size && r.Work == work && r.Who == who })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}
