// Package eventlog writes the events of package reconcile to a log/slog Logger.
//
//	group := &reconcile.Group{OnEvent: eventlog.New(logger, eventlog.Options{})}
//
// Each kind of event has a message of its own, that never varies, and attributes that do: so a log can be searched for
// "applied", and counted by loop. The attributes' names are:
//
//	loop           the loop's name
//	revision       as source.Revision's String gives it: "main@sha1:855f77…"
//	stage          where a round failed
//	cause          why objects were applied
//	counts         a group: how many objects became what, without zeros
//	changes        up to ten objects that did not stay as they were, as "ConfigMap default/web: configured"
//	drifts         up to ten objects that were not as they were left
//	error          an error value; handlers of log/slog write its text
//	took, retry_in durations, as slog writes them
//
// What ordinary operation repeats at each interval, and what a shared fetch tells each of many loops, is at the level
// Debug; what changed something is at Info; what is likely to mend itself, or waits for somebody, at Warn; and a round
// that failed at Error. Options.Level says otherwise.
//
// Events hold no object, so neither does the log. Errors are written as they are.
package eventlog
