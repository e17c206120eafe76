package main

import (
	"strings"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// conditions are set in a status, each of the object's generation.
type conditions struct {
	all        *[]metav1.Condition
	generation int64
}

func (c conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > kustomizev1.MaxConditionMessageLength {
		message = message[:kustomizev1.MaxConditionMessageLength]
	}
	meta.SetStatusCondition(c.all, metav1.Condition{Type: kind, Status: status, Reason: reason,
		Message: strings.ToValidUTF8(message, ""), ObservedGeneration: c.generation})
}

func (c conditions) remove(kinds ...string) {
	for _, kind := range kinds {
		meta.RemoveStatusCondition(c.all, kind)
	}
}

// ready, failing, busy and stalled are the four ways that an object can stand.
func (c conditions) ready(reason, message string) {
	c.set(fluxmeta.ReadyCondition, metav1.ConditionTrue, reason, message)
	c.remove(fluxmeta.ReconcilingCondition, fluxmeta.StalledCondition)
}

func (c conditions) failing(reason, message string) {
	c.set(fluxmeta.ReadyCondition, metav1.ConditionFalse, reason, message)
	c.set(fluxmeta.ReconcilingCondition, metav1.ConditionTrue, fluxmeta.ProgressingWithRetryReason, message)
	c.remove(fluxmeta.StalledCondition)
}

func (c conditions) busy(message string) {
	c.set(fluxmeta.ReadyCondition, metav1.ConditionUnknown, fluxmeta.ProgressingReason, message)
	c.set(fluxmeta.ReconcilingCondition, metav1.ConditionTrue, fluxmeta.ProgressingReason, message)
	c.remove(fluxmeta.StalledCondition)
}

func (c conditions) stalled(reason, message string) {
	c.set(fluxmeta.ReadyCondition, metav1.ConditionFalse, reason, message)
	c.set(fluxmeta.StalledCondition, metav1.ConditionTrue, reason, message)
	c.remove(fluxmeta.ReconcilingCondition)
}
