package statuspage

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/reconcile"
)

// A frame is what every page has.
type frame struct {
	Title   string
	CSS     template.CSS
	JS      template.JS
	Refresh float64 // seconds; 0: never
	Now     time.Time
	Query   query
	Total   int
}

// A listView is the page of many loops.
type listView struct {
	frame
	Matched     int
	First, Last int // of those on this page, from 1
	Pages       int
	Chips       []chip
	Segments    []segment
	Rows        []row
}

// A chip is a state to choose, or all of them.
type chip struct {
	State   reconcile.State
	Count   int
	Address string
	Current bool
}

// A segment is a state's share of a bar.
type segment struct {
	Class    string
	X, Width float64
}

// A row is a loop in the list.
type row struct {
	Loop
	Frame frame
}

func newListView(f frame, all []reconcile.Status, size int) listView {
	matched, states := f.Query.match(all)
	v := listView{Matched: len(matched), Pages: max((len(matched)+size-1)/size, 1)}
	f.Query.Page = min(f.Query.Page, v.Pages)
	v.frame, v.First, v.Last = f, (f.Query.Page-1)*size, min(f.Query.Page*size, len(matched))
	for _, s := range matched[v.First:v.Last] {
		v.Rows = append(v.Rows, row{newLoop(s), f})
	}
	v.First = min(v.First+1, v.Last)
	n := 0
	for _, count := range states {
		n += count
	}
	v.Chips = []chip{{"", n, f.Query.InState(""), f.Query.State == ""}}
	for _, state := range known(states, f.Query.State) {
		v.Chips = append(v.Chips, chip{state, states[state], f.Query.InState(state), f.Query.State == state})
	}
	v.Segments = segments(v.Chips[1:])
	return v
}

// known are the states that loops are in, and the chosen one, with those that nobody has heard of first.
func known(states map[reconcile.State]int, chosen reconcile.State) []reconcile.State {
	var all []reconcile.State
	for state := range states {
		if rank(state) < 0 {
			all = append(all, state)
		}
	}
	slices.Sort(all)
	for _, state := range ranking() {
		if states[state] > 0 || state == chosen {
			all = append(all, state)
		}
	}
	return all
}

// segments share 1000 units out, of which nobody gets less than 6: one of a thousand is to be seen.
func segments(chips []chip) []segment {
	const least = 6
	var all []segment
	total, x := 0.0, 0.0
	for _, c := range chips {
		if c.Count > 0 {
			all = append(all, segment{Class: string(c.State), Width: float64(c.Count)})
			total += float64(c.Count)
		}
	}
	free := 1000 - least*float64(len(all))
	for i := range all {
		all[i].X, all[i].Width = x, least+free*all[i].Width/total
		x += all[i].Width
	}
	return all
}

// A problem is an error, and what it is of. One that is Mild leaves what is applied in force.
type problem struct {
	Of, Text string
	Mild     bool
}

// Problems are the loop's errors, those that stop it first.
func (l Loop) Problems() []problem {
	var all []problem
	add := func(of, text string, mild bool) {
		if text != "" {
			all = append(all, problem{of, text, mild})
		}
	}
	stage := l.Stage
	if stage == "" {
		stage = "round"
	}
	add(stage, l.Error, false)
	if l.FetchError != l.Error {
		add(string(reconcile.Fetching), l.FetchError, false)
	}
	add("waiting for other loops", strings.Join(l.Blocked, "\n"), true)
	add("watching for drift", l.WatchError, true)
	add("keeping in the store", l.StoreError, true)
	return all
}

// Problem is why the round failed.
func (o Outcome) Problem() problem { return problem{Of: o.Stage, Text: o.Error} }

// Long tells whether a list shows the problem only on demand.
func (p problem) Long() bool { return len(p.Text) > 240 || strings.Contains(p.Text, "\n") }

// Summary is the problem's first line.
func (p problem) Summary() string {
	line, _, _ := strings.Cut(p.Text, "\n")
	return cut(line, 160)
}

// mostInList is how many characters of an error a list shows; the loop's own page shows all.
const mostInList = 4000

// Cut is the problem for a list.
func (p problem) Cut() string { return cut(p.Text, mostInList) }

// Whole tells whether Cut is all.
func (p problem) Whole() bool { return len(p.Text) <= mostInList || p.Cut() == p.Text }

// Latest is the last outcome; nil: there is none yet.
func (l Loop) Latest() *Outcome {
	if len(l.History) == 0 {
		return nil
	}
	return &l.History[0]
}

// A tick is an outcome as a small bar.
type tick struct {
	Class        string
	X, Y, Height int
}

// Ticks are the last ten outcomes, oldest first: the worse or the busier, the higher.
func (l Loop) Ticks() []tick {
	recent := slices.Clone(l.History[:min(len(l.History), 10)])
	slices.Reverse(recent)
	ticks := make([]tick, len(recent))
	for i, o := range recent {
		class, height := "same", 5
		switch {
		case o.Failed():
			class, height = "bad", 16
		case len(o.Changes) > 0:
			class, height = "changed", 10
		}
		ticks[i] = tick{class, i * 7, 16 - height, height}
	}
	return ticks
}

// TicksWidth is how wide they are.
func (l Loop) TicksWidth() int { return 7*min(len(l.History), 10) - 2 }

// TicksText is Ticks in words.
func (l Loop) TicksText() string {
	failed, changed := 0, 0
	recent := l.History[:min(len(l.History), 10)]
	for _, o := range recent {
		switch {
		case o.Failed():
			failed++
		case len(o.Changes) > 0:
			changed++
		}
	}
	return fmt.Sprintf("last %d outcomes: %d failed, %d changed objects", len(recent), failed, changed)
}

// Failed tells whether the round did not come to its good end.
func (o Outcome) Failed() bool { return o.Error != "" || o.Health == string(reconcile.HealthBad) }

// A head is a column's title, by which the list is ordered.
type head struct{ Label, Address, Direction string }

// Head of a column. Aria-sort tells the direction of what is seen, where bigger means longer, later or worse.
func (v listView) Head(order, label string) head {
	h := head{Label: label, Address: v.Query.By(order)}
	if v.Query.Sort == order {
		descending := order == bySince || order == byTook
		h.Direction = "ascending"
		if descending != v.Query.Back {
			h.Direction = "descending"
		}
	}
	return h
}
