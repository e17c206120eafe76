package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Bounds of what is looked up about objects that are not healthy.
const (
	explainTime    = 5 * time.Second // in all
	explainObjects = 20
	explainPods    = 5   // of one object
	explainEvents  = 2   // of one object
	explainPage    = 100 // Pods, ReplicaSets or Events that are asked for at once
	explainLength  = 300 // characters of one message
)

// explain looks up what is wrong with members, and notes it with them. ctx may have ended: it has a time of its own.
func (w *wait) explain(ctx context.Context, places []int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
	defer cancel()
	each(w.Applier.opts.Concurrency, places[:min(len(places), explainObjects)], func(i int) {
		if o := w.objects[i]; o != nil {
			w.members[i].Reasons = w.reasons(ctx, w.members[i].Ref, o)
		}
	})
}

// reasons are what one would find by kubectl describe of an object, and of what it owns. What cannot be read is left out:
// a missing right, or a server that does not answer in time, only shortens them.
func (a *Applier) reasons(ctx context.Context, ref Ref, o *unstructured.Unstructured) []string {
	s, err := decodeSubject(o)
	if err != nil {
		return nil // of a kind that has other things by the names
	}
	reasons := troubles(s.Status.Conditions)
	if s.Metadata.DeletionTimestamp != nil {
		return reasons
	}
	if waitsForIngress(ref, o) {
		reasons = append(reasons, "the load balancer has no ingress yet")
	}
	var pods []string
	maker := s // of Pods
	if look := podOwners[ref.groupKind()]; look != nil {
		pods, maker = look(a, ctx, s)
		reasons = append(reasons, pods...)
	}
	if len(pods) == 0 && !hasCondition(o, "ReplicaFailure", "True") { // which has said what an Event would
		reasons = append(reasons, a.events(ctx, maker.Metadata, ref.groupKind() != claimKind)...)
	}
	return reasons
}

var claimKind = schema.GroupKind{Kind: "PersistentVolumeClaim"} // of which also Normal Events tell what it waits for

func finalizers(names []string) string { return "finalizers " + trim(strings.Join(names, ", ")) }

func waitsForIngress(ref Ref, o *unstructured.Unstructured) bool {
	if ref.groupKind() != (schema.GroupKind{Kind: "Service"}) {
		return false
	}
	kind, _, _ := unstructured.NestedString(o.Object, "spec", "type")
	ingress, _, _ := unstructured.NestedSlice(o.Object, "status", "loadBalancer", "ingress")
	return kind == "LoadBalancer" && len(ingress) == 0
}

// podOwners are the kinds that stand or fall with Pods, and what tells of these, and by whom they are made.
var podOwners = map[schema.GroupKind]func(*Applier, context.Context, *subject) ([]string, *subject){
	{Kind: "Pod"}:                        (*Applier).podItself,
	{Group: "apps", Kind: "Deployment"}:  (*Applier).podsOfDeployment,
	{Group: "apps", Kind: "ReplicaSet"}:  (*Applier).podsOf,
	{Group: "apps", Kind: "StatefulSet"}: (*Applier).podsOf,
	{Group: "apps", Kind: "DaemonSet"}:   (*Applier).podsOf,
	jobKind:                              (*Applier).podsOf,
}

// A subject is what matters here of an object: of a workload, a Pod, or anything that has conditions.
type subject struct {
	Metadata metav1.ObjectMeta
	Selector string // as a parameter of a LIST; empty: it has none
	Status   struct {
		Phase, Reason, Message string
		Conditions             []condition
		InitContainerStatuses  []container
		ContainerStatuses      []container
	}
}

type condition struct{ Type, Status, Reason, Message string }

func decodeSubject(o *unstructured.Unstructured) (*subject, error) {
	body, err := json.Marshal(map[string]any{"metadata": o.Object["metadata"], "status": o.Object["status"]})
	if err != nil {
		return nil, err
	}
	s := &subject{}
	if err := json.Unmarshal(body, s); err != nil {
		return nil, err
	}
	labels, _, _ := unstructured.NestedMap(o.Object, "spec", "selector")
	if body, err = json.Marshal(labels); err != nil {
		return nil, err
	}
	var selector metav1.LabelSelector
	if json.Unmarshal(body, &selector) == nil {
		if parsed, err := metav1.LabelSelectorAsSelector(&selector); err == nil {
			s.Selector = parsed.String()
		}
	}
	return s, nil
}

// badly are the conditions that tell of trouble, with the status in which they do. Others tell again what these tell, or
// what the health's message says.
var badly = map[string]string{
	"ReplicaFailure": "True", "Progressing": "False", "Failed": "True", "PodScheduled": "False", "NamesAccepted": "False",
	"NamespaceDeletionDiscoveryFailure": "True", "NamespaceDeletionGroupVersionParsingFailure": "True",
	"NamespaceDeletionContentFailure": "True", "NamespaceContentRemaining": "True", "NamespaceFinalizersRemaining": "True",
}

func troubles(conditions []condition) []string {
	var told []string
	for _, c := range conditions {
		if status, ok := badly[c.Type]; ok && c.Status == status {
			told = append(told, reasonAnd(c.Reason, c.Message))
		}
	}
	return told
}

func reasonAnd(reason, message string) string {
	return strings.Trim(trim(reason)+": "+trim(message), ": ")
}

// trim makes one short line of what the server says.
func trim(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > explainLength {
		return string(line[:explainLength]) + "…"
	}
	return string(line)
}

func (a *Applier) podItself(ctx context.Context, s *subject) ([]string, *subject) {
	return a.tellPods(ctx, []*subject{s}), s
}

// podsOfDeployment goes by the Deployment's newest ReplicaSet, for Pods of older ones are on their way out.
func (a *Applier) podsOfDeployment(ctx context.Context, s *subject) ([]string, *subject) {
	sets := a.owned(ctx, []string{"apis", "apps", "v1", "namespaces", s.Metadata.Namespace, "replicasets"}, s)
	if len(sets) == 0 {
		return nil, s
	}
	newest := slices.MaxFunc(sets, func(x, y *subject) int { return cmp.Compare(revision(x), revision(y)) })
	newest.Selector = s.Selector
	return a.podsOf(ctx, newest)
}

func revision(s *subject) int {
	n, _ := strconv.Atoi(s.Metadata.Annotations["deployment.kubernetes.io/revision"])
	return n
}

func (a *Applier) podsOf(ctx context.Context, s *subject) ([]string, *subject) {
	var told []string
	for _, line := range a.tellPods(ctx, a.owned(ctx, []string{"api", "v1", "namespaces", s.Metadata.Namespace, "pods"}, s)) {
		told = append(told, "Pod "+line)
	}
	return told, s
}

// tellPods has a line for each Pod that is not well. Why a probe fails is in an Event alone; one of them is asked for.
func (a *Applier) tellPods(ctx context.Context, pods []*subject) []string {
	var told []string
	more, asked := 0, false
	for _, pod := range pods {
		reason, unready := podReason(pod)
		switch {
		case reason == "":
			continue
		case len(told) == explainPods:
			more++
			continue
		case unready && !asked:
			asked = true
			reason = strings.Join(append([]string{reason}, a.events(ctx, pod.Metadata, true)...), "; ")
		}
		told = append(told, pod.Metadata.Name+": "+reason)
	}
	if more > 0 {
		told[explainPods-1] += fmt.Sprintf("; and %d Pods more", more)
	}
	return told
}

// owned lists what the owner's selector selects and its UID is the controller's of; a page of it, the rest is more of the
// same.
func (a *Applier) owned(ctx context.Context, path []string, owner *subject) []*subject {
	if owner.Selector == "" {
		return nil
	}
	var list struct{ Items []*subject }
	if err := a.look(ctx, path, "labelSelector", owner.Selector, &list); err != nil {
		return nil
	}
	return slices.DeleteFunc(list.Items, func(s *subject) bool {
		of := metav1.GetControllerOf(&s.Metadata)
		return of == nil || of.UID != owner.Metadata.UID
	})
}

// events returns what the newest Events of an object say, each once.
func (a *Applier) events(ctx context.Context, of metav1.ObjectMeta, warnings bool) []string {
	var list struct{ Items []happening }
	path := []string{"api", "v1", "namespaces", cmp.Or(of.Namespace, metav1.NamespaceDefault), "events"}
	selector := "involvedObject.uid=" + string(of.UID)
	if warnings {
		selector += ",type=Warning"
	}
	if err := a.look(ctx, path, "fieldSelector", selector, &list); err != nil {
		return nil
	}
	slices.SortStableFunc(list.Items, func(x, y happening) int { return y.last().Compare(x.last()) })
	var told []string
	for _, e := range list.Items {
		if line := reasonAnd(e.Reason, e.Message); !slices.Contains(told, line) && len(told) < explainEvents {
			told = append(told, line)
		}
	}
	return told
}

// A happening is the part that matters here of an Event, which may have its time in either way.
type happening struct {
	Reason, Message string
	LastTimestamp   metav1.Time
	EventTime       metav1.MicroTime
}

func (h happening) last() time.Time {
	if h.LastTimestamp.IsZero() {
		return h.EventTime.Time
	}
	return h.LastTimestamp.Time
}

// look reads one page of a LIST.
func (a *Applier) look(ctx context.Context, path []string, selector, value string, out any) error {
	body, err := a.client.rest.Get().AbsPath(path...).Param(selector, value).Param("limit", strconv.Itoa(explainPage)).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}
