package statuspage

import (
	"time"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A Report is the list as JSON.
type Report struct {
	Time    time.Time      `json:"time"`    // of the report
	Total   int            `json:"total"`   // loops that there are
	Matched int            `json:"matched"` // loops that the query leaves: those that follow
	States  map[string]int `json:"states"`  // how many are in which state, of those that the query leaves but for its state
	Loops   []Loop         `json:"loops"`
}

// A Loop is a reconcile.Status as JSON, where its fields are explained. Revisions are text, without one empty.
type Loop struct {
	Name      string    `json:"name"`
	Source    string    `json:"source,omitempty"`
	State     string    `json:"state"`
	Since     time.Time `json:"since,omitzero"` // of the state
	Ready     bool      `json:"ready"`
	Suspended bool      `json:"suspended,omitempty"`

	Wanted    source.Revision `json:"wanted,omitzero"`
	Attempted source.Revision `json:"attempted,omitzero"`
	Applied   source.Revision `json:"applied,omitzero"`
	Pinned    source.Revision `json:"pinned,omitzero"`
	Healthy   source.Revision `json:"healthy,omitzero"`
	Reason    string          `json:"reason,omitempty"` // why applied is not wanted

	Error      string `json:"error,omitempty"` // of the last round, in full
	Stage      string `json:"stage,omitempty"` // where it failed
	FetchError string `json:"fetchError,omitempty"`
	StoreError string `json:"storeError,omitempty"`
	WatchError string `json:"watchError,omitempty"`
	Failures   int    `json:"failures,omitempty"` // in a row

	Fetched   time.Time `json:"fetched,omitzero"`
	AppliedAt time.Time `json:"appliedAt,omitzero"`
	Next      time.Time `json:"next,omitzero"`     // when the next round starts by itself
	Interval  float64   `json:"interval,omitzero"` // in seconds

	Objects   int          `json:"objects,omitempty"`
	Digest    string       `json:"digest,omitempty"`
	Drifts    []Drift      `json:"drifts,omitempty"`
	DriftedAt time.Time    `json:"driftedAt,omitzero"`
	DependsOn []Dependency `json:"dependsOn,omitempty"`
	Blocked   []string     `json:"blocked,omitempty"`
	History   []Outcome    `json:"history,omitempty"` // newest first
}

// A Drift is an object that was not as it was left.
type Drift struct {
	Object   string   `json:"object"` // as kubectl would write it: "Deployment.apps namespace/name"
	What     string   `json:"what"`
	Managers []string `json:"managers,omitempty"`
}

// A Dependency is another loop that has to be ready first.
type Dependency struct {
	Name         string `json:"name"`
	SameRevision bool   `json:"sameRevision,omitempty"`
}

// An Outcome is what a round came to.
type Outcome struct {
	Revision source.Revision `json:"revision,omitzero"`
	Digest   string          `json:"digest,omitempty"`
	Objects  int             `json:"objects,omitempty"`
	Cause    string          `json:"cause,omitempty"`
	Time     time.Time       `json:"time,omitzero"`
	Last     time.Time       `json:"last,omitzero"`
	Repeats  int             `json:"repeats,omitempty"`
	Took     Durations       `json:"took"`
	Counts   map[string]int  `json:"counts,omitempty"` // by action: created, configured, …
	Changes  []Change        `json:"changes,omitempty"`
	Health   string          `json:"health,omitempty"`
	Stage    string          `json:"stage,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// Durations are those of the stages, in seconds.
type Durations struct {
	Fetch float64 `json:"fetch,omitzero"`
	Build float64 `json:"build,omitzero"`
	Apply float64 `json:"apply,omitzero"`
	Wait  float64 `json:"wait,omitzero"`
}

// A Change is what became of an object.
type Change struct {
	Object string `json:"object"`
	Action string `json:"action"`
	Error  string `json:"error,omitempty"`
}

func newReport(q query, all []reconcile.Status) Report {
	matched, states := q.match(all)
	report := Report{Time: time.Now(), Total: len(all), Matched: len(matched), States: make(map[string]int), Loops: []Loop{}}
	for state, n := range states {
		report.States[string(state)] = n
	}
	for _, s := range matched {
		report.Loops = append(report.Loops, newLoop(s))
	}
	return report
}

func newLoop(s reconcile.Status) Loop {
	l := Loop{Name: s.Name, Source: masked(s.Source), State: string(s.State), Since: s.Since, Ready: s.Ready,
		Suspended: s.Suspended, Wanted: s.Wanted, Attempted: s.Attempted, Applied: s.Applied, Pinned: s.Pinned,
		Healthy: s.Healthy, Reason: string(s.Reason),
		Error: textOf(s.Err), Stage: string(s.Stage), FetchError: textOf(s.FetchErr), StoreError: textOf(s.StoreErr),
		WatchError: textOf(s.WatchErr), Failures: s.Failures, Fetched: s.Fetched, AppliedAt: s.AppliedAt, Next: s.Next,
		Interval: s.Interval.Seconds(), Objects: s.Objects, Digest: s.Digest.String(), DriftedAt: s.DriftedAt}
	for _, d := range s.Drifts {
		l.Drifts = append(l.Drifts, Drift{d.Ref.String(), string(d.What), d.Managers})
	}
	for _, d := range s.DependsOn {
		l.DependsOn = append(l.DependsOn, Dependency(d))
	}
	for _, b := range s.Blocked {
		l.Blocked = append(l.Blocked, masked(b))
	}
	for _, o := range s.History {
		l.History = append(l.History, newOutcome(o))
	}
	return l
}

func newOutcome(o reconcile.Outcome) Outcome {
	told := Outcome{Revision: o.Revision, Digest: o.Digest.String(), Objects: o.Objects, Cause: string(o.Cause),
		Time: o.Time, Last: o.Last, Repeats: o.Repeats, Counts: make(map[string]int), Health: string(o.Health),
		Stage: string(o.Stage), Error: textOf(o.Err),
		Took: Durations{o.Took.Fetch.Seconds(), o.Took.Build.Seconds(), o.Took.Apply.Seconds(), o.Took.Wait.Seconds()}}
	for action, n := range o.Counts {
		told.Counts[string(action)] = n
	}
	for _, c := range o.Changes {
		told.Changes = append(told.Changes, newChange(c))
	}
	return told
}

func newChange(c apply.Change) Change {
	return Change{c.Ref.String(), string(c.Action), textOf(c.Err)}
}

// textOf is an error in full, and empty for none.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return masked(err.Error())
}
