package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
)

// A sourceObject is a GitRepository or a Bucket: what both have.
type sourceObject struct {
	client.Object
	conditions *[]metav1.Condition
	artifact   **meta.Artifact
	handled    *string
	observed   *int64
	failed     string // the reason of a fetch that failed
}

// readSource returns a source, and the origin that it is as of now: not yet the one that loops share.
func (o *operator) readSource(ctx context.Context, kind string, name types.NamespacedName) (*sourceObject, *origin, error) {
	s := &origin{o: o, name: loopName(kind, name), namespace: name.Namespace}
	var object *sourceObject
	var unknown []string
	var raw *unstructured.Unstructured
	var err error
	switch kind {
	case gitRepository:
		g := new(sourcev1.GitRepository)
		raw, unknown, err = o.read(ctx, kind, name, g)
		gitOrigin(g, s, o.commits)
		object = &sourceObject{g, &g.Status.Conditions, &g.Status.Artifact, &g.Status.LastHandledReconcileAt,
			&g.Status.ObservedGeneration, sourcev1.GitOperationFailedReason}
	case bucketKind:
		b := new(sourcev1.Bucket)
		raw, unknown, err = o.read(ctx, kind, name, b)
		bucketOrigin(b, s, o.keys)
		object = &sourceObject{b, &b.Status.Conditions, &b.Status.Artifact, &b.Status.LastHandledReconcileAt,
			&b.Status.ObservedGeneration, sourcev1.BucketOperationFailedReason}
	default:
		return nil, &origin{name: s.name, unsupported: []string{"spec.sourceRef.kind: " + kind}}, nil
	}
	if err != nil {
		return nil, &origin{name: s.name, missing: notFound(kind, name, err)}, err
	}
	for _, field := range unknown {
		implementation, _, _ := unstructured.NestedString(raw.Object, "spec", "gitImplementation")
		s.refuse(field != "spec.gitImplementation" || implementation != "go-git", field)
	}
	s.version = fmt.Sprintf("%s/%d", object.GetUID(), object.GetGeneration())
	return object, s, nil
}

// share returns the origin that the shard has of this version, for the loops that read from it.
func (s *shard) share(fresh *origin) *origin {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.origins[fresh.name]; old == nil || old.version != fresh.version {
		s.origins[fresh.name] = fresh
	}
	return s.origins[fresh.name]
}

func (o *operator) watchSources(m manager.Manager) error {
	for _, kind := range []string{gitRepository, bucketKind} {
		if err := o.control(m, kind).Complete(o.visits(kind, o.reconcileSource)); err != nil {
			return err
		}
	}
	return nil
}

// reconcileSource makes a loop of a source, that has no objects and stores the content, and tells in the status what it
// says.
func (o *operator) reconcileSource(ctx context.Context, v *visit) (ctrl.Result, error) {
	object, fresh, err := o.readSource(ctx, v.kind, v.name)
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, errors.Join(v.drop(ctx), o.store.Untag(ctx, v.loop))
	case err != nil:
		return ctrl.Result{}, err
	case !object.GetDeletionTimestamp().IsZero(): // a source that Flux has had
		return ctrl.Result{}, errors.Join(v.drop(ctx), o.release(ctx, object.Object))
	}
	before := object.DeepCopyObject().(client.Object)
	s := v.shard.share(fresh)
	e := v.entry
	err = o.put(ctx, v, s.version, func() (*reconcile.Loop, error) {
		return &reconcile.Loop{Source: s, Build: s.keep, Apply: applyNothing,
			Interval: s.interval, Timeouts: reconcile.Timeouts{Fetch: s.timeout}}, nil
	})
	if s.suspended || err != nil {
		return ctrl.Result{}, err
	}
	*object.handled = e.ask(object, *object.handled)
	if a := o.artifactOf(ctx, v.loop); a != nil {
		*object.artifact = a
	}
	object.tell(conditions{object.conditions, object.GetGeneration()}, s, e.loop.Status())
	return ctrl.Result{}, o.writeStatus(ctx, before, object.Object)
}

// applyNothing is an ApplyFunc, of a loop that has no objects.
func applyNothing(context.Context, source.Revision, []*unstructured.Unstructured) (*apply.Result, error) {
	return nil, nil
}

// tell sets the conditions.
func (object *sourceObject) tell(c conditions, s *origin, st reconcile.Status) {
	var message string
	if a := *object.artifact; a != nil {
		message = fmt.Sprintf("stored artifact for revision '%s'", a.Revision)
		c.set(sourcev1.ArtifactInStorageCondition, metav1.ConditionTrue, meta.SucceededReason, message)
	}
	c.remove(sourcev1.FetchFailedCondition, sourcev1.StorageOperationFailedCondition)
	switch {
	case len(s.unsupported) > 0:
		c.stalled("Unsupported", unsupportedText(s.unsupported))
	case st.FetchErr != nil:
		reason := object.failed
		if errors.Is(st.FetchErr, source.ErrUnauthorized) {
			reason = sourcev1.AuthenticationFailedReason
		} else if errors.Is(st.FetchErr, source.ErrUnverified) {
			reason = sourcev1.VerificationError
		}
		c.failing(reason, st.FetchErr.Error())
		c.set(sourcev1.FetchFailedCondition, metav1.ConditionTrue, reason, st.FetchErr.Error())
	case st.Err != nil:
		c.failing(sourcev1.ArchiveOperationFailedReason, st.Err.Error())
		c.set(sourcev1.StorageOperationFailedCondition, metav1.ConditionTrue, sourcev1.ArchiveOperationFailedReason,
			st.Err.Error())
	case st.Ready && strings.HasSuffix(message, "'"+st.Wanted.String()+"'"):
		c.ready(meta.SucceededReason, message)
	default:
		c.busy("building artifact")
		return
	}
	*object.observed = object.GetGeneration()
}
