package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/gitopskit/gitopskit/internal/bench/fleet"
)

// A curve is one line of a panel, or a single point that somebody published.
type curve struct {
	name, class string
	points      [][2]float64 // loops, and the figure
	below       bool         // the name is below the line
}

// A panel has two logarithmic axes.
type panel struct {
	title, unit string
	curves      []curve
	text        func(float64) string // of a figure
}

// What Flux published for 1,000 Kustomizations, on 16 cores; see https://github.com/fluxcd/flux-benchmark.
const (
	fluxLoops   = 1000
	fluxSeconds = 4*60 + 13
	fluxMiB     = 223
)

// writeCurve plots the first convergence and the greatest peak by the number of loops.
func writeCurve(file string, rows []row) error {
	var ours, bare, peak [][2]float64
	for _, s := range scalesOf(rows) {
		n := float64(s.n)
		if r, ok := find(rows, s.n, s.size, fleet.First, ourselves); ok {
			ours = append(ours, [2]float64{n, r.MS / 1000})
		}
		if r, ok := find(rows, s.n, s.size, fleet.First, limit); ok {
			bare = append(bare, [2]float64{n, r.MS / 1000})
		}
		most := 0.0
		for _, r := range rows {
			if r.N == s.n && r.Who == ourselves {
				most = max(most, r.PeakMiB)
			}
		}
		if most > 0 {
			peak = append(peak, [2]float64{n, most})
		}
	}
	flux := func(figure float64) curve {
		return curve{name: "Flux, as published (16 cores)", class: "flux", points: [][2]float64{{fluxLoops, figure}}}
	}
	seconds := func(v float64) string { return fmt.Sprintf("%.3g s", v) }
	mebibytes := func(v float64) string { return fmt.Sprintf("%.0f MiB", v) }
	panels := []panel{
		{"Until all is applied", "seconds", []curve{{name: "gitopskit", class: "ours", points: ours},
			{name: "PATCH loop + fetch", class: "bare", points: bare, below: true}, flux(fluxSeconds)}, seconds},
		{"Peak memory of the process", "MiB", []curve{{name: "gitopskit", class: "ours", points: peak}, flux(fluxMiB)}, mebibytes},
	}
	return os.WriteFile(filepath.Clean(file), plot(panels), 0o644)
}

// The plot's measures, in its own units.
const (
	panelWidth, panelHeight = 400, 300
	left, right, top, foot  = 56, 20, 40, 52 // around the area of a panel
)

const curveStyle = `
svg { font: 13px system-ui, sans-serif; }
text { fill: #24292f; } .soft { fill: #57606a; font-size: 12px; } .title { font-size: 15px; font-weight: 600; }
.back { fill: #ffffff; } .grid { stroke: #d0d7de; stroke-width: 1; }
.line { fill: none; stroke-width: 2.5; } .dot { stroke-width: 2; }
.ours { stroke: #0969da; } .ours.dot { fill: #0969da; } text.ours { fill: #0969da; stroke: none; }
.bare { stroke: #57606a; } .bare.line { stroke-dasharray: 5 4; } .bare.dot { fill: #57606a; } text.bare { fill: #57606a; stroke: none; }
.flux { stroke: #bc4c00; } .flux.dot { fill: none; } text.flux { fill: #bc4c00; stroke: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .soft { fill: #9198a1; } .back { fill: #0d1117; } .grid { stroke: #30363d; }
.ours { stroke: #4493f8; } .ours.dot { fill: #4493f8; } text.ours { fill: #4493f8; }
.bare { stroke: #9198a1; } .bare.dot { fill: #9198a1; } text.bare { fill: #9198a1; }
.flux { stroke: #f0883e; } text.flux { fill: #f0883e; }
}
`

// plot writes the panels side by side. It is made for this: there is no text in it that would have to be escaped.
func plot(panels []panel) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"title\">\n",
		panelWidth*len(panels), panelHeight)
	fmt.Fprintf(&out, "<title id=\"title\">First convergence and peak memory by the number of loops, four objects each</title>\n")
	fmt.Fprintf(&out, "<style>%s</style>\n<rect class=\"back\" width=\"100%%\" height=\"100%%\"/>\n", curveStyle)
	for i, p := range panels {
		fmt.Fprintf(&out, "<g transform=\"translate(%d 0)\">\n", panelWidth*i)
		p.plot(&out)
		fmt.Fprint(&out, "</g>\n")
	}
	fmt.Fprint(&out, "</svg>\n")
	return out.Bytes()
}

// plot writes the grid first, and the curves on it.
func (p panel) plot(out *bytes.Buffer) {
	xs, ys := p.axes()
	fmt.Fprintf(out, "<text class=\"title\" x=\"%d\" y=\"24\">%s</text>\n", left, p.title)
	for _, v := range xs.ticks() {
		x := xs.at(v)
		fmt.Fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", x, top, x, panelHeight-foot)
		fmt.Fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, panelHeight-foot+18, tickText(v))
	}
	for _, v := range ys.ticks() {
		y := ys.at(v)
		fmt.Fprintf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n", left, y, panelWidth-right, y)
		fmt.Fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left-7, y+4, tickText(v))
	}
	fmt.Fprintf(out, "<text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">loops, of four objects each</text>\n",
		(left+panelWidth-right)/2, panelHeight-14)
	fmt.Fprintf(out, "<text class=\"soft\" transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
		(top+panelHeight-foot)/2, p.unit)
	for _, c := range p.curves {
		c.plot(out, xs, ys, p.text)
	}
}

func (c curve) plot(out *bytes.Buffer, xs, ys axis, text func(float64) string) {
	if len(c.points) == 0 {
		return
	}
	if len(c.points) > 1 {
		fmt.Fprintf(out, "<polyline class=\"line %s\" points=\"", c.class)
		for _, at := range c.points {
			fmt.Fprintf(out, "%.1f,%.1f ", xs.at(at[0]), ys.at(at[1]))
		}
		fmt.Fprint(out, "\"/>\n")
	}
	for _, at := range c.points {
		fmt.Fprintf(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%s, %.0f loops: %s</title></circle>\n",
			c.class, xs.at(at[0]), ys.at(at[1]), c.name, at[0], text(at[1]))
	}
	last := c.points[len(c.points)-1]
	x, y, anchor := xs.at(last[0])-9, ys.at(last[1])-11, "end"
	if c.below { // as far as the line goes down over the length of the name
		y += 90
	}
	fmt.Fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", c.class, x, y, anchor, c.name)
}

// An axis goes from one figure to another, by their logarithms.
type axis struct{ from, to, start, end float64 }

func (a axis) at(v float64) float64 {
	share := math.Log(v/a.from) / math.Log(a.to/a.from)
	return a.start + share*(a.end-a.start)
}

// ticks are at 1, 2 and 5 of each power of ten; where those are many, at the powers.
func (a axis) ticks() []float64 {
	var all, powers []float64
	for power := math.Pow(10, math.Floor(math.Log10(a.from))); power <= a.to; power *= 10 {
		for _, v := range []float64{1, 2, 5} {
			if at := v * power; at >= a.from*0.999 && at <= a.to*1.001 {
				all = append(all, at)
				if v == 1 {
					powers = append(powers, at)
				}
			}
		}
	}
	if len(all) > 7 && len(powers) > 1 {
		return powers
	}
	return all
}

func tickText(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f,%03.0f", math.Floor(v/1000), math.Mod(v, 1000))
	}
	return fmt.Sprintf("%.3g", v)
}

// axes have room for all points.
func (p panel) axes() (xs, ys axis) {
	var x, y []float64
	for _, c := range p.curves {
		for _, at := range c.points {
			x, y = append(x, at[0]), append(y, at[1])
		}
	}
	around := func(values []float64, room float64) (from, to float64) {
		return slices.MinFunc(values, cmp.Compare[float64]) / room, slices.MaxFunc(values, cmp.Compare[float64]) * room
	}
	xs = axis{start: left, end: panelWidth - right}
	xs.from, xs.to = around(x, 1.25)
	ys = axis{start: panelHeight - foot, end: top}
	ys.from, ys.to = around(y, 1.7)
	return xs, ys
}
