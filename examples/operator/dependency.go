package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// nothing is the source of a stand-in: it never changes.
type nothing struct{}

func (nothing) Fetch(_ context.Context, known source.Revision) (*source.Snapshot, error) {
	revision := source.Revision{Digest: digest.FromString("")}
	if known.Current(revision) {
		return nil, source.ErrNotModified
	}
	return source.NewTree(source.Limits{}).Snapshot(revision), nil
}

// standIn has the group run a loop in the place of a Kustomization of another shard, for those that depend on it: it applies
// nothing, and is ready when the Kustomization's status says that it is.
func (o *operator) standIn(v *visit, name types.NamespacedName) error {
	e := v.shard.entryOf(loopName(kustomization, name))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loop != nil {
		return nil
	}
	e.loop = &reconcile.Loop{Name: loopName(kustomization, name), Source: nothing{}, RetryMin: 5 * time.Second, History: -1,
		Build: func(context.Context, fs.FS) ([]*unstructured.Unstructured, error) { return nil, nil },
		Apply: func(ctx context.Context, _ source.Revision, _ []*unstructured.Unstructured) (*apply.Result, error) {
			var k kustomizev1.Kustomization
			if _, _, err := o.read(ctx, kustomization, name, &k); err != nil {
				return nil, notFound(kustomization, name, err)
			}
			if ready := meta.FindStatusCondition(k.Status.Conditions, fluxmeta.ReadyCondition); ready == nil ||
				ready.Status != "True" || k.Status.ObservedGeneration != k.Generation {
				return nil, errors.New("it is not ready")
			}
			return nil, nil
		}}
	if err := v.group.Add(e.loop); err != nil {
		e.loop = nil
		return fmt.Errorf("depending on %s: %w", name, err)
	}
	return nil
}

// triggerStandIns has the loops look that stand for the object in other shards.
func (o *operator) triggerStandIns(v *visit) {
	if v.kind != kustomization {
		return
	}
	for _, s := range o.shards {
		if s == v.shard {
			continue
		}
		if group, _, leave := s.enter(context.Background()); group != nil {
			group.Trigger(v.loop)
			leave()
		}
	}
}

// news has the source fetched, where the status of the object that is of another shard tells of another revision.
func (s *origin) news(g *reconcile.Group, revision string) {
	s.mu.Lock()
	fresh := s.told != "" && s.told != revision
	s.told = revision
	s.mu.Unlock()
	if fresh {
		g.TriggerSource(func(l *reconcile.Loop) bool { return l.Source == s })
	}
}
