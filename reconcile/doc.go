// Package reconcile keeps clusters as origins say: it fetches, builds and applies, again and again, one loop or a thousand.
//
//	target := reconcile.NewTarget(applier, apply.Set{ID: id}, reconcile.TargetOptions{})
//	loop := &reconcile.Loop{
//		Name:   "podinfo",
//		Source: origin, // any source.Source
//		Build:  (&kustomize.Builder{Dir: "deploy"}).Build, // or any function from a file system to objects
//		OnEvent: func(e reconcile.Event) { log.Println(e) },
//	}
//	target.Use(loop) // or any function that applies objects
//	err := loop.Run(ctx)
//
// # A round
//
// A round asks the source for its content, builds it, applies what was built, and waits until that is healthy. Each part is
// done only where it has to be. Where the source has not changed, nothing is built. Where a new revision builds to the very
// objects that are applied, nothing is applied: the loop is at the new revision, and no request was made. A Builder of
// package kustomize tells so at the cost of a glance at its inputs.
//
// What is on the cluster is kept by drift, where the loop has Drift, as a [Target] does: an object that somebody changes or
// deletes is applied again at once, and while nothing happens nothing is sent. A loop without Drift applies after each
// Interval.
//
// # When
//
// The source is fetched an Interval after it was fetched last, a little earlier or later by Jitter so that many spread out,
// and at once on [Loop.Trigger] and [Group.TriggerSource], which is what package webhook, beside this one, is for: it takes
// the messages of Git hosts and object stores. What fails is tried again after a delay that doubles from RetryMin to
// RetryMax; an origin that asks to be left alone for longer is. Each stage has a timeout. While a loop is suspended no
// round starts. [Loop.Once] runs a single round, for a CI tool.
//
// # What is wanted, tried and applied
//
// A revision that does not build, or is refused by the cluster, does not undo the last good one, whose drift goes on to be
// corrected: all of it is applied again at once, and the newer revision is tried again at its own time. What that one changed
// before it was refused stays changed until such a correction, or until the next good revision. A loop without Drift
// corrects after each Interval, but not where the refused revision did change something, for the two would undo each other
// for ever.
//
// While the source is out of reach the last good revision is enforced, too; with a Store, such as an artifact.DirStore, also
// after a restart. What the Store has is not asked for where the source answers and the cluster refuses what it has.
//
// [Loop.Pin] rolls back: to a revision that the Store has, or that At gives. [Status] tells the revisions apart: the one that
// the source has, the one that was tried last, the one that is applied, the one that is pinned; and the [Reason] why they
// differ.
//
// # Many
//
// A [Group] runs loops with few workers, by client-go's work queue. Loops with the same Source share its fetches and its
// snapshots, which are closed once the last of them has built. A loop that hangs or fails takes nobody's turn, and what
// waits holds no worker: for health, for drift, for another loop that it depends on. Newer objects end the wait for the
// health of the older ones. Loops come, change and go while the group runs. Many targets on one cluster share the watches of
// apply.Watches: TargetOptions.Watcher.
//
// Everything is told by typed [Event] values, in order for each loop, and kept as the history of its [Status].
//
// # What it never does
//
// This package knows no fetcher and no kustomize: all that it calls is a value the consumer gave it. It keeps no state
// outside its memory but what is put into the Store, holds no snapshot longer than until it is built or there is a newer one,
// and no goroutine outlives Run. Events and status hold no object; errors are told as they are. A panic of a loop's Source,
// At, Build, Apply, Wait, Drift or Delete is an error of that loop; one of OnEvent or Close is not caught.
package reconcile
