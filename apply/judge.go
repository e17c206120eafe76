package apply

import (
	"fmt"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A keepsake is what is needed of a member, beside the inventory, to tell whether it has drifted.
type keepsake struct {
	intent   sum
	skeleton map[string]any // an object that has the names of the member's labels and annotations, and nothing else
	ignored  []pointer
	alone    bool // it is not applied, by its own word
	created  bool // it is applied only to create it
}

// remember keeps what it needs of the members that were applied. Where a manifest is the same, so is what is kept of it.
func (w *Watch) remember(members []*member) {
	for _, m := range members {
		ref := m.ref.identity()
		if k, ok := w.keepsakes[ref]; m.err != nil || ok && k.intent == m.intent {
			continue
		}
		w.keepsakes[ref] = keepsake{intent: m.intent, skeleton: w.shared.skeleton(m), ignored: m.ignored,
			alone: m.policy.ignore != "", created: m.policy.createOnly != ""}
	}
	if len(w.keepsakes) > len(members) {
		maps.DeleteFunc(w.keepsakes, func(ref Ref, _ keepsake) bool { _, in := w.was.entries[ref]; return !in })
	}
}

// skeleton is the same for all members with the same names.
func (h *shared) skeleton(m *member) map[string]any {
	bones, text := make(map[string]any), ""
	for _, field := range []string{"labels", "annotations"} {
		names := sortedKeys(m.given(field))
		text += strings.Join(names, " ") + "\n"
		empty := make(map[string]any, len(names))
		for _, name := range names {
			empty[name] = nil
		}
		bones[field] = empty
	}
	if have, ok := h.skeletons[text]; ok {
		return have
	}
	if h.skeletons == nil || len(h.skeletons) >= h.most {
		h.skeletons = make(map[string]map[string]any)
	}
	h.skeletons[text] = map[string]any{"metadata": bones}
	return h.skeletons[text]
}

// settle forgets of what moved all that is as it should be.
func (w *Watch) settle() {
	for key := range w.moved {
		if w.drifted(key) == "" {
			delete(w.moved, key)
			if s := w.sightings[key]; !s.gone() {
				s.agreed = s.object
			}
		}
	}
	if len(w.moved) == 0 {
		w.moved = make(map[Ref]bool) // smaller than it may have been
	}
}

// drifted tells how an object is not as it was left; empty: it is, or nobody can tell.
func (w *Watch) drifted(key Ref) Drifted {
	s := w.sightings[key]
	if key == parentKey {
		return w.parentDrifted(s)
	}
	e, in := w.was.entries[key]
	k, applied := w.keepsakes[key]
	switch {
	case !in || !e.applied || k.alone || s == unknown || s == nil && !w.current(key):
		return ""
	case s.gone():
		return DriftMissing
	}
	m := member{ref: key, object: k.skeleton, ignored: k.ignored}
	switch {
	case k.created || policyOf(s.object.Annotations, s.object.Labels).ignore != "":
		return ""
	case s.object.DeletionTimestamp != nil:
		return DriftTerminating
	case applied && k.intent == e.intent && m.fingerprint(s.object, w.applier.opts.FieldManager) != e.fingerprint:
		return DriftChanged
	}
	return ""
}

// parentDrifted tells of another applier, or of somebody who takes the inventory for any Secret.
func (w *Watch) parentDrifted(s *sighting) Drifted {
	switch {
	case w.parent == nil || s == nil || s == unknown: // it will be read again
		return ""
	case s.gone() && w.version != "":
		return DriftDeleted
	case !s.gone() && s.object.ResourceVersion != w.version:
		return DriftChanged
	}
	return ""
}

// managers are those who changed the object, as far as the metadata tell: whose entry is new, or newer, to the second; else
// whose fields are others. A manager that loses fields to another has changed nothing.
func (w *Watch) managers(was, is *partialObject) []string {
	if is == nil {
		return nil
	}
	before := make(map[string]metav1.ManagedFieldsEntry)
	key := func(f metav1.ManagedFieldsEntry) string {
		return fmt.Sprintf("%s %s %s %s", f.Manager, f.Operation, f.Subresource, f.APIVersion)
	}
	if was != nil && was.UID == is.UID {
		for _, f := range was.ManagedFields {
			before[key(f)] = f
		}
	}
	var newer, other []string
	for _, f := range is.ManagedFields {
		b, had := before[key(f)]
		switch {
		case !had || !f.Time.Equal(b.Time):
			newer = appendNew(newer, f.Manager)
		case fieldsText(f) != fieldsText(b) && f.Manager != w.applier.opts.FieldManager:
			other = appendNew(other, f.Manager)
		}
	}
	if len(newer) > 0 {
		return newer
	}
	return other
}

func fieldsText(f metav1.ManagedFieldsEntry) string {
	if f.FieldsV1 == nil {
		return ""
	}
	return f.FieldsV1.GetRawString()
}

func appendNew(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names, name)
}

// Shared has what many objects have in common, so that it is kept once. It forgets all of it when it has many: what is in
// use is held by its users.
type shared struct {
	most      int // of each
	texts     map[string]string
	fields    map[string]*metav1.FieldsV1
	skeletons map[string]map[string]any
}

func (h *shared) text(s string) string {
	if have, ok := h.texts[s]; ok {
		return have
	}
	if h.texts == nil || len(h.texts) >= h.most {
		h.texts = make(map[string]string)
	}
	h.texts[s] = s
	return s
}

func (h *shared) textMap(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	same := make(map[string]string, len(m))
	for k, v := range m {
		same[h.text(k)] = h.text(v)
	}
	return same
}

func (h *shared) fieldsV1(f *metav1.FieldsV1) *metav1.FieldsV1 {
	if f == nil {
		return nil
	}
	text := f.GetRawString()
	if have, ok := h.fields[text]; ok {
		return have
	}
	if h.fields == nil || len(h.fields) >= h.most {
		h.fields = make(map[string]*metav1.FieldsV1)
	}
	h.fields[text] = f
	return f
}

// trimmed returns the metadata without what nobody asks for here: above all, who manages the status.
func (h *shared) trimmed(o *partialObject) *partialObject {
	small := &partialObject{}
	small.Namespace, small.Name, small.UID = h.text(o.Namespace), o.Name, o.UID
	small.ResourceVersion, small.Generation, small.DeletionTimestamp = o.ResourceVersion, o.Generation, o.DeletionTimestamp
	small.Labels, small.Annotations, small.OwnerReferences = h.textMap(o.Labels), h.textMap(o.Annotations), o.OwnerReferences
	for _, f := range o.ManagedFields {
		if f.Subresource == "status" {
			continue
		}
		f.Manager, f.APIVersion = h.text(f.Manager), h.text(f.APIVersion)
		f.Operation, f.FieldsType = metav1.ManagedFieldsOperationType(h.text(string(f.Operation))), h.text(f.FieldsType)
		f.FieldsV1 = h.fieldsV1(f.FieldsV1)
		small.ManagedFields = append(small.ManagedFields, f)
	}
	return small
}
