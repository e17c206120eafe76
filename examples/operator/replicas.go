package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	apicoordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// A share is how many shards this replica may have: an equal part of them. It is only about who does what; that nothing is
// done twice is for the shards' Leases.
type share struct {
	most atomic.Int32 // shards for each replica, rounded up
	has  atomic.Int32 // Leases that are this one's, or about to be
}

// A boundedLock is a shard's Lease, that is not taken by who has enough.
type boundedLock struct {
	*resourcelock.LeaseLock
	share *share
	mine  bool
}

var errEnough = errors.New("this replica has its share of the shards")

// Create implements resourcelock.Interface.
func (l *boundedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.take(func() error { return l.LeaseLock.Create(ctx, record) })
}

// Update implements resourcelock.Interface.
func (l *boundedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.take(func() error { return l.LeaseLock.Update(ctx, record) })
}

func (l *boundedLock) take(write func() error) error {
	if l.mine {
		return write()
	}
	if l.share.has.Add(1) > l.share.most.Load() {
		l.share.has.Add(-1)
		return errEnough
	}
	err := write()
	if l.mine = err == nil; !l.mine {
		l.share.has.Add(-1)
	}
	return err
}

// leave is called once the Lease is not this replica's any more.
func (l *boundedLock) leave() {
	if l.mine {
		l.mine = false
		l.share.has.Add(-1)
	}
}

// replicaLabel is on the Leases by which replicas know of each other.
const replicaLabel = "gitopskit.dev/replica"

// keepShare says that this replica is there, counts the others, and gives shards back where there are more replicas than
// before. It calls first once it knows.
func (o *operator) keepShare(ctx context.Context, leases coordinationv1.LeaseInterface, first func()) {
	for ; ctx.Err() == nil; pause(ctx, o.lease/8) {
		alive, err := o.countReplicas(ctx, leases)
		if err != nil {
			log.FromContext(ctx).Error(err, "counting replicas")
			continue // it stays as it was
		}
		most := int32((len(o.shards) + alive - 1) / alive)
		o.share.most.Store(most)
		first()
		surplus := o.share.has.Load() - most
		for _, s := range o.shards {
			if surplus > 0 && s.yield() {
				surplus--
			}
		}
	}
	_ = leases.Delete(context.WithoutCancel(ctx), o.replicaName(), metav1.DeleteOptions{})
}

func (o *operator) replicaName() string { return "gitopskit-replica-" + o.identity }

// countReplicas renews this replica's own Lease, and counts those that are not older than they may be.
func (o *operator) countReplicas(ctx context.Context, leases coordinationv1.LeaseInterface) (int, error) {
	now, seconds := metav1.NowMicro(), int32(max(o.lease/time.Second, 1))
	own, err := json.Marshal(&apicoordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: apicoordinationv1.SchemeGroupVersion.String(), Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Name: o.replicaName(), Labels: map[string]string{replicaLabel: "true"}},
		Spec: apicoordinationv1.LeaseSpec{HolderIdentity: &o.identity, LeaseDurationSeconds: &seconds,
			RenewTime: &now},
	})
	if err == nil {
		opts := metav1.PatchOptions{FieldManager: "gitopskit"}
		_, err = leases.Patch(ctx, o.replicaName(), types.ApplyPatchType, own, opts)
	}
	if err != nil {
		return 0, err
	}
	list, err := leases.List(ctx, metav1.ListOptions{LabelSelector: replicaLabel})
	if err != nil {
		return 0, err
	}
	alive := 0
	for _, l := range list.Items {
		switch age := now.Sub(l.Spec.RenewTime.Time); {
		case age < o.lease:
			alive++
		case age > time.Hour: // of a replica that was killed
			_ = leases.Delete(ctx, l.Name, metav1.DeleteOptions{})
		}
	}
	return max(alive, 1), nil
}
