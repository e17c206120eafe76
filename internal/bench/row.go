package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
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
	Objects  int              `json:"objects,omitempty"`  // that a build gave, or files
	Bytes    int64            `json:"bytes,omitempty"`    // of the archive
	AloneMS  float64          `json:"alone_ms,omitempty"` // of one build, where MS is until two side by side are done

	// Of the area reconcile.
	CPUMS          float64 `json:"cpu_ms,omitempty"` // processor time, of all cores
	Fetches        int     `json:"fetches,omitempty"`
	Builds         int     `json:"builds,omitempty"`
	Applies        int     `json:"applies,omitempty"`
	SourceRequests int64   `json:"source_requests,omitempty"`
	SourceBytes    int64   `json:"source_bytes,omitempty"` // of the wire, in both directions
	IntervalMS     float64 `json:"interval_ms,omitempty"`  // of the loops

	// Missing says why there is nothing but names: the contender's program is not there.
	Missing string `json:"missing,omitempty"`

	fixed bool   // the work is the same one for each n
	kind  string // the family, where the work's name does not tell it
}

// family is the name of the work without its n.
func (r row) family() string {
	switch {
	case r.kind != "":
		return r.kind
	case r.fixed:
		return r.Work
	}
	return strings.Replace(r.Work, strconv.Itoa(r.N), "n", 1)
}

// summarize fills a row from its samples, of which there is at least one.
func (r *row) summarize(samples []measure.Sample) {
	var times []float64
	for _, s := range samples {
		times = append(times, s.MS)
		if s.PeakMiB >= r.PeakMiB {
			r.PeakMiB, r.ReadyMiB = round(s.PeakMiB, 10), round(s.ReadyMiB, 10)
		}
	}
	r.Runs, r.MS, r.MinMS = len(samples), hundredths(measure.Median(times)), hundredths(slices.Min(times))
}

// hundredths rounds a time, and does so to more than that where it is less than one millisecond.
func hundredths(ms float64) float64 {
	if ms < 1 {
		return round(ms, 100_000)
	}
	return round(ms, 100)
}

// round keeps parts of a unit: 100 for two decimals.
func round(v, parts float64) float64 { return math.Round(v*parts) / parts }

// printTable prints the rows of the area apply at one scale for people, a paragraph for each work.
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
	if ours, ok := find(rows, r.N, r.Size, r.family(), ourselves); ok && ours.MS > 0 {
		return fmt.Sprintf("%.2f", r.MS/ours.MS)
	}
	return "-"
}

// find looks for a row by the work's family.
func find(rows []row, n, size int, family, who string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool {
		return r.N == n && r.Size == size && r.family() == family && r.Who == who
	})
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}
