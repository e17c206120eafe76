package main

import (
	"context"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/gitopskit/gitopskit/reconcile"
)

// bySource is the index that finds the Kustomizations of a source.
const bySource = "spec.sourceRef"

func (o *operator) watchKustomizations(m manager.Manager) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kindOf(kustomization))
	err := m.GetFieldIndexer().IndexField(context.Background(), object, bySource, func(object client.Object) []string {
		ref, _, _ := unstructured.NestedStringMap(object.(*unstructured.Unstructured).Object, "spec", "sourceRef")
		return []string{ref["kind"] + "/" + or(ref["namespace"], object.GetNamespace()) + "/" + ref["name"]}
	})
	if err != nil {
		return err
	}
	b := o.control(m, kustomization)
	for _, kind := range []string{gitRepository, bucketKind} {
		from := &unstructured.Unstructured{}
		from.SetGroupVersionKind(kindOf(kind))
		b = b.Watches(from, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []ctrl.Request {
			return o.readers(ctx, loopName(kind, client.ObjectKeyFromObject(object)))
		}))
	}
	return b.Complete(o.visits(kustomization, o.reconcileKustomization))
}

// readers returns the Kustomizations of a source.
func (o *operator) readers(ctx context.Context, source string) (requests []ctrl.Request) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kindOf(kustomization))
	_ = o.client.List(ctx, list, client.MatchingFields{bySource: source}, client.UnsafeDisableDeepCopy) // of the cache
	for _, item := range list.Items {
		requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&item)})
	}
	return requests
}

// reconcileKustomization makes a loop of a Kustomization, and tells in the status what it says.
func (o *operator) reconcileKustomization(ctx context.Context, v *visit) (ctrl.Result, error) {
	k, err := o.desire(ctx, v.name)
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, v.drop(ctx)
	case err != nil:
		return ctrl.Result{}, err
	}
	before := k.DeepCopy()
	c := conditions{&k.Status.Conditions, k.Generation}
	if !k.DeletionTimestamp.IsZero() {
		if err := o.finalize(ctx, v, k); err != nil {
			c.failing(meta.PruneFailedReason, err.Error())
			return ctrl.Result{RequeueAfter: k.GetRetryInterval()}, o.writeStatus(ctx, before, k.Kustomization)
		}
		return ctrl.Result{}, o.release(ctx, k.Kustomization)
	}
	if controllerutil.AddFinalizer(k.Kustomization, kustomizev1.KustomizationFinalizer) {
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		return ctrl.Result{}, client.IgnoreNotFound(o.client.Patch(ctx, k.Kustomization, patch))
	}
	next := ctrl.Result{RequeueAfter: k.GetRequeueAfter()} // for changes of what postBuild refers to
	if k.Spec.Suspend {
		return ctrl.Result{}, v.suspend()
	}
	if len(k.unsupported) > 0 {
		v.suspend()
		c.stalled("Unsupported", unsupportedText(k.unsupported))
		k.Status.ObservedGeneration = k.Generation
		return ctrl.Result{}, o.writeStatus(ctx, before, k.Kustomization)
	}
	if err := o.follow(ctx, v, k); err != nil {
		if ctx.Err() != nil {
			return ctrl.Result{}, nil
		}
		c.failing(meta.BuildFailedReason, err.Error())
		next.RequeueAfter = min(k.GetRetryInterval(), time.Minute)
	} else {
		k.Status.LastHandledReconcileAt = v.entry.ask(k, k.Status.LastHandledReconcileAt)
		k.tell(c, v.entry)
	}
	return next, o.writeStatus(ctx, before, k.Kustomization)
}

// follow has the loop be as the Kustomization says, and run.
func (o *operator) follow(ctx context.Context, v *visit, k *desired) error {
	version, err := o.refer(ctx, v, k)
	if err == nil {
		err = o.put(ctx, v, version, func() (*reconcile.Loop, error) { return o.loop(v, k) })
	}
	if err == nil && v.entry.loop.Status().Suspended {
		v.entry.loop.Resume()
	}
	return err
}

// suspend keeps the loop, if there is one, from anything new.
func (v *visit) suspend() error {
	if v.entry.loop != nil {
		v.entry.loop.Suspend()
	}
	return nil
}

// reasons are those of a Ready that is false, by the stage that failed.
var reasons = map[reconcile.Stage]string{
	reconcile.Fetching: meta.ArtifactFailedReason, reconcile.Restoring: meta.ArtifactFailedReason,
	reconcile.Building: meta.BuildFailedReason, reconcile.Applying: meta.ReconciliationFailedReason,
	reconcile.Checking: meta.HealthCheckFailedReason,
}

// tell fills the status.
func (k *desired) tell(c conditions, e *entry) {
	st := e.loop.Status()
	// After a restart without the source, what is enforced is all that is known.
	ready := st.Ready || st.State == reconcile.StateOutOfReach && st.Wanted.IsZero()
	k.Status.LastAttemptedRevision = or(st.Attempted.String(), k.Status.LastAttemptedRevision)
	k.Status.LastAppliedRevision = or(st.Applied.String(), k.Status.LastAppliedRevision)
	e.mu.Lock()
	if e.inventory != nil {
		k.Status.Inventory = &kustomizev1.ResourceInventory{Entries: e.inventory}
	}
	e.mu.Unlock()
	k.history(st)
	k.tellHealth(c, st, ready)
	switch {
	case ready:
		c.ready(meta.ReconciliationSucceededReason, "Applied revision: "+st.Applied.String())
	case st.Err != nil:
		c.failing(reasons[st.Stage], st.Err.Error())
	case len(st.Blocked) > 0:
		c.failing(meta.DependencyNotReadyReason, "dependency "+strings.Join(st.Blocked, ", "))
	default:
		c.busy("Reconciliation in progress")
		return
	}
	k.Status.ObservedGeneration = k.Generation
}

func (k *desired) tellHealth(c conditions, st reconcile.Status, ready bool) {
	switch {
	case !k.Spec.Wait && len(k.Spec.HealthChecks) == 0:
		c.remove(meta.HealthyCondition)
	case st.Stage == reconcile.Checking:
		c.set(meta.HealthyCondition, metav1.ConditionFalse, meta.HealthCheckFailedReason, st.Err.Error())
	case st.State == reconcile.StateWaiting:
		c.set(meta.HealthyCondition, metav1.ConditionUnknown, meta.ProgressingReason,
			"Running health checks for revision "+st.Applied.String())
	case ready:
		c.set(meta.HealthyCondition, metav1.ConditionTrue, meta.SucceededReason, "Health check passed")
	}
}

// history tells the last outcomes, as far as this process knows them.
func (k *desired) history(st reconcile.Status) {
	var all meta.History
	for _, o := range st.History[:min(len(st.History), meta.HistoryMaxSize)] {
		reason := meta.ReconciliationSucceededReason
		if o.Err != nil {
			reason = reasons[o.Stage]
		}
		took := o.Took.Fetch + o.Took.Build + o.Took.Apply + o.Took.Wait
		all = append(all, meta.Snapshot{
			Digest: o.Digest.String(), Metadata: map[string]string{"revision": o.Revision.String()},
			FirstReconciled: second(o.Time), LastReconciled: second(o.Last), LastReconciledDuration: metav1.Duration{Duration: took},
			LastReconciledStatus: reason, TotalReconciliations: int64(o.Repeats) + 1,
		})
	}
	if all != nil {
		k.Status.History = all
	}
}

// second is a time as it is after it was written and read.
func second(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
