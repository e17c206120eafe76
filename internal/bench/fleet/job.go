// Package fleet is what the programs of the engines of the area reconcile have in common: many applications in one
// repository, the job that each engine gets, and the steps in which it is measured.
package fleet

import (
	"time"

	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/internal/bench/measure"
)

// The works, in the order in which one process does them.
const (
	First      = "first"       // all applications, from nothing
	OneTouched = "one touched" // a push that changes one application, told by a webhook
	NoTouched  = "none touched"
	Idle       = "idle"
	Drift      = "drift"       // somebody else changes one object
	SourceDown = "source down" // until all loops know
	DriftDown  = "drift, source down"
	SourceBack = "source back" // with a push that nobody tells of
)

// All has the works in their order.
var All = []string{First, OneTouched, NoTouched, Idle, Drift, SourceDown, DriftDown, SourceBack}

// Branch is the one that is followed.
const Branch = "main"

// A Job is all works of one contender.
type Job struct {
	Who       string
	N         int    // applications
	Namespace string // of all objects
	Host      string
	Token     string
	CA        []byte
	URL       string            // of the repository
	Control   string            // URL of who does what a step is about; see [Steps]
	Secret    string            // of the webhook
	Interval  time.Duration     // of the loops
	Idle      time.Duration     // 0: the step is left out
	Profiles  map[string]string // files by work; none: no profile
}

// Config is alike for all contenders: no client-side limit of requests a second.
func (j Job) Config() *rest.Config {
	return &rest.Config{Host: j.Host, BearerToken: j.Token, TLSClientConfig: rest.TLSClientConfig{CAData: j.CA}, QPS: -1, Burst: -1}
}

// A Step is what one work cost, and what was done for it.
type Step struct {
	Work string
	measure.Sample
	CPUMS                    float64 // processor time, of all cores
	Fetches, Builds, Applies int
}

// A Sample is what one job gave.
type Sample struct{ Steps []Step }
