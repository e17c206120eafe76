package statuspage

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A loopView is the page of one loop.
type loopView struct {
	frame
	Loop     Loop
	NeededBy []string // names of the loops that depend on it
	Longest  float64  // seconds of the longest round told
}

func newLoopView(f frame, s reconcile.Status, all []reconcile.Status) loopView {
	v := loopView{frame: f, Loop: newLoop(s)}
	for _, other := range all {
		if slices.ContainsFunc(other.DependsOn, func(d reconcile.Dependency) bool { return d.Name == s.Name }) {
			v.NeededBy = append(v.NeededBy, other.Name)
		}
	}
	for _, o := range v.Loop.History {
		v.Longest = max(v.Longest, o.Took.Total())
	}
	return v
}

// Total is that of the stages, in seconds.
func (d Durations) Total() float64 { return d.Fetch + d.Build + d.Apply + d.Wait }

// A part is a stage's share of a round.
type part struct {
	Stage    string
	Seconds  float64
	X, Width float64 // of 100 for the longest round
}

// Parts are the stages that ran.
func (d Durations) Parts(longest float64) []part {
	x := 0.0
	var all []part
	for _, p := range []part{{Stage: "fetch", Seconds: d.Fetch}, {Stage: "build", Seconds: d.Build},
		{Stage: "apply", Seconds: d.Apply}, {Stage: "wait", Seconds: d.Wait}} {
		if p.Seconds <= 0 || longest <= 0 {
			continue
		}
		p.X, p.Width = x, 100*p.Seconds/longest
		x += p.Width
		all = append(all, p)
	}
	return all
}

// CountsText is what became of the objects: "1 created, 3 unchanged".
func (o Outcome) CountsText() string {
	order := []apply.Action{apply.Failed, apply.Created, apply.Configured, apply.Replaced, apply.Pruned, apply.Deleted,
		apply.Skipped}
	rank := func(action string) int {
		if i := slices.Index(order, apply.Action(action)); i >= 0 {
			return i
		}
		return len(order)
	}
	actions := slices.SortedFunc(maps.Keys(o.Counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	var texts []string
	for _, action := range actions {
		if n := o.Counts[action]; n > 0 {
			texts = append(texts, number(n)+" "+action)
		}
	}
	return strings.Join(texts, ", ")
}

// functions are those of the templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"shown": shown, "cut": cut, "number": number, "seconds": seconds, "short": short, "icon": icon,
		"long": func(r source.Revision) string { return r.String() },
		"add":  func(a, b int) int { return a + b },
	}
}

// short is a revision as people tell it: "main@855f77ab12".
func short(r source.Revision) string {
	_, hex, _ := strings.Cut(r.Digest.String(), ":")
	hex = cut(hex, 10)
	hex = strings.TrimSuffix(hex, "…")
	if r.Name == "" {
		return hex
	}
	return cut(r.Name, 60) + "@" + hex
}

// number has commas between the thousands.
func number(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// seconds is a duration to three digits or so.
func seconds(s float64) string {
	switch d := time.Duration(s * float64(time.Second)); {
	case d <= 0:
		return "0 s"
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", s)
	default:
		return span(d)
	}
}

// span is a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute && d != time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// A moment is a time, as it is told at another one.
type moment struct {
	time.Time
	Text string
}

// When tells a time from now.
func (f frame) When(t time.Time) moment {
	d := f.Now.Sub(t)
	switch {
	case d < 0:
		return moment{t, "in " + span(-d)}
	case d < time.Second:
		return moment{t, "now"}
	}
	return moment{t, span(d) + " ago"}
}

// Machine is the time for machines.
func (m moment) Machine() string { return m.UTC().Format(time.RFC3339) }

// Full is the time in full.
func (m moment) Full() string { return m.UTC().Format("2006-01-02 15:04:05 UTC") }

// icon is the page's own in the browser's tab: a dot, filled and red where a loop fails.
func icon(bad bool) template.URL {
	colour := "%2322863a"
	if bad {
		colour = "%23d1242f"
	}
	return template.URL("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E" +
		"%3Ccircle cx='8' cy='8' r='7' fill='" + colour + "'/%3E%3C/svg%3E")
}

// Bad tells whether a loop of the list fails.
func (v listView) Bad() bool {
	return slices.ContainsFunc(v.Chips, func(c chip) bool {
		return c.Count > 0 && (c.State == reconcile.StateFailing || c.State == reconcile.StateOutOfReach)
	})
}

// Bad tells whether the loop fails.
func (v loopView) Bad() bool {
	return v.Loop.State == string(reconcile.StateFailing) || v.Loop.State == string(reconcile.StateOutOfReach)
}
