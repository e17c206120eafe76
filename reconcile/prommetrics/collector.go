package prommetrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gitopskit/gitopskit/reconcile"
)

// A Statuser tells how its loops stand, each with a name of its own. A [reconcile.Group] is one.
type Statuser interface {
	Status() []reconcile.Status
}

// Options say more about a Collector; the zero value works.
type Options struct {
	// Namespace is what the metrics' names start with, without the underscore; empty: "gitops".
	Namespace string
	// ConstLabels are labels of all metrics, such as a group's name where a program has several.
	ConstLabels prometheus.Labels
	// Buckets are the upper bounds of the durations' classic histogram, in seconds; nil: 10 ms to 10 minutes, in 12
	// steps.
	Buckets []float64
}

// defaultBuckets reach from a source that says "not modified" to a roll-out that takes as long as the default timeout,
// twice.
var defaultBuckets = [...]float64{.01, .03, .1, .3, 1, 3, 10, 30, 60, 120, 300, 600}

// A Collector is a [prometheus.Collector] of the loops of a group. Its methods may be called by many goroutines at once.
type Collector struct {
	loops  Statuser
	status statusDescs

	durations *prometheus.HistogramVec
	fetches   *prometheus.CounterVec
	applies   *prometheus.CounterVec
	failures  *prometheus.CounterVec
	changes   *prometheus.CounterVec
	drifts    *prometheus.CounterVec

	mu   sync.Mutex
	seen map[string]bool // loops whose counters are there
}

// New returns a Collector of these loops. What the events tell it has to be given by [Collector.Observe].
func New(loops Statuser, opts Options) *Collector {
	if opts.Namespace == "" {
		opts.Namespace = "gitops"
	}
	if opts.Buckets == nil {
		opts.Buckets = defaultBuckets[:]
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: opts.Namespace, Name: name, Help: help,
			ConstLabels: opts.ConstLabels}, labels)
	}
	return &Collector{
		loops:  loops,
		status: newStatusDescs(opts),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: opts.Namespace,
			Name: "stage_duration_seconds", Help: "How long the stages of rounds took.", ConstLabels: opts.ConstLabels, Buckets: opts.Buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100}, []string{"stage"}),
		fetches:  counter("fetches_total", "Fetches of sources. One that loops share counts once.", "result"),
		applies:  counter("applies_total", "Applies, by why they were made.", "cause"),
		failures: counter("loop_failures_total", "Rounds that failed, by the stage where they did.", "loop", "stage"),
		changes:  counter("loop_object_changes_total", "Objects that an apply did not leave as they were.", "loop", "action"),
		drifts:   counter("loop_drifts_total", "Objects that were not as the loop had left them.", "loop"),
		seen:     make(map[string]bool),
	}
}

func (c *Collector) counted() []prometheus.Collector {
	return []prometheus.Collector{c.durations, c.fetches, c.applies, c.failures, c.changes, c.drifts}
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	c.status.describe(descs)
	for _, m := range c.counted() {
		m.Describe(descs)
	}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	c.status.collect(metrics, c.loops.Status())
	for _, m := range c.counted() {
		m.Collect(metrics)
	}
}
