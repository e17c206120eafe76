package main

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/gitopskit/gitopskit/reconcile"
)

// A shard is a part of the resources. While this process holds its Lease, it has a group that runs their loops.
type shard struct {
	number int

	mu      sync.Mutex
	group   *reconcile.Group // nil while another process has the shard
	ctx     context.Context  // of the group
	entries map[string]*entry
	origins map[string]*origin
	cancel  context.CancelFunc
	work    sync.WaitGroup // the group, and what is done to it
}

var errNotHeld = errors.New("the shard went to another replica")

// shardOf is the shard of a resource, by its name, whatever its kind.
func (o *operator) shardOf(name types.NamespacedName) *shard {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name.String()))
	return o.shards[int(sum.Sum32())%len(o.shards)]
}

// enter returns the shard's group for what is to be done with it, or nil where it is not held. The context ends when the
// Lease does, and until leave is called no other process can have the Lease by this one's leave.
func (s *shard) enter(ctx context.Context) (group *reconcile.Group, inside context.Context, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.group == nil || s.ctx.Err() != nil {
		return nil, nil, nil
	}
	s.work.Add(1)
	inside, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(errNotHeld) })
	return s.group, inside, func() {
		stop()
		cancel(nil)
		s.work.Done()
	}
}

// run has the shard's group run until either context ends, and returns when nothing of it is under way any more.
func (s *shard) run(lease, process context.Context, enqueue func()) {
	ctx, cancel := context.WithCancel(lease)
	defer cancel()
	defer context.AfterFunc(process, cancel)()
	s.mu.Lock()
	if process.Err() != nil {
		s.mu.Unlock()
		return
	}
	group := new(reconcile.Group)
	s.group, s.ctx, s.cancel = group, ctx, cancel
	s.entries, s.origins = make(map[string]*entry), make(map[string]*origin)
	s.work.Add(1)
	s.mu.Unlock()
	enqueue()
	_ = group.Run(ctx)
	s.work.Done()
	s.work.Wait() // for Reconciles, that end since ctx has
	s.mu.Lock()
	s.group = nil
	s.mu.Unlock()
}

// yield has the shard come to rest, so that its Lease is given back. It tells whether it was held.
func (s *shard) yield() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.group == nil || s.ctx.Err() != nil {
		return false
	}
	s.cancel()
	return true
}

// shardOut has this replica stand for all shards, and take its share of them.
func (o *operator) shardOut(m manager.Manager) error {
	leases, err := coordinationv1.NewForConfig(o.config)
	if err != nil {
		return err
	}
	return m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if !m.GetCache().WaitForCacheSync(ctx) {
			return ctx.Err()
		}
		var all sync.WaitGroup
		counted, count := context.WithCancel(ctx)
		all.Go(func() { o.keepShare(ctx, leases.Leases(o.namespace), count) })
		<-counted.Done()
		for _, s := range o.shards {
			all.Go(func() {
				for ; ctx.Err() == nil; pause(ctx, o.lease/4) { // others may take what was given back
					if err := o.stand(ctx, s, leases); err != nil {
						log.FromContext(ctx).Error(err, "standing for a shard", "shard", s.number)
					}
				}
			})
		}
		all.Wait()
		return nil
	}))
}

// stand waits for the shard's Lease, runs the shard, and returns when the Lease is lost, or ctx has ended. It gives the
// Lease back only after the shard has come to rest, so that nothing is done twice at once.
func (o *operator) stand(ctx context.Context, s *shard, leases coordinationv1.CoordinationV1Interface) error {
	name := "gitopskit-shard-" + strconv.Itoa(s.number)
	lock := &boundedLock{share: &o.share, LeaseLock: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: o.namespace, Name: name},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: o.identity},
	}}
	defer lock.leave()
	campaign, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	rested := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Name: name, Lock: lock, LeaseDuration: o.lease, RenewDeadline: o.lease * 2 / 3, RetryPeriod: o.lease / 8,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(lease context.Context) {
				defer end()
				defer close(rested)
				s.run(lease, ctx, func() { o.enqueueShard(s) })
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		if !elector.IsLeader() {
			end() // else the end of the run does
		}
	})()
	elector.Run(campaign)
	if campaign.Err() == nil { // the Lease is lost
		<-rested
	}
	return giveBack(lock.LeaseLock, o.lease)
}

// giveBack has others not wait until the Lease expires.
func giveBack(lock *resourcelock.LeaseLock, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	record, _, err := lock.Get(ctx)
	if err != nil || record.HolderIdentity != lock.Identity() {
		return client.IgnoreNotFound(err)
	}
	now := metav1.Now()
	return lock.Update(ctx, resourcelock.LeaderElectionRecord{
		LeaderTransitions: record.LeaderTransitions, LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
