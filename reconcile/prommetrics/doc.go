// Package prommetrics shows loops of package reconcile to Prometheus.
//
//	group := &reconcile.Group{}
//	metrics := prommetrics.New(group, prommetrics.Options{})
//	group.OnEvent = metrics.Observe
//	registry.MustRegister(metrics)
//
// A [Collector] asks for the status of the loops at each scrape, and counts what [Collector.Observe] is told meanwhile.
// It knows no registry: that is the consumer's, and so is the handler.
//
// From the status, at each scrape:
//
//	gitops_loops{state}                           how many loops are in a state; all states, also those that none is in
//	gitops_loop_state{loop,state}                 1; one series a loop, of the state that it is in
//	gitops_loop_ready{loop}                       1 where what was last built is applied and healthy
//	gitops_loop_current{loop}                     1 where the source's revision is the applied one
//	gitops_loop_suspended{loop}                   1 where it is suspended
//	gitops_loop_pinned{loop}                      1 where it is pinned
//	gitops_loop_objects{loop}                     the objects of the last build
//	gitops_loop_failures_in_a_row{loop}           rounds that failed one after another
//	gitops_loop_fetched_timestamp_seconds{loop}   when its source last answered; not there before it has
//	gitops_loop_applied_timestamp_seconds{loop}   when it last applied; not there before it has
//
// From the events, since the process started:
//
//	gitops_stage_duration_seconds{stage}          histogram of the stages that came to an end, native and classic
//	gitops_fetches_total{result}                  modified, not_modified or failed; those that loops share count once
//	gitops_applies_total{cause}                   the causes of reconcile.Applied
//	gitops_loop_failures_total{loop,stage}        rounds that failed; zero from the loop's first event
//	gitops_loop_object_changes_total{loop,action} objects that did not stay as they were
//	gitops_loop_drifts_total{loop}                objects that others changed or deleted; zero from the loop's first event
//
// # How many series
//
// Each loop has at most 9 series from its status, 7 failures and drifts, and one for each action that it took. No label
// holds a revision, an object, a source or the text of an error: those have no bound. The series of a loop that is
// removed go with it. Durations are not told by loop: 1,000 loops would have 50,000 series. Stages that failed without
// having been timed by an event, which are fetches and builds, are not in the histogram.
package prommetrics
