package apply

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lastApplied is what kubectl's client-side apply remembers of a manifest; an entry that manages it is of such an apply,
// whatever its name. It holds the whole manifest, be it of a Secret.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Fields are those that one manager has, as metadata.managedFields names them: "f:name" of a map, `k:{"name":"main"}`,
// `v:"value"` or "i:0" of a list. The key "." says that the manager has the map or the list as such, and so does having
// nothing below.
type fields map[string]fields

// fieldsOf reads the fields of an entry.
func fieldsOf(entry metav1.ManagedFieldsEntry) (fields, error) {
	var f fields
	if entry.FieldsV1 == nil {
		return f, nil
	}
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &f); err != nil {
		return nil, fmt.Errorf("reading the fields of the manager %s: %w", entry.Manager, err)
	}
	return f, nil
}

// has tells whether the fields at the path, or any below, are among these.
func (f fields) has(path ...string) bool {
	for _, key := range path {
		below, ok := f[key]
		if !ok {
			return false
		}
		f = below
	}
	return true
}

// union returns the fields that are among these or those. Neither is changed.
func (f fields) union(others fields) fields {
	sum := make(fields, len(f)+len(others))
	maps.Copy(sum, f)
	for key, theirs := range others {
		ours, both := f[key]
		switch {
		case !both:
			sum[key] = theirs
		case len(ours) == 0 && len(theirs) == 0:
		case len(ours) == 0:
			sum[key] = theirs.union(fields{".": {}})
		case len(theirs) == 0:
			sum[key] = ours.union(fields{".": {}})
		default:
			sum[key] = ours.union(theirs)
		}
	}
	return sum
}

// asSuch tells whether fields are of the place and of nothing below it: it is a plain value, or known as a whole, or empty.
func (f fields) asSuch() bool {
	return len(f) == 0 || len(f) == 1 && f.has(".")
}

// isApply tells whether the entry is of server-side apply by the manager.
func isApply(entry metav1.ManagedFieldsEntry, manager string) bool {
	return entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
}

// takeoverPatch returns a JSON patch by which the manager gets, as its applied fields, what other managers of the main
// resource have that no longer have a say: those in from, client-side applies, and updates under the manager's own name.
// Without it these would keep a field for ever that is no longer in the manifest; with it the next apply removes it. It
// is refused as a conflict where the object has changed since. It is nil where there is nothing to take over.
//
// kubectl's annotation of the last applied manifest goes with it, unless a manager that stays has it.
func takeoverPatch(live *metav1.PartialObjectMetadata, from []string, manager string) ([]byte, error) {
	var stay, taken []metav1.ManagedFieldsEntry
	var sum fields
	into := -1         // the entry that the fields go to, among those that stay
	remembers := false // an entry that stays has the annotation
	for _, entry := range live.ManagedFields {
		f, err := fieldsOf(entry)
		if err != nil {
			return nil, err
		}
		hasAnnotation := f.has("f:metadata", "f:annotations", "f:"+lastApplied)
		switch {
		case isApply(entry, manager):
			into, sum = len(stay), sum.union(f)
		case isTaken(entry, from, manager, hasAnnotation):
			taken, sum = append(taken, entry), sum.union(f)
			continue
		}
		stay = append(stay, entry)
		remembers = remembers || hasAnnotation
	}
	_, annotated := live.Annotations[lastApplied]
	forget := annotated && !remembers
	if len(taken) == 0 && !forget {
		return nil, nil
	}
	if len(taken) > 0 {
		if into < 0 {
			into = len(stay)
			stay = append(stay, latest(taken))
			stay[into].Manager, stay[into].Operation = manager, metav1.ManagedFieldsOperationApply
		}
		raw, err := json.Marshal(sum)
		if err != nil {
			return nil, err
		}
		stay[into].FieldsV1 = metav1.NewFieldsV1(string(raw))
	}
	return managersPatch(live, stay, forget)
}

// isTaken tells whether the entry is of those that give their fields up. What is managed by way of a subresource stays.
func isTaken(entry metav1.ManagedFieldsEntry, from []string, manager string, hasAnnotation bool) bool {
	if entry.Subresource != "" {
		return false
	}
	if slices.Contains(from, entry.Manager) {
		return true
	}
	clientSide := hasAnnotation || slices.Contains([]string{"kubectl-client-side-apply", "kubectl", manager}, entry.Manager)
	return clientSide && entry.Operation == metav1.ManagedFieldsOperationUpdate
}

func latest(entries []metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	return slices.MaxFunc(entries, func(a, b metav1.ManagedFieldsEntry) int {
		switch {
		case b.Time.Before(a.Time):
			return 1
		case a.Time.Before(b.Time):
			return -1
		}
		return 0
	})
}

// managersPatch is a JSON patch that replaces the managed fields, and the last applied annotation where that is to be
// forgotten. To replace the resourceVersion, instead of testing it, has the server answer with a conflict where it is
// another by now.
func managersPatch(live *metav1.PartialObjectMetadata, entries []metav1.ManagedFieldsEntry, forget bool) ([]byte, error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	patch := []operation{{"replace", "/metadata/resourceVersion", live.ResourceVersion}}
	if len(entries) > 0 {
		patch = append(patch, operation{"replace", "/metadata/managedFields", entries})
	}
	if forget {
		patch = append(patch, operation{Op: "remove", Path: "/metadata/annotations/" + strings.ReplaceAll(lastApplied, "/", "~1")})
	}
	return json.Marshal(patch)
}

// migrateVersionPatch returns a JSON patch that says of all managed fields, whoever has them, that they are of this version
// of the API: what [isVersionGone] is mended by. It is nil where there is nothing to change.
func migrateVersionPatch(live *metav1.PartialObjectMetadata, toAPIVersion string) ([]byte, error) {
	entries, changed := slices.Clone(live.ManagedFields), false
	for i := range entries {
		changed = changed || entries[i].APIVersion != toAPIVersion
		entries[i].APIVersion = toAPIVersion
	}
	if !changed {
		return nil, nil
	}
	return managersPatch(live, entries, false)
}

// isVersionGone tells whether the server cannot apply a custom resource because of a manager that used another version of
// the API: one that the definition no longer has, or one without a field that the object now has. It refuses every such
// apply until the manager's entry is gone or migrated. These errors have no code of their own; the words are those of
// apiextensions-apiserver's converter and of structured-merge-diff's updater.
func isVersionGone(err error) bool {
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "request to convert CR ") && strings.Contains(text, "invalid group/version: ") ||
		strings.Contains(text, "failed to convert ") && strings.Contains(text, ": field not declared in schema")
}
