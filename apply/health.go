package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// A HealthStatus says whether an object is what its manifest asks for, in the words of kstatus.
type HealthStatus string

// The statuses.
const (
	CurrentStatus     HealthStatus = "Current"     // healthy: it is as its manifest says
	InProgressStatus  HealthStatus = "InProgress"  // on its way there
	FailedStatus      HealthStatus = "Failed"      // it will not get there by itself
	TerminatingStatus HealthStatus = "Terminating" // being deleted
	NotFoundStatus    HealthStatus = "NotFound"    // not on the cluster, or without the set's label
	UnknownStatus     HealthStatus = "Unknown"     // nobody can tell, or the cluster has not answered yet
)

// A Health is an object's status, and why it is so.
type Health struct {
	Status  HealthStatus
	Message string
}

// String returns "InProgress: Replicas: 0/1".
func (h Health) String() string {
	if h.Message == "" {
		return string(h.Status)
	}
	return string(h.Status) + ": " + h.Message
}

// A MemberHealth is the health of one object.
type MemberHealth struct {
	Ref Ref
	Health
	// Reasons are what is wrong with it, where Wait has looked that up: down to the containers of its Pods.
	Reasons []string
}

// A HealthReport has the health of all of a set, as it was last seen.
type HealthReport struct {
	ID ID
	// Members are those of the inventory, ordered by their references.
	Members []MemberHealth
}

// Count returns how many members have one of the statuses.
func (r *HealthReport) Count(statuses ...HealthStatus) int {
	n := 0
	for _, m := range r.Members {
		if slices.Contains(statuses, m.Status) {
			n++
		}
	}
	return n
}

// WaitOptions say what [Applier.Wait] waits for; the zero value works.
type WaitOptions struct {
	// OnHealth is called when a member is first seen, and when its health changes; for one member at a time, and nothing
	// is read while it runs.
	OnHealth func(Ref, Health)
	// KeepWaiting has Wait go on when an object has failed, until all is healthy or the context ends: where something
	// else is expected to mend it.
	KeepWaiting bool
	// JobsComplete has a Job be healthy only when it is complete. Otherwise it is, as kstatus has it, once it has started,
	// and while it runs.
	JobsComplete bool
}

// Wait returns when every member of the set's inventory is healthy at one time, by watch and not by polling: it costs one
// GET, and one LIST and one WATCH for each kind. Of ConfigMaps and Secrets it reads the metadata only. A set that is not
// there has no members, and is healthy. Wait knows the inventory and no manifests: after an Apply that failed, what was not
// changed may well be healthy.
//
// [Options.Health] says what healthy is, and where it has no opinion kstatus: a workload is as large as asked for, of its
// newest generation, and ready; a custom resource has its conditions Reconciling, Stalled and Ready right. A status that
// tells the generation that it is about, by observedGeneration, is not believed before that is the newest. One that does
// not may be of the time before an Apply, and a custom resource that has no status yet looks healthy: where the controller
// is slow, that is for Options.Health to tell. It is, too, that a Service waits for its load balancer: kstatus does not.
//
// Wait ends at once when an object has failed: kstatus says so of a Deployment past its progress deadline, a failed Job,
// what is Stalled; not of a Deployment whose Pods cannot start, which has until that deadline. That is so, too, of what had
// failed before and is the same: WaitOptions.KeepWaiting is for what is about to mend. The error joins an [*Error]
// that is [ErrUnhealthy] for each object that failed, or, at the end of ctx, for each that is not healthy, with the
// context's cause. Where that was a deadline, or an object failed, what is wrong with the first 20 of them is looked up,
// which takes up to five seconds more. That needs the rights to list Pods, ReplicaSets and Events; without them less is
// told.
//
// The report is never nil, and complete unless the cluster did not answer. Wait needs the right to list and to watch each
// kind.
func (a *Applier) Wait(ctx context.Context, id ID, opts WaitOptions) (*HealthReport, error) {
	report := &HealthReport{ID: id}
	if err := (Set{ID: id}).check(); err != nil {
		return report, err
	}
	_, inv, err := a.readParent(ctx, id)
	if err != nil {
		return report, err
	}
	var targets []target
	for _, ref := range inv.refs(nil) {
		targets = append(targets, target{ref: ref, resource: inv.kinds[ref.groupKind()]})
	}
	report.Members, err = a.awaitHealth(ctx, id.String(), targets, partOfLabel+"="+id.label(), opts)
	return report, err
}

// awaitHealthy waits for single objects, by their names: it follows each kind in each namespace by itself, and no other
// object where there is just one. Its error is as Wait's, of what is waited for as "waiting for" goes on.
func (a *Applier) awaitHealthy(ctx context.Context, what string, targets []target, opts WaitOptions) error {
	_, err := a.awaitHealth(ctx, what, targets, "", opts)
	return err
}

func (a *Applier) awaitHealth(ctx context.Context, what string, targets []target, labels string, opts WaitOptions) ([]MemberHealth, error) {
	w := &wait{Applier: a, opts: opts, members: make([]MemberHealth, len(targets)), objects: make([]*unstructured.Unstructured, len(targets)),
		targets: targets, place: make(map[Ref]int, len(targets)), listed: make(map[following]bool)}
	for i, t := range targets {
		w.place[t.ref.identity()] = i
		w.members[i] = MemberHealth{Ref: t.ref, Health: Health{UnknownStatus, "the cluster has not told of it yet"}}
	}
	if len(targets) == 0 {
		return nil, nil
	}
	all := followings(targets, labels, func(gk schema.GroupKind) bool { return !metadataTells[gk] })
	w.unlisted = len(all)
	err := a.followAll(ctx, all, w.see)
	if err != nil {
		err = fmt.Errorf("waiting for %s: %w", what, err)
	}
	return w.members, w.verdict(ctx, err)
}

// metadataTells are kinds that are healthy where they are there, and whose content is large, or nobody's business.
var metadataTells = map[schema.GroupKind]bool{{Kind: "ConfigMap"}: true, {Kind: "Secret"}: true}

// A wait is one call of Wait.
type wait struct {
	*Applier
	opts    WaitOptions
	targets []target
	place   map[Ref]int // of the identity

	members  []MemberHealth               // one for each target, as are
	objects  []*unstructured.Unstructured // of those that are not healthy, without managedFields
	listed   map[following]bool
	unlisted int // followings
	healthy  int // members
	failed   int
}

func (w *wait) see(f following, e event) error {
	switch e.what {
	case eventListed:
		if !w.listed[f] {
			w.listed[f] = true
			w.unlisted--
		}
		for i, t := range w.targets {
			if w.members[i].Status == UnknownStatus && w.objects[i] == nil && f.covers(t.ref) {
				w.set(i, Health{NotFoundStatus, "it is not on the cluster"}, nil)
			}
		}
	case eventGone:
		if i, ok := w.place[f.ref(e.object)]; ok {
			w.set(i, Health{NotFoundStatus, "it is no longer on the cluster, or no longer has the set's label"}, nil)
		}
	case eventPresent:
		if i, ok := w.place[f.ref(e.object)]; ok {
			o, _ := e.object.(*unstructured.Unstructured)
			w.set(i, w.health(e.object, o), o)
		}
	}
	// The failed wait for the last LIST, so that the report is complete.
	if w.healthy == len(w.members) || w.failed > 0 && w.unlisted == 0 && !w.opts.KeepWaiting {
		return errStop
	}
	return nil
}

// set notes a member's health, and keeps the object only as long as it may have to be explained.
func (w *wait) set(i int, h Health, o *unstructured.Unstructured) {
	was := w.members[i].Health
	w.healthy += count(h.Status == CurrentStatus) - count(was.Status == CurrentStatus)
	w.failed += count(h.Status == FailedStatus) - count(was.Status == FailedStatus)
	w.members[i].Health, w.objects[i] = h, nil
	if o != nil && h.Status != CurrentStatus {
		o.SetManagedFields(nil)
		w.objects[i] = o
	}
	if h != was && w.opts.OnHealth != nil {
		w.opts.OnHealth(w.members[i].Ref, h)
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// health of an object, of which there may be only the metadata.
func (w *wait) health(metadata metav1.Object, o *unstructured.Unstructured) Health {
	switch {
	case metadata.GetDeletionTimestamp() != nil:
		text := "it is being deleted"
		if names := metadata.GetFinalizers(); len(names) > 0 {
			text += "; " + finalizers(names)
		}
		return Health{TerminatingStatus, text}
	case o == nil:
		return Health{CurrentStatus, "it is there"}
	}
	if w.Applier.opts.Health != nil {
		h, err := w.Applier.opts.Health(o)
		if err != nil {
			return Health{UnknownStatus, err.Error()}
		}
		if h != nil {
			return *h
		}
	}
	result, err := status.Compute(o)
	if err != nil {
		return Health{UnknownStatus, err.Error()}
	}
	if w.opts.JobsComplete && o.GroupVersionKind().GroupKind() == jobKind && result.Status == status.CurrentStatus &&
		!hasCondition(o, "Complete", "True") {
		return Health{InProgressStatus, result.Message}
	}
	return Health{HealthStatus(result.Status), result.Message}
}

var jobKind = schema.GroupKind{Group: "batch", Kind: "Job"}

func hasCondition(o *unstructured.Unstructured, kind, value string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		condition, _ := c.(map[string]any)
		return condition["type"] == kind && condition["status"] == value
	})
}

// verdict makes the error of how following ended, after looking up the reasons of what is told in it.
func (w *wait) verdict(ctx context.Context, err error) error {
	guilty := func(m MemberHealth) bool { return m.Status != CurrentStatus }
	switch {
	case err != nil && ctx.Err() == nil: // a refusal
		return err
	case err == nil && w.healthy == len(w.members):
		return nil
	case err == nil:
		guilty = func(m MemberHealth) bool { return m.Status == FailedStatus }
	}
	var told []int
	for i, m := range w.members {
		if guilty(m) {
			told = append(told, i)
		}
	}
	if err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.explain(ctx, told)
	}
	errs := []error{err}
	for _, i := range told {
		m := w.members[i]
		text := trim(m.Health.String())
		for _, reason := range m.Reasons {
			text += "; " + reason
		}
		errs = append(errs, &Error{Op: "waiting for", Ref: m.Ref, Err: fmt.Errorf("%w: %s", ErrUnhealthy, text)})
	}
	return errors.Join(errs...)
}
