package apply

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	jsonPatch  = "application/json-patch+json"
	mergePatch = "application/merge-patch+json"
	applyPatch = "application/apply-patch+yaml"
)

// tries sends one request of another program, by its field manager, and returns the object as it then is. The path may have
// parameters.
func (b *bench) tries(manager, verb, path, contentType string, body any) (*unstructured.Unstructured, error) {
	b.t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	answer := newApplier(b.t, b.config, Options{}).client.rest.Verb(verb).RequestURI(path).Param("fieldManager", manager).
		SetHeader("Content-Type", contentType).SetHeader("Accept", "application/json").Body(raw).Do(b.t.Context())
	if err := answer.Error(); err != nil {
		return nil, err
	}
	text, _ := answer.Raw()
	o := &unstructured.Unstructured{}
	return o, o.UnmarshalJSON(text)
}

func (b *bench) tool(manager, verb, path, contentType string, body any) *unstructured.Unstructured {
	b.t.Helper()
	o, err := b.tries(manager, verb, path, contentType, body)
	if err != nil {
		b.t.Fatalf("%s %s by %s: %v", verb, path, manager, err)
	}
	return o
}

// seen is the object's metadata as a LIST has it.
func (b *bench) seen(path string) *metav1.PartialObjectMetadata {
	b.t.Helper()
	m, err := newApplier(b.t, b.config, Options{}).client.getMetadata(b.t.Context(), strings.Split(path, "/")[1:])
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

// managers lists the entries as "manager operation" and the subresource.
func managers(o *metav1.PartialObjectMetadata) []string {
	var names []string
	for _, e := range o.ManagedFields {
		names = append(names, strings.TrimSpace(e.Manager+" "+string(e.Operation)+" "+e.Subresource))
	}
	slices.Sort(names)
	return names
}

// clientSide is the object as kubectl's client-side apply sends it.
func clientSide(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy()
	text, _ := json.Marshal(o.Object)
	o.SetAnnotations(map[string]string{lastApplied: string(text)})
	return o.Object
}

func TestTakeoverOfClientSideApplyLeavesNoOrphanedField(t *testing.T) {
	b := newBench(t, Options{})
	path := b.path("deployments", "web")
	full := deployment(t, "web", "nginx:1")
	_ = unstructured.SetNestedField(full.Object, int64(3), "spec", "minReadySeconds")
	b.tool("kubectl-client-side-apply", "POST", strings.TrimSuffix(path, "/web"), "application/json", clientSide(full))
	_ = unstructured.SetNestedField(full.Object, int64(4), "spec", "minReadySeconds")
	b.tool("kubectl-client-side-apply", "PATCH", path, mergePatch, clientSide(full))
	b.tool("controller", "PATCH", path+"/status", mergePatch, map[string]any{"status": map[string]any{"replicas": 1}})

	sent := deployment(t, "web", "nginx:1")
	if o := b.tool("ours", "PATCH", path, applyPatch, sent.Object); nested(o, "spec", "minReadySeconds") == nil {
		t.Fatal("the field is gone without a takeover: this test proves nothing")
	}
	patch, err := takeoverPatch(b.seen(path), nil, "ours")
	if err != nil || patch == nil {
		t.Fatalf("the patch is %s, %v", patch, err)
	}
	taken := b.tool("ours", "PATCH", path, jsonPatch, patch)
	if got, want := managers(b.seen(path)), []string{"controller Update status", "ours Apply"}; !slices.Equal(got, want) {
		t.Errorf("the managers are %q, want %q", got, want)
	}
	if taken.GetAnnotations()[lastApplied] != "" || nested(taken, "spec", "minReadySeconds") != int64(4) {
		t.Errorf("after the takeover: %v", taken)
	}
	o := b.tool("ours", "PATCH", path, applyPatch, sent.Object)
	if nested(o, "spec", "minReadySeconds") != nil || o.GetAnnotations()[lastApplied] != "" {
		t.Errorf("after the next apply there is still minReadySeconds, or kubectl's annotation: %v", o)
	}
	if patch, err := takeoverPatch(b.seen(path), nil, "ours"); patch != nil || err != nil {
		t.Errorf("a second takeover: %s, %v, want none", patch, err)
	}
}

func TestTakeoverBeforeTheFirstApplyAndOfOtherAppliers(t *testing.T) {
	b := newBench(t, Options{})
	path := b.path("configmaps", "c")
	data := func(keys ...string) map[string]any {
		o := configMap(t, "c", "1")
		_ = unstructured.SetNestedField(o.Object, b.namespace, "metadata", "namespace")
		values := map[string]any{}
		for _, k := range keys {
			values[k] = "1"
		}
		o.Object["data"] = values
		return o.Object
	}
	b.tool("old-tool", "PATCH", path, applyPatch, data("a", "b"))
	b.tool("old-tool", "PATCH", path, mergePatch, map[string]any{"data": map[string]any{"c": "1"}})
	b.tool("ours", "PATCH", path, mergePatch, map[string]any{"data": map[string]any{"d": "1"}})
	b.tool("somebody", "PATCH", path, mergePatch, map[string]any{"data": map[string]any{"e": "1"}})
	patch, err := takeoverPatch(b.seen(path), []string{"old-tool"}, "ours")
	if err != nil {
		t.Fatal(err)
	}
	b.tool("ours", "PATCH", path, jsonPatch, patch)
	if got, want := managers(b.seen(path)), []string{"ours Apply", "somebody Update"}; !slices.Equal(got, want) {
		t.Errorf("the managers are %q, want %q", got, want)
	}
	o := b.tool("ours", "PATCH", path, applyPatch, data("a"))
	if got, want := nested(o, "data"), map[string]any{"a": "1", "e": "1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the data is %v, want %v", got, want)
	}
}

func TestTakeoverIsRefusedWhereTheObjectHasChanged(t *testing.T) {
	b := newBench(t, Options{})
	path := b.path("configmaps", "c")
	b.tool("kubectl-client-side-apply", "POST", strings.TrimSuffix(path, "/c"), "application/json", clientSide(configMap(t, "c", "1")))
	patch, err := takeoverPatch(b.seen(path), nil, "ours")
	if err != nil {
		t.Fatal(err)
	}
	b.tool("somebody", "PATCH", path, mergePatch, map[string]any{"data": map[string]any{"e": "1"}})
	if _, err := b.tries("ours", "PATCH", path, jsonPatch, patch); !apierrors.IsConflict(err) || asConflict(err) != nil {
		t.Errorf("the error is %v, want a conflict, and not one of fields", err)
	}
}

func TestTakeoverPatchOfEntries(t *testing.T) {
	const annotation = `{"f:metadata":{"f:annotations":{"f:` + lastApplied + `":{}}}}`
	entry := func(manager, operation, version, subresource, fields string, at int64) metav1.ManagedFieldsEntry {
		time := metav1.NewTime(time.Unix(at, 0))
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), APIVersion: version,
			Subresource: subresource, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields), Time: &time}
	}
	for name, test := range map[string]struct {
		entries   []metav1.ManagedFieldsEntry
		annotated bool
		want      []string // manager operation version fields
		forgotten bool
	}{
		"nothing of ours":                {[]metav1.ManagedFieldsEntry{entry("x", "Update", "v1", "", `{"f:a":{}}`, 1)}, false, nil, false},
		"ours alone":                     {[]metav1.ManagedFieldsEntry{entry("ours", "Apply", "v1", "", `{"f:a":{}}`, 1)}, false, nil, false},
		"ours, which has the annotation": {[]metav1.ManagedFieldsEntry{entry("ours", "Apply", "v1", "", annotation, 1)}, true, nil, false},
		"an annotation that nobody has": {[]metav1.ManagedFieldsEntry{entry("ours", "Apply", "v1", "", `{"f:a":{}}`, 1)}, true,
			[]string{`ours Apply v1 {"f:a":{}}`}, true},
		"an annotation of an applier that stays": {[]metav1.ManagedFieldsEntry{entry("x", "Apply", "v1", "", annotation, 1)}, true, nil, false},
		"a client-side apply by another name": {[]metav1.ManagedFieldsEntry{entry("x", "Update", "v1", "", annotation, 1)}, true,
			[]string{`ours Apply v1 ` + annotation}, true},
		"subresources": {[]metav1.ManagedFieldsEntry{entry("kubectl", "Update", "v1", "scale", `{"f:a":{}}`, 1),
			entry("ours", "Update", "v1", "status", `{"f:b":{}}`, 1)}, false, nil, false},
		"kubectl's own server-side apply": {[]metav1.ManagedFieldsEntry{entry("kubectl", "Apply", "v1", "", `{"f:a":{}}`, 1)}, false, nil, false},
		"the version of the latest": {[]metav1.ManagedFieldsEntry{entry("kubectl", "Update", "v1beta1", "", `{"f:a":{"f:b":{}}}`, 1),
			entry("kubectl-client-side-apply", "Update", "v1", "", `{"f:a":{".":{},"f:c":{}}}`, 2)}, false,
			[]string{`ours Apply v1 {"f:a":{".":{},"f:b":{},"f:c":{}}}`}, false},
		"a list as such and its items": {[]metav1.ManagedFieldsEntry{entry("ours", "Apply", "v1", "", `{"f:l":{},"f:m":{"v:1":{}}}`, 1),
			entry("other", "Update", "v1", "", `{"f:x":{}}`, 1),
			entry("from", "Apply", "v2", "", `{"f:l":{"k:{\"n\":1}":{".":{}}},"f:m":{}}`, 2)}, false,
			[]string{`ours Apply v1 {"f:l":{".":{},"k:{\"n\":1}":{".":{}}},"f:m":{".":{},"v:1":{}}}`, `other Update v1 {"f:x":{}}`}, false},
	} {
		live := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "7", ManagedFields: test.entries}}
		if test.annotated {
			live.Annotations = map[string]string{lastApplied: "{}"}
		}
		before := live.DeepCopy()
		patch, err := takeoverPatch(live, []string{"from"}, "ours")
		if err != nil || !reflect.DeepEqual(live, before) {
			t.Errorf("%s: %v, or the object was changed", name, err)
		}
		var got []string
		var operations []struct {
			Op, Path string
			Value    json.RawMessage
		}
		forgotten := false
		if patch != nil {
			if err := json.Unmarshal(patch, &operations); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range operations {
			forgotten = forgotten || o.Op == "remove"
			var entries []metav1.ManagedFieldsEntry
			if o.Path == "/metadata/managedFields" {
				_ = json.Unmarshal(o.Value, &entries)
			}
			for _, e := range entries {
				got = append(got, fmt.Sprint(e.Manager, " ", e.Operation, " ", e.APIVersion, " ", e.FieldsV1.GetRawString()))
			}
		}
		if !slices.Equal(got, test.want) || forgotten != test.forgotten {
			t.Errorf("%s:\n  %q, forgotten %v, want\n  %q, %v", name, got, forgotten, test.want, test.forgotten)
		}
	}
}

func nested(o *unstructured.Unstructured, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	return value
}

// twoVersions defines a kind whose versions differ by a field, and waits until it is served.
func (b *bench) twoVersions() (definition *unstructured.Unstructured, path func(version string) string, object func(version, spec string) map[string]any) {
	b.t.Helper()
	name := strings.ReplaceAll(b.namespace, "-", "")
	const field = "{type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {type: string}, %s: {type: string}}}}}"
	definition = manifest(b.t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]ss.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]ss, kind: Kind%[1]s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: %[2]s}}
  - {name: v1beta1, served: true, storage: false, schema: {openAPIV3Schema: %[3]s}}
`, name, fmt.Sprintf(field, "new"), fmt.Sprintf(field, "old")))
	b.apply(definition, manifest(b.t, fmt.Sprintf("apiVersion: example.com/v1beta1\nkind: Kind%s\nmetadata: {name: first}", name)))
	path = func(version string) string {
		return fmt.Sprintf("/apis/example.com/%s/namespaces/%s/%ss/one", version, b.namespace, name)
	}
	object = func(version, spec string) map[string]any {
		return manifest(b.t, fmt.Sprintf("apiVersion: example.com/%s\nkind: Kind%s\nmetadata: {name: one}\nspec: %s", version, name, spec)).Object
	}
	return definition, path, object
}

func TestTakeoverJoinsFieldsOfTwoVersions(t *testing.T) {
	b := newBench(t, Options{})
	_, path, object := b.twoVersions()
	b.tool("old-tool", "PATCH", path("v1beta1"), applyPatch, object("v1beta1", "{a: x, b: x, old: x}"))
	b.tool("ours", "PATCH", path("v1"), applyPatch, object("v1", "{a: x}"))
	patch, err := takeoverPatch(b.seen(path("v1")), []string{"old-tool"}, "ours")
	if err != nil {
		t.Fatal(err)
	}
	b.tool("ours", "PATCH", path("v1"), jsonPatch, patch)
	o := b.tool("ours", "PATCH", path("v1"), applyPatch, object("v1", "{a: x, new: x}"))
	if got, want := nested(o, "spec"), map[string]any{"a": "x", "new": "x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the spec is %v, want %v", got, want)
	}
	if entries := b.seen(path("v1")).ManagedFields; len(entries) != 1 || strings.Contains(entries[0].FieldsV1.GetRawString(), "old") {
		t.Errorf("the managers are %v", entries)
	}
}

func TestMigrateVersionLetsApplySendAFieldThatAnOlderVersionHasNot(t *testing.T) {
	b := newBench(t, Options{})
	_, path, object := b.twoVersions()
	b.tool("old-tool", "PATCH", path("v1beta1"), applyPatch, object("v1beta1", "{a: x, old: x}"))
	if _, err := b.tries("ours", "PATCH", path("v1"), applyPatch, object("v1", "{wrong: x}")); err == nil || isVersionGone(err) {
		t.Errorf("a field that no version has is taken for one: %v", err)
	}
	sent := object("v1", "{new: x}")
	if _, err := b.tries("ours", "PATCH", path("v1"), applyPatch, sent); !isVersionGone(err) {
		t.Errorf("without the migration: %v", err)
	}
	patch, err := migrateVersionPatch(b.seen(path("v1")), "example.com/v1")
	if err != nil {
		t.Fatal(err)
	}
	b.tool("ours", "PATCH", path("v1"), jsonPatch, patch)
	o := b.tool("ours", "PATCH", path("v1"), applyPatch, sent)
	if got, want := nested(o, "spec"), map[string]any{"a": "x", "new": "x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the spec is %v, want %v", got, want)
	}
	if got, want := managers(b.seen(path("v1"))), []string{"old-tool Apply", "ours Apply"}; !slices.Equal(got, want) {
		t.Errorf("the managers are %q, want %q", got, want)
	}
}

func TestMigrateVersionLetsApplyGoOnAfterItsVersionIsGone(t *testing.T) {
	b := newBench(t, Options{})
	definition, path, object := b.twoVersions()
	b.tool("ours", "PATCH", path("v1beta1"), applyPatch, object("v1beta1", "{a: x, b: x}"))
	if patch, err := migrateVersionPatch(b.seen(path("v1")), "example.com/v1beta1"); patch != nil || err != nil {
		t.Errorf("to the version that it has: %s, %v, want nothing", patch, err)
	}
	versions := nested(definition, "spec", "versions").([]any)
	_ = unstructured.SetNestedSlice(definition.Object, versions[:1], "spec", "versions")
	crd := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + definition.GetName()
	status := nested(b.tool("test", "PATCH", crd, mergePatch, map[string]any{"spec": definition.Object["spec"]}), "status", "storedVersions")
	if !reflect.DeepEqual(status, []any{"v1"}) {
		t.Fatalf("the stored versions are %v", status)
	}
	sent := object("v1", "{a: x}")
	for deadline := time.Now().Add(time.Minute); ; { // the server takes a moment to forget the version
		_, err := b.tries("ours", "PATCH", path("v1")+"?dryRun=All", applyPatch, sent)
		if isVersionGone(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server still has the version, it says %v", err)
		}
	}
	if _, err := b.tries("ours", "PATCH", path("v1"), applyPatch, sent); !isVersionGone(err) {
		t.Errorf("without the migration: %v", err)
	}
	patch, err := migrateVersionPatch(b.seen(path("v1")), "example.com/v1")
	if err != nil {
		t.Fatal(err)
	}
	b.tool("ours", "PATCH", path("v1"), jsonPatch, patch)
	o := b.tool("ours", "PATCH", path("v1"), applyPatch, sent)
	if got, want := nested(o, "spec"), map[string]any{"a": "x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the spec is %v, want %v: it was ours", got, want)
	}
}
