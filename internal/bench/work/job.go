// Package work is what the programs of the engines have in common: the job that each gets, the objects of it, and how it is
// measured.
package work

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// The works, in their order.
const (
	Create     = "create"
	NoOp       = "no-op"
	OneChanged = "one-changed"
	Prune      = "prune"
)

// All has the works in their order.
var All = []string{Create, NoOp, OneChanged, Prune}

// A Job is one work for one contender.
type Job struct {
	Who, Work   string
	Namespace   string
	N, Size     int
	Concurrency int // of an engine that is measured with more than one; 0: its own
	Host        string
	Token       string
	CA          []byte
	Kubectl     string // path
	Folder      string // for a contender's files; the same one for all its jobs in a namespace
	Cache       string // folder that is kept for all namespaces
	Profile     string // file; empty: none
}

// Config is alike for all contenders: no client-side limit of requests a second.
func (j Job) Config() *rest.Config {
	return &rest.Config{Host: j.Host, BearerToken: j.Token, TLSClientConfig: rest.TLSClientConfig{CAData: j.CA}, QPS: -1, Burst: -1}
}

// Desired returns how many objects the set has for this work; the rest of the N is to go.
func (j Job) Desired() int {
	if j.Work == Prune {
		return 1
	}
	return j.N
}

// Object makes the object with the number i as it is to be for this work.
func (j Job) Object(i int) *unstructured.Unstructured {
	changed := i == 0 && (j.Work == OneChanged || j.Work == Prune)
	return object(i, j.Size, j.Namespace, changed)
}

// Objects makes those from the number first to before the number end.
func (j Job) Objects(first, end int) []*unstructured.Unstructured {
	list := make([]*unstructured.Unstructured, 0, end-first)
	for i := first; i < end; i++ {
		list = append(list, j.Object(i))
	}
	return list
}

// Check is an error where a contender says that it did something else than the work.
func (j Job) Check(created, unchanged, configured, deleted int) error {
	got := [4]int{created, unchanged, configured, deleted}
	want := map[string][4]int{
		Create:     {j.N, 0, 0, 0},
		NoOp:       {0, j.N, 0, 0},
		OneChanged: {0, j.N - 1, 1, 0},
		Prune:      {0, 1, 0, j.N - 1},
	}[j.Work]
	if got != want {
		return fmt.Errorf("checking %s: created, unchanged, configured and deleted are %v and not %v", j.Work, got, want)
	}
	return nil
}
