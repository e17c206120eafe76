// Package otelreconcile gives loops of package reconcile traces and metrics of OpenTelemetry. It needs the API only; the
// SDK, the exporters and what they cost are the consumer's.
//
//	telemetry, err := otelreconcile.New(otelreconcile.Options{TracerProvider: tracers, MeterProvider: meters})
//	loop := &reconcile.Loop{Name: "podinfo", Source: telemetry.Source(origin), …}
//	telemetry.Instrument(loop) // once its parts are set, before it runs
//	registration, err := telemetry.Observe(group)
//
// # Traces
//
// By the semantic conventions, a round is a run of a pipeline: the span "SYNC podinfo", of kind SERVER, with the spans
// "build" and "apply" in it, and after it "wait" for the health of what was applied. A delete is a span of its own, and
// so is a fetch, which many loops may share: the round that builds what was fetched has a link to it. A round that only
// applies, since something drifted or an earlier try failed, has a link to the round before.
//
// The contexts that the loop's functions get carry their spans. So the requests that they make are in the trace, too,
// where the HTTP client that they were given makes spans, as those of otelhttp do.
//
// The attributes are cicd.pipeline.name, the loop's; cicd.pipeline.action.name; cicd.pipeline.task.name;
// cicd.pipeline.result and cicd.pipeline.task.run.result: success, failure, timeout, cancellation, or skip where the
// loop waits for another one; error.type; vcs.ref.head.name and vcs.ref.head.revision, where the revision is a commit;
// vcs.repository.url.full of a fetch of one. What the conventions have no name for is gitops.revision, gitops.source,
// gitops.cause, gitops.objects, and gitops.objects.created and the like.
//
// # Metrics
//
//	cicd.pipeline.run.duration   s         histogram of rounds; by loop, result and error.type
//	cicd.pipeline.run.errors     {error}   rounds that failed; by loop and error.type
//	gitops.stage.duration        s         histogram of stages; by cicd.pipeline.task.name, result and error.type;
//	                                       not by loop; fetches are those of a Source of a Telemetry
//	gitops.object.changes        {object}  objects that an apply did not leave as they were; by loop and gitops.action
//	gitops.object.drifts         {object}  objects that were not as they were left; by loop
//
// and, after Observe, at each collection:
//
//	gitops.loop.count            {loop}    loops by gitops.loop.state
//	gitops.loop.ready            1         1 where what was last built is applied and healthy, else 0; by loop
//	gitops.loop.current          1         1 where the source's revision is the applied one, else 0; by loop
//
// No metric has a revision, an object or an error's text. What has a loop's name has a series for each loop: the SDK's
// limit of series for an instrument, 2000 unless told otherwise, is to be above that. A loop that is removed keeps its
// counters until the process ends, for the API has no way to drop them.
//
// Spans and metrics never hold an object. Errors are recorded on spans as they are.
package otelreconcile
