package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A State says in a word what a loop is at.
type State string

// The states.
const (
	StatePending    State = "pending"     // it has not started, or waits for its source for the first time
	StateBuilding   State = "building"    // content, the first or a newer one
	StateBlocked    State = "blocked"     // a loop that it depends on is not ready
	StateApplying   State = "applying"    // objects
	StateWaiting    State = "waiting"     // for health
	StateReady      State = "ready"       // what is wanted is applied, and healthy where a Wait says so
	StateFailing    State = "failing"     // the last round failed: Err says why, and Retry when it goes on
	StateSuspended  State = "suspended"   // by Suspend
	StateRemoving   State = "removing"    // it is to leave its group, and what it applied is being deleted, or was not yet
	StateOutOfReach State = "unreachable" // the source cannot be fetched; the last good revision is enforced
)

// A Reason says in a word why the applied revision is not the wanted one.
type Reason string

// The reasons; the empty one where nothing differs.
const (
	ReasonNone        Reason = ""
	ReasonNotFetched  Reason = "not fetched"  // nobody knows yet what is wanted
	ReasonUnreachable Reason = "unreachable"  // the source cannot be fetched, so what it wants may be newer
	ReasonProgressing Reason = "progressing"  // it is being built or applied right now, or about to be
	ReasonBuild       Reason = "build failed" // the attempted revision does not build
	ReasonApply       Reason = "apply failed" // the attempted revision was not applied in full
	ReasonDependency  Reason = "dependency"   // a loop that it depends on is not ready
	ReasonPinned      Reason = "pinned"       // somebody wants another revision than the source
	ReasonPinMissing  Reason = "pin missing"  // the pinned revision is nowhere to be had
	ReasonSuspended   Reason = "suspended"    // by Suspend
)

// A Status is how a loop stands, as of the moment it was asked for. It is the caller's own.
type Status struct {
	Name      string
	Source    string // its text, where it has one: never with a credential
	State     State
	Since     time.Time // of the State
	Suspended bool

	// Wanted is the source's revision, as last fetched. Attempted is the one that was last built or applied, or tried to.
	// Applied is the last one that was applied without an error: what it left on the cluster is kept. Pinned is the one
	// that somebody wants instead; zero without a pin. Healthy is the last one that was healthy; zero without a Wait.
	Wanted, Attempted, Applied, Pinned, Healthy source.Revision

	Reason Reason // why Applied is not Wanted
	// Err is why the last round failed, in full; nil where it did not. Stage is where. It may be joined of why the wanted
	// revision does not build, or is refused, and why the last good one is not enforced.
	Err   error
	Stage Stage
	// FetchErr is why the source could not be fetched the last time; nil where it could. It stands beside Err, since the
	// last good revision goes on meanwhile.
	FetchErr error
	StoreErr error // why the Store did not take, or give, a revision
	WatchErr error // why drift is not told

	// Ready says that the last Apply, and the Wait after it, succeeded, and that nothing newer is known: also while the source
	// is unreachable, which State tells, and though it was not reached since a restart.
	Ready    bool
	Failures int // rounds that failed one after another

	Fetched   time.Time // when the source last answered; zero: never
	AppliedAt time.Time // when Applied was last applied; zero: not by this process
	Next      time.Time // when the next round starts by itself; zero: none is due

	Objects   int           // of Attempted, where it was built
	Digest    digest.Digest // of these objects
	Drifts    []apply.Drift // that were last seen
	DriftedAt time.Time
	DependsOn []Dependency
	Blocked   []string // by which dependencies, and why: "database: it is applying"
	Interval  time.Duration

	History []Outcome // newest first
}

// An Outcome is what a round came to. A round like the one before, of the same objects, with no change and no other
// error, is counted by that one.
type Outcome struct {
	Revision source.Revision
	Digest   digest.Digest // of the objects that were built; empty where they were not
	Objects  int
	Cause    Cause
	Time     time.Time // when it ended for the first time
	Last     time.Time // when the last like it ended
	Repeats  int       // how many like it followed
	Took     Durations // of the first

	// Counts says how many objects became what, and Changes has those that did not stay as they were, up to 100.
	Counts  map[apply.Action]int
	Changes []apply.Change
	Health  HealthState
	Stage   Stage // where it failed
	Err     error // why
}

// Durations are those of the stages. One that did not run is zero.
type Durations struct{ Fetch, Build, Apply, Wait time.Duration }

// A HealthState says what came of the wait for health.
type HealthState string

// The health states; the empty one where nothing was waited for.
const (
	HealthNone       HealthState = ""
	HealthWaiting    HealthState = "waiting"
	HealthOK         HealthState = "healthy"
	HealthBad        HealthState = "unhealthy"
	HealthSuperseded HealthState = "superseded" // by newer objects, before it was known
)

// stateNow is the first that applies.
func (c *core) stateNow(l *Loop) State {
	pending := !c.upToDate()
	switch {
	case c.removing:
		return StateRemoving
	case c.suspended:
		return StateSuspended
	case pending && c.busy == Applying:
		return StateApplying
	case pending && c.busy != "":
		return StateBuilding
	case c.unbuilt != nil, c.unapplied != nil, c.unkept != nil, c.applied == nil && c.fetchErr != nil:
		return StateFailing
	case len(c.blocked) > 0:
		return StateBlocked
	case c.wait != nil:
		return StateWaiting
	case c.applied == nil:
		return StatePending
	case c.fetchErr != nil:
		return StateOutOfReach
	case pending:
		return StateBuilding
	case c.broken, l.Wait != nil && !c.healthy:
		return StateApplying // about to be
	}
	return StateReady
}

// upToDate tells whether nothing newer is known than what is applied.
func (c *core) upToDate() bool { return c.applied != nil && (c.goal().IsZero() || c.at(c.applied)) }

// reason is why what is applied is not what the source wants.
func (c *core) reason() Reason {
	there := c.applied != nil && !c.broken && c.applied.revision == c.wanted
	pinned := !c.pin.IsZero()
	switch {
	case pinned && c.applied != nil && c.applied.revision.Digest == c.pin.Digest && c.pin.Digest == c.wanted.Digest:
		return ReasonNone
	case pinned && c.unbuilt != nil && c.unbuilt.stage == Restoring:
		return ReasonPinMissing
	case pinned && c.at(c.applied):
		return ReasonPinned
	case c.fetchErr != nil && (there || c.wanted.IsZero()):
		return ReasonUnreachable
	case there:
		return ReasonNone
	case c.wanted.IsZero():
		return ReasonNotFetched
	case c.suspended:
		return ReasonSuspended
	case c.unbuilt != nil:
		return ReasonBuild
	case c.unapplied != nil, c.unkept != nil:
		return ReasonApply
	case len(c.blocked) > 0:
		return ReasonDependency
	}
	return ReasonProgressing
}

// Status returns how the loop stands.
func (l *Loop) Status() Status {
	c := &l.core
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Name: l.Name, Source: originText(l.Source), State: c.stateNow(l), Since: c.since, Suspended: c.suspended,
		Wanted: c.wanted, Pinned: c.pin, Healthy: c.healthyAt, Reason: c.reason(),
		FetchErr: c.fetchErr, StoreErr: c.storeErr, WatchErr: c.watchErr,
		Fetched: c.fetched, AppliedAt: c.appliedAt, Failures: c.fetchBad, Next: c.dueAt,
		Drifts: slices.Clone(c.drifts), DriftedAt: c.driftedAt, Interval: l.interval(),
		DependsOn: slices.Clone(l.DependsOn), Blocked: slices.Clone(c.blocked)}
	if c.applied != nil {
		s.Applied = c.applied.revision
	}
	if c.built != nil {
		s.Attempted, s.Objects, s.Digest = c.built.revision, len(c.built.objects), c.built.digest
	}
	s.Ready = c.upToDate() && !c.broken && c.unapplied == nil && c.unkept == nil && c.wait == nil && (l.Wait == nil || c.healthy)
	s.Next = earliest(s.Next, c.fetchDue)
	var errs []error
	for _, f := range []*fault{c.unbuilt, c.unapplied, c.unkept} {
		if f == nil {
			continue
		}
		if errs = append(errs, f.err); len(errs) == 1 {
			s.Err, s.Stage, s.Failures = f.err, f.stage, f.failures
		}
		s.Next = earliest(s.Next, f.retryAt)
	}
	if len(errs) > 1 {
		s.Err = errors.Join(errs...)
	}
	if s.Err == nil && c.applied == nil && c.fetchErr != nil {
		s.Err, s.Stage = c.fetchErr, Fetching
	}
	if c.unbuilt != nil {
		s.Attempted = c.unbuilt.revision
	}
	if c.suspended || c.removing || c.place == nil {
		s.Next = time.Time{}
	}
	for _, o := range c.history {
		s.History = append(s.History, o.clone())
	}
	return s
}

func (o *Outcome) clone() Outcome {
	told := *o
	told.Counts, told.Changes = maps.Clone(o.Counts), slices.Clone(o.Changes)
	return told
}

// earliest of two times; zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// originText is what a source says of itself, which is then without a credential.
func originText(s source.Source) string {
	if text, ok := s.(fmt.Stringer); ok {
		return text.String()
	}
	return ""
}
