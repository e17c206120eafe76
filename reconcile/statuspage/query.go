package statuspage

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gitopskit/gitopskit/reconcile"
)

// A query is what a request asks for. Whatever it says, it is answered: what is not known is as though it were not there.
type query struct {
	Text  string
	State reconcile.State
	Sort  string // a key of orders
	Back  bool   // the other way round
	Page  int    // from 1
	Loop  string
}

// maxText is how many bytes of a search are looked at.
const maxText = 200

func parseQuery(values url.Values) query {
	q := query{State: reconcile.State(values.Get("state")), Loop: values.Get("loop")}
	text := strings.TrimSpace(values.Get("q"))
	q.Text = shown(strings.ToValidUTF8(text[:min(len(text), maxText)], ""))
	if len(q.State) > maxText || shown(string(q.State)) != string(q.State) {
		q.State = ""
	}
	q.Sort, q.Back = strings.CutPrefix(values.Get("sort"), "-")
	if _, ok := orderOf(q.Sort); !ok {
		q.Sort, q.Back = byState, false
	}
	q.Page, _ = strconv.Atoi(values.Get("page"))
	q.Page = max(q.Page, 1)
	return q
}

// encode is the inverse of parseQuery, as an address that is relative to the page.
func (q query) encode() string { return "?" + q.values().Encode() }

func (q query) values() url.Values {
	values := make(url.Values)
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set("q", q.Text)
	set("state", string(q.State))
	set("loop", q.Loop)
	set("sort", q.sorting())
	if q.Page > 1 {
		set("page", strconv.Itoa(q.Page))
	}
	return values
}

func (q query) sorting() string {
	switch {
	case q.Back:
		return "-" + q.Sort
	case q.Sort == byState:
		return ""
	}
	return q.Sort
}

// InState is the address of the same search in another state.
func (q query) InState(state reconcile.State) string {
	q.State, q.Page = state, 1
	return q.encode()
}

// By is the address of the same list in another order, and in the other direction where it is in this order already.
func (q query) By(order string) string {
	q.Sort, q.Back, q.Page = order, q.Sort == order && !q.Back, 1
	return q.encode()
}

// OnPage is the address of another page of the list.
func (q query) OnPage(page int) string {
	q.Page = page
	return q.encode()
}

// Of is the address of a loop. It keeps the list's query, so that the way back leads there.
func (q query) Of(name string) string {
	q.Loop = name
	return q.encode()
}

// List is the address of the list.
func (q query) List() string { return q.Of("") }

// JSON is the address of the same as JSON.
func (q query) JSON() string {
	values := q.values()
	values.Set("format", "json")
	return "?" + values.Encode()
}

// Sorting is the field sort of a form.
func (q query) Sorting() string { return q.sorting() }

// match returns the statuses that the query leaves, in its order, and how many of those that its text leaves are in which
// state.
func (q query) match(all []reconcile.Status) ([]reconcile.Status, map[reconcile.State]int) {
	states := make(map[reconcile.State]int)
	words := strings.Fields(strings.ToLower(q.Text))
	var matched []reconcile.Status
	for _, s := range all {
		if !has(s, words) {
			continue
		}
		states[s.State]++
		if q.State == "" || q.State == s.State {
			matched = append(matched, s)
		}
	}
	order, _ := orderOf(q.Sort)
	slices.SortStableFunc(matched, func(a, b reconcile.Status) int {
		n := order(a, b)
		if q.Back {
			n = -n
		}
		return cmp.Or(n, strings.Compare(a.Name, b.Name))
	})
	return matched, states
}

// has tells whether each of the words, which are in lower case, is somewhere in what the list shows of a loop, as it shows
// it: what is masked is not found either.
func has(s reconcile.Status, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.Join([]string{s.Name, masked(s.Source), string(s.State), string(s.Reason),
		s.Wanted.String(), s.Attempted.String(), s.Applied.String(), s.Pinned.String(),
		textOf(s.Err), textOf(s.FetchErr), textOf(s.StoreErr), textOf(s.WatchErr), masked(strings.Join(s.Blocked, "\n"))}, "\n")
	text = strings.ToLower(shown(text))
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// The orders of a list.
const (
	byName  = "name"
	byState = "state" // those that need a look first
	bySince = "since" // the newest state first
	byTook  = "took"  // the longest last round first
)

func orderOf(name string) (func(a, b reconcile.Status) int, bool) {
	switch name {
	case byName:
		return func(a, b reconcile.Status) int { return strings.Compare(a.Name, b.Name) }, true
	case byState:
		return func(a, b reconcile.Status) int { return cmp.Compare(rank(a.State), rank(b.State)) }, true
	case bySince:
		return func(a, b reconcile.Status) int { return b.Since.Compare(a.Since) }, true
	case byTook:
		return func(a, b reconcile.Status) int { return cmp.Compare(lastTook(b), lastTook(a)) }, true
	}
	return nil, false
}

// ranking has the states in the order in which they need a look.
func ranking() []reconcile.State {
	return []reconcile.State{reconcile.StateFailing, reconcile.StateOutOfReach, reconcile.StateBlocked, reconcile.StateRemoving,
		reconcile.StateApplying, reconcile.StateBuilding, reconcile.StateWaiting, reconcile.StatePending, reconcile.StateSuspended,
		reconcile.StateReady}
}

// rank of a state that is not known is the first.
func rank(s reconcile.State) int { return slices.Index(ranking(), s) }

func lastTook(s reconcile.Status) float64 {
	if len(s.History) == 0 {
		return 0
	}
	took := s.History[0].Took
	return (took.Fetch + took.Build + took.Apply + took.Wait).Seconds()
}
