package reconcile

import (
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
	// Err is why the last round failed, in full; nil where it did not. Stage is where.
	Err   error
	Stage Stage
	// FetchErr is why the source could not be fetched the last time; nil where it could. It stands beside Err, since the
	// last good revision goes on meanwhile.
	FetchErr error
	StoreErr error // why the Store did not take, or give, a revision
	WatchErr error // why drift is not told

	Ready    bool // the last Apply, and the Wait after it, succeeded, and nothing newer is known
	Failures int  // rounds that failed one after another

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
