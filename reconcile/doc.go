// Package reconcile keeps a cluster as an origin says: it fetches, builds and applies, again and again.
//
//	loop := &reconcile.Loop{
//		Name:   "podinfo",
//		Source: origin, // any source.Source
//		Build:  (&kustomize.Builder{Dir: "deploy"}).Build, // or any function from a file system to objects
//		Apply: func(ctx context.Context, revision source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
//			return applier.Apply(ctx, apply.Set{ID: id, Objects: objects})
//		},
//		OnEvent: func(e reconcile.Event) { log.Println(e) },
//	}
//	err := loop.Run(ctx)
//
// # A round
//
// One round asks the source for its content, builds it, and applies what was built. Where the source has not changed, the
// objects of the last build are applied again: that is how drift is corrected, and it costs next to nothing while there is
// none. A round ends at the first of the three that fails; while the source fails, what was last built is still applied. The revision counts as seen only once it was built, so a
// revision that does not build is fetched again.
//
// # When
//
// Rounds start an Interval after the end of the one before, a little earlier or later by Jitter so that many loops spread
// out, and at once on Trigger. After a round that failed they start after a delay that doubles from RetryMin to RetryMax.
// A round longer than Timeout fails. While a loop is suspended no round starts. [Loop.Once] runs a single round, for a CI
// tool.
//
// # What it never does
//
// Loop knows no fetcher, no kustomize and no cluster: all that it calls is a value the consumer gave it. It keeps no state
// outside its memory, and no goroutine outlives Run.
package reconcile
