package prommetrics

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
)

// Observe counts an event. It is for the OnEvent of a Group, or of its loops.
func (c *Collector) Observe(e reconcile.Event) {
	loop := label(e.LoopName())
	if _, removed := e.(reconcile.Removed); removed {
		c.forget(loop)
		return
	}
	c.meet(loop)
	switch e := e.(type) {
	case reconcile.Fetched:
		c.fetched(e)
	case reconcile.Restored:
		c.took(reconcile.Restoring, e.Took)
	case reconcile.Built:
		c.took(reconcile.Building, e.Took)
	case reconcile.Applied:
		c.took(reconcile.Applying, e.Took)
		c.applies.WithLabelValues(string(e.Cause)).Inc()
		for _, change := range e.Result.Changes {
			if change.Action != apply.Unchanged {
				c.changes.WithLabelValues(loop, string(change.Action)).Inc()
			}
		}
	case reconcile.Healthy:
		c.took(reconcile.Checking, e.Took)
	case reconcile.Unhealthy:
		c.took(reconcile.Checking, e.Took)
	case reconcile.Drifted:
		c.drifts.WithLabelValues(loop).Add(float64(len(e.Drifts)))
	case reconcile.Failed:
		if e.Stage == reconcile.Fetching && !e.Shared {
			c.fetches.WithLabelValues("failed").Inc()
		}
		c.failures.WithLabelValues(loop, string(e.Stage)).Inc()
	}
}

// fetched counts a fetch for the first of the loops that share it.
func (c *Collector) fetched(e reconcile.Fetched) {
	if e.Shared {
		return
	}
	c.took(reconcile.Fetching, e.Took)
	result := "not_modified"
	if e.Modified {
		result = "modified"
	}
	c.fetches.WithLabelValues(result).Inc()
}

func (c *Collector) took(stage reconcile.Stage, d time.Duration) {
	c.durations.WithLabelValues(string(stage)).Observe(d.Seconds())
}

// meet has the loop's counters be there before they count: Prometheus takes no notice of an increase from nothing.
func (c *Collector) meet(loop string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[loop] {
		return
	}
	c.seen[loop] = true
	for _, stage := range []reconcile.Stage{reconcile.Fetching, reconcile.Restoring, reconcile.Building, reconcile.Applying,
		reconcile.Checking, reconcile.Deleting} {
		c.failures.WithLabelValues(loop, string(stage))
	}
	c.drifts.WithLabelValues(loop)
}

// forget drops the series of a loop that was removed.
func (c *Collector) forget(loop string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, loop)
	of := prometheus.Labels{"loop": loop}
	c.failures.DeletePartialMatch(of)
	c.changes.DeletePartialMatch(of)
	c.drifts.DeletePartialMatch(of)
}

// label is a loop's name as a label may have it: client_golang panics on what is no UTF-8.
func label(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return strconv.Quote(name)
}
