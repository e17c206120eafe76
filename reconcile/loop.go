package reconcile

import (
	"context"
	"io/fs"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/source"
)

// A BuildFunc makes objects of a source's content; the method Build of a kustomize.Builder is one. The content is good
// until it returns. Where it returns the very objects of its last call, the same pointers in the same order, it says that
// nothing has changed, and no more is asked; else their JSON is compared. Nobody changes the objects.
type BuildFunc func(ctx context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error)

// An ApplyFunc makes the cluster as the objects say; an Applier's Apply is one with the set's ID filled in, and the method
// Apply of a [Target] is. It does not change the objects, which may be those of its last call. Its result may be nil where
// it did nothing.
type ApplyFunc func(ctx context.Context, revision source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error)

// A Store keeps the content of the last good revisions, by the names of the loops. An artifact.DirStore is one.
type Store interface {
	artifact.Putter
	artifact.Opener
	artifact.Statter
	artifact.Tagger
	artifact.Resolver
	artifact.Historian
}

// A Dependency is another loop of the group that has to be ready before a loop goes on to a revision. What the loop has
// applied already it goes on to enforce meanwhile.
type Dependency struct {
	Name string
	// SameRevision asks for more: that the other loop is ready at the very revision that this one is about to apply. Both
	// have to have sources whose revisions are the same, such as one source.
	SameRevision bool
}

// Timeouts say how long the stages of a round may take. One that is 0 takes the loop's Timeout.
type Timeouts struct{ Fetch, Build, Apply, Wait time.Duration }

// A Loop is one origin's way to one cluster. Source, Build and Apply are needed; a [Target] is a ready-made Apply, Wait,
// Drift, Delete and Close. Nothing of it is to be changed once it runs. It is not to be copied, and is in one [Group] at
// most, or runs by itself. Its methods may be called by many goroutines at once, also while it does not run.
type Loop struct {
	Name   string // of the loop, for events, errors, dependencies and the Store
	Source source.Source
	Build  BuildFunc
	Apply  ApplyFunc

	// Wait, where there is one, returns when what was applied is healthy, or why it is not. It holds up no other loop, and
	// its context ends as soon as there are newer objects to apply.
	Wait func(ctx context.Context, revision source.Revision) error
	// Drift, where there is one, waits until objects are not as they were left, and returns which. They are applied again
	// then, and Interval is for the Source only: nothing is applied because time has passed, but every Resync.
	Drift func(ctx context.Context) ([]apply.Drift, error)
	// Delete deletes what was applied, when the loop is removed from its group and that is asked for.
	Delete func(ctx context.Context) (*apply.Result, error)
	// Close is called once when the loop no longer runs in a group: at the end of Run, and when it is removed or replaced.
	Close func()

	Interval time.Duration // from a fetch of Source to the next one; 0: one minute
	Jitter   float64       // the share of Interval by which a fetch is earlier or later, 0 to 1; 0: 0.1; below 0: none
	Resync   time.Duration // of a loop with Drift: applies though nothing has drifted; 0: never
	RetryMin time.Duration // after the first failure; 0: one second
	RetryMax time.Duration // after many, for the delay doubles; 0: Interval, or RetryMin where that is longer
	Timeout  time.Duration // of each stage of a round; 0: five minutes
	Timeouts Timeouts      // of stages that have one of their own

	// DependsOn are loops of the same group that have to be ready first.
	DependsOn []Dependency

	// Store, where there is one, keeps what was applied, under the loop's Name: so that it is enforced after a restart also
	// while the source is out of reach. For Pin it keeps all revisions that any loop of the same Source has built, too, as
	// many as its history has: under a name that is made of the Source's String, or the loop's own where that is missing, or
	// is another source's in the group.
	Store Store
	// At returns the origin at a revision, for a Pin to one that the Store does not have.
	At func(revision source.Revision) (source.Source, error)

	// History is how many outcomes the Status tells; 0: 10, below 0: none.
	History int

	// OnEvent is called with each event, one at a time, in their order, by a goroutine of the loop, which waits for it. It
	// may call the loop's methods, but for Run and Once.
	OnEvent func(Event)

	core core
}

// Run runs rounds until ctx ends, and returns ctx's error then. The first starts at once. A round that fails is told by an
// event, not by Run. It is a [Group] of one.
func (l *Loop) Run(ctx context.Context) error { return Run(ctx, l) }
