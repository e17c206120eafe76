package reconcile

import (
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// An Event is something that happened in a loop: one of the types of this file, by value. Its String is a line for a log.
// Events hold names, counts, revisions and errors, and never an object.
type Event interface {
	fmt.Stringer
	// LoopName returns the name of the loop.
	LoopName() string
	event()
}

// Fetched says that the source answered.
type Fetched struct {
	Loop     string
	Revision source.Revision
	Modified bool // there is content of a revision that was not built before
	Shared   bool // the same fetch was told to another loop already, for both have the same Source
	Took     time.Duration
}

// Restored says that the source is out of reach, and that the last good revision was taken from the Store instead.
type Restored struct {
	Loop     string
	Revision source.Revision
	Took     time.Duration
}

// Built says that the content of a revision was built.
type Built struct {
	Loop     string
	Revision source.Revision
	Digest   digest.Digest // of the objects; the same where a build gave the same
	Objects  int
	Changed  bool // they are other objects than those that were last applied
	Took     time.Duration
}

// Advanced says that a revision was built to the very objects that are applied already, and that it is the applied one from
// now on, without a request.
type Advanced struct {
	Loop     string
	Revision source.Revision
}

// Applied says what Apply did; where it failed, as far as it came, and a [Failed] follows. While a revision is refused by the
// cluster, its Revision is that of the last good one where that is corrected.
type Applied struct {
	Loop     string
	Revision source.Revision
	Result   *apply.Result // never nil
	Cause    Cause         // why it was called
	Err      error         // why it did not come to its end
	Took     time.Duration
}

// A Cause says why objects were applied.
type Cause string

// The causes.
const (
	CauseNew      Cause = "new objects"  // never applied by this process, or other ones than last time
	CauseDrift    Cause = "drift"        // objects on the cluster were not as they were left
	CauseInterval Cause = "interval"     // it was time
	CauseTrigger  Cause = "trigger"      // somebody asked for it
	CauseRetry    Cause = "retry"        // it failed the last time, or what it applied was not healthy
	CauseAdvance  Cause = "same objects" // of a new revision: nothing was applied, for they are; told by an [Outcome] only
)

// Waiting says that the objects are applied, and that the loop waits until they are healthy.
type Waiting struct {
	Loop     string
	Revision source.Revision
}

// Healthy says that what was applied is healthy.
type Healthy struct {
	Loop     string
	Revision source.Revision
	Took     time.Duration // of the wait
}

// Unhealthy says that what was applied did not become healthy; a [Failed] follows.
type Unhealthy struct {
	Loop     string
	Revision source.Revision
	Err      error
	Took     time.Duration
}

// Superseded says that the loop no longer waits for the health of a revision, since there are newer objects to apply, or
// since its rounds were ended. Each [Waiting] is followed by one of Healthy, Unhealthy and Superseded.
type Superseded struct {
	Loop     string
	Revision source.Revision // that was waited for
	By       source.Revision // zero where the rounds were ended: by the end of Run or Once, by Replace, or by Remove
}

// Drifted says that objects are not as they were left. They are applied again, so an [Applied] follows; where the loop is
// suspended, once it is resumed.
type Drifted struct {
	Loop   string
	Drifts []apply.Drift
}

// Unwatched says that the cluster does not tell of drift. Until it does, the loop applies after each Interval.
type Unwatched struct {
	Loop    string
	Err     error
	RetryIn time.Duration
}

// DependencyNotReady says that the loop does not go on to a revision before a loop that it depends on is ready. It is told
// once for each reason, and not again at each try.
type DependencyNotReady struct {
	Loop       string
	Revision   source.Revision
	Dependency Dependency
	Why        string // "it is applying", "there is no loop of this name"
}

// Kept says that the Store has the content of a revision that was applied, under the loop's name.
type Kept struct {
	Loop     string
	Revision source.Revision
	Digest   digest.Digest // of the artifact
}

// NotKept says that the Store does not take the content of a revision. The loop goes on without.
type NotKept struct {
	Loop     string
	Revision source.Revision
	Err      error
}

// A Stage is a part of a round.
type Stage string

// The stages of a round, in their order.
const (
	Fetching  Stage = "fetching"
	Restoring Stage = "restoring" // from the Store, or of a pinned revision
	Building  Stage = "building"
	Applying  Stage = "applying"
	Checking  Stage = "checking health"
	Deleting  Stage = "deleting" // of what a removed loop had applied
)

// Failed says that a round ended early.
type Failed struct {
	Loop     string
	Stage    Stage
	Revision source.Revision // that was being fetched, built, applied or waited for, as far as known
	Err      error
	Failures int           // rounds that failed one after another, this one included
	RetryIn  time.Duration // 0 where it is not tried again: after Once, and where the loop's rounds were ended
	Shared   bool          // the same fetch failed for another loop too, which was told
}

// Suspended says that no round starts until the loop is resumed.
type Suspended struct{ Loop string }

// Resumed says that rounds start again.
type Resumed struct{ Loop string }

// Triggered says that somebody asked for a round.
type Triggered struct{ Loop string }

// Pinned says that the loop is to be at one revision until it is unpinned.
type Pinned struct {
	Loop     string
	Revision source.Revision
}

// Unpinned says that the loop follows its source again.
type Unpinned struct{ Loop string }

// Replaced says that the loop has new parts, by [Group.Replace].
type Replaced struct{ Loop string }

// Removed says that the loop is no longer in its group. It is the last event of the loop.
type Removed struct {
	Loop   string
	Result *apply.Result // of the deletion; nil where all was left
}

func (Fetched) event()            {}
func (Restored) event()           {}
func (Built) event()              {}
func (Advanced) event()           {}
func (Applied) event()            {}
func (Waiting) event()            {}
func (Healthy) event()            {}
func (Unhealthy) event()          {}
func (Superseded) event()         {}
func (Drifted) event()            {}
func (Unwatched) event()          {}
func (DependencyNotReady) event() {}
func (Kept) event()               {}
func (NotKept) event()            {}
func (Failed) event()             {}
func (Suspended) event()          {}
func (Resumed) event()            {}
func (Triggered) event()          {}
func (Pinned) event()             {}
func (Unpinned) event()           {}
func (Replaced) event()           {}
func (Removed) event()            {}
