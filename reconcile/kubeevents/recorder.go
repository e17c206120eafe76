package kubeevents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/gitopskit/gitopskit/reconcile"
)

// An Object is what an Event is about.
type Object struct {
	APIVersion string `json:"apiVersion,omitempty"` // "kustomize.toolkit.fluxcd.io/v1"
	Kind       string `json:"kind,omitempty"`
	Namespace  string `json:"namespace,omitempty"` // empty for what is in none
	Name       string `json:"name,omitempty"`
	UID        string `json:"uid,omitempty"` // without it, "kubectl describe" does not show the Event
}

// Options say what is posted. Controller and Regarding are needed.
type Options struct {
	// Controller is who posts: a name with an optional domain, such as "gitops.example.com/operator".
	Controller string
	// Instance is which of several; empty: the host's name, which is the Pod's.
	Instance string
	// Regarding returns which object an event is about; false: none, and it is not posted. Observe calls it, so it is to
	// be quick, and several goroutines may call it at once.
	Regarding func(reconcile.Event) (Object, bool)
	// Tell returns what is posted of an event; nil: [Tell].
	Tell func(reconcile.Event) (Message, bool)

	QPS     float32 // requests a second at most; 0: 10. As many as 2.5 seconds allow may come at once.
	Pending int     // how many messages may wait to be posted; 0: 1000
	// OnError is called, by Run, for a message that the server refuses.
	OnError func(error)
}

// A Recorder posts events. Its methods may be called by many goroutines at once, but for Run, of which there is one
// at a time.
type Recorder struct {
	opts    Options
	client  *rest.RESTClient
	limiter flowcontrol.RateLimiter
	wake    chan struct{} // has room for one

	mu      sync.Mutex
	series  map[key]*series
	queue   []*series // those that wait to be posted, oldest first
	budgets map[Object]*budget
	dropped int
}

// New returns a Recorder for the cluster. It sends nothing yet.
func New(config *rest.Config, opts Options) (*Recorder, error) {
	if opts.Instance == "" {
		opts.Instance, _ = os.Hostname()
	}
	if opts.Instance == "" {
		opts.Instance = "unknown" // the API wants one
	}
	opts.Instance = cut(opts.Instance, 128)
	if opts.Tell == nil {
		opts.Tell = Tell
	}
	if opts.QPS <= 0 {
		opts.QPS = 10
	}
	if opts.Pending <= 0 {
		opts.Pending = 1000
	}
	if wrong := validation.IsQualifiedName(opts.Controller); len(wrong) > 0 {
		return nil, fmt.Errorf("recording events: the Controller %q is none: %s", opts.Controller, wrong[0])
	}
	if opts.Regarding == nil {
		return nil, errors.New("recording events: Regarding is not set, so there is no object that they are about")
	}
	client, err := newClient(config)
	if err != nil {
		return nil, fmt.Errorf("recording events: %w", err)
	}
	limiter := flowcontrol.NewTokenBucketRateLimiter(opts.QPS, max(int(opts.QPS*2.5), 1))
	return &Recorder{opts: opts, client: client, limiter: limiter,
		wake: make(chan struct{}, 1), series: make(map[key]*series), budgets: make(map[Object]*budget)}, nil
}

// Observe has an event be posted by [Recorder.Run]. It is for the OnEvent of a Group, or of its loops.
func (r *Recorder) Observe(e reconcile.Event) {
	message, ok := r.opts.Tell(e)
	if !ok {
		return
	}
	object, ok := r.opts.Regarding(e)
	if !ok {
		return
	}
	message.Note = cut(message.Note, 1024)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.note(key{object, message}, time.Now()) {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// Dropped returns how many messages were not posted and will not be: for there were too many, or the server refused them.
func (r *Recorder) Dropped() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// Run posts what Observe was told, until ctx ends, then what waits as far as five seconds go, and returns ctx's error.
func (r *Recorder) Run(ctx context.Context) error {
	pause := time.Duration(0)
	for ctx.Err() == nil {
		s, wait := r.next(time.Now(), false)
		if s == nil {
			r.sleep(ctx, wait, true)
			continue
		}
		if r.limiter.Wait(ctx) != nil {
			r.again(s)
			break
		}
		if r.deliver(ctx, s) {
			pause = 0
			continue
		}
		pause = min(max(2*pause, time.Second), time.Minute)
		r.sleep(ctx, pause, false) // more events are no reason to ask again
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for last.Err() == nil {
		s, _ := r.next(time.Now(), true)
		if s == nil || r.limiter.Wait(last) != nil || !r.deliver(last, s) {
			break
		}
	}
	return ctx.Err()
}

// sleep returns after a time, or when there is something to post where that matters, or when ctx ends.
func (r *Recorder) sleep(ctx context.Context, d time.Duration, untilWoken bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	wake := r.wake
	if !untilWoken {
		wake = nil
	}
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}
