package prommetrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gitopskit/gitopskit/reconcile"
)

// states are all there are, so that a state that no loop is in has a series that says so.
var states = [...]reconcile.State{reconcile.StatePending, reconcile.StateBuilding, reconcile.StateBlocked,
	reconcile.StateApplying, reconcile.StateWaiting, reconcile.StateReady, reconcile.StateFailing, reconcile.StateSuspended,
	reconcile.StateRemoving, reconcile.StateOutOfReach}

// statusDescs describe what is read from the status at each scrape.
type statusDescs struct {
	loops, state                                 *prometheus.Desc
	ready, current, suspended, pinned, objects   *prometheus.Desc
	failures, fetchedTimestamp, appliedTimestamp *prometheus.Desc
}

func newStatusDescs(opts Options) statusDescs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(opts.Namespace, "", name), help, labels, opts.ConstLabels)
	}
	return statusDescs{
		loops:            desc("loops", "How many loops are in a state.", "state"),
		state:            desc("loop_state", "1 for the state that the loop is in.", "loop", "state"),
		ready:            desc("loop_ready", "Whether what was last built is applied, and healthy.", "loop"),
		current:          desc("loop_current", "Whether the source's revision is the applied one.", "loop"),
		suspended:        desc("loop_suspended", "Whether the loop is suspended.", "loop"),
		pinned:           desc("loop_pinned", "Whether the loop is pinned to a revision.", "loop"),
		objects:          desc("loop_objects", "How many objects the last build gave.", "loop"),
		failures:         desc("loop_failures_in_a_row", "Rounds that failed one after another.", "loop"),
		fetchedTimestamp: desc("loop_fetched_timestamp_seconds", "When the loop's source last answered.", "loop"),
		appliedTimestamp: desc("loop_applied_timestamp_seconds", "When the loop last applied.", "loop"),
	}
}

func (d *statusDescs) describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.loops, d.state, d.ready, d.current, d.suspended, d.pinned, d.objects,
		d.failures, d.fetchedTimestamp, d.appliedTimestamp} {
		descs <- desc
	}
}

func (d *statusDescs) collect(metrics chan<- prometheus.Metric, all []reconcile.Status) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	count := make(map[reconcile.State]int)
	for _, s := range states {
		count[s] = 0
	}
	for i := range all {
		s := &all[i]
		count[s.State]++
		loop := label(s.Name)
		gauge(d.state, 1, loop, string(s.State))
		gauge(d.ready, truth(s.Ready), loop)
		gauge(d.current, truth(!s.Wanted.IsZero() && s.Wanted == s.Applied), loop)
		gauge(d.suspended, truth(s.Suspended), loop)
		gauge(d.pinned, truth(!s.Pinned.IsZero()), loop)
		gauge(d.objects, float64(s.Objects), loop)
		gauge(d.failures, float64(s.Failures), loop)
		if !s.Fetched.IsZero() {
			gauge(d.fetchedTimestamp, seconds(s.Fetched), loop)
		}
		if !s.AppliedAt.IsZero() {
			gauge(d.appliedTimestamp, seconds(s.AppliedAt), loop)
		}
	}
	for state, n := range count {
		gauge(d.loops, float64(n), string(state))
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds since 1970, with what float64 holds of the rest.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
