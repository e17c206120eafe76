package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestIgnoreRulesAreChecked(t *testing.T) {
	for _, test := range []struct {
		rule IgnoreRule
		says string
	}{
		{IgnoreRule{Pointers: []string{"/spec/replicas", "/metadata/annotations/a~1b~0c", "/metadata/labels/x", "/status"}}, ""},
		{IgnoreRule{Pointers: []string{"/spec"}, LabelSelector: "app in (a, b)"}, ""},
		{IgnoreRule{}, "ignore rule 1 has no pointer"},
		{IgnoreRule{Pointers: []string{"/spec/a", "spec/replicas"}}, `"spec/replicas" does not begin with a slash`},
		{IgnoreRule{Pointers: []string{""}}, "does not begin with a slash"},
		{IgnoreRule{Pointers: []string{"/"}}, "empty part"},
		{IgnoreRule{Pointers: []string{"/spec/"}}, "empty part"},
		{IgnoreRule{Pointers: []string{"/spec/a~2"}}, "has a ~"},
		{IgnoreRule{Pointers: []string{"/spec/a~"}}, "has a ~"},
		{IgnoreRule{Pointers: []string{"/kind"}}, "the one it is"},
		{IgnoreRule{Pointers: []string{"/metadata"}}, "the one it is"},
		{IgnoreRule{Pointers: []string{"/metadata/name"}}, "the one it is"},
		{IgnoreRule{Pointers: []string{"/metadata/labels"}}, "the label of the set"},
		{IgnoreRule{Pointers: []string{"/metadata/labels/applyset.kubernetes.io~1part-of"}}, "the label of the set"},
		{IgnoreRule{Pointers: []string{"/spec"}, LabelSelector: "a b"}, `the label selector "a b"`},
	} {
		_, err := newRules([]IgnoreRule{{Pointers: []string{"/data"}}, test.rule})
		if (err == nil) != (test.says == "") || err != nil && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%+v: %v, want %q", test.rule, err, test.says)
		}
	}
}

func TestIgnoreRulesFindTheirObjects(t *testing.T) {
	rs, err := newRules([]IgnoreRule{
		{Pointers: []string{"/any~1one"}},
		{Group: "apps", Kind: "Deployment", Pointers: []string{"/deployment/2", "/deployment/10", "/deployment/1"}},
		{Namespace: "a", Name: "web", Pointers: []string{"/web"}},
		{LabelSelector: "app=x", Pointers: []string{"/x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ref    Ref
		labels map[string]string
		want   string
	}{
		{Ref{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "b", Name: "web"}, nil,
			"[[deployment 10] [deployment 2] [deployment 1] [any/one]]"},
		{Ref{Group: "other", Kind: "Deployment", Namespace: "a", Name: "web"}, map[string]string{"app": "y"}, "[[any/one] [web]]"},
		{Ref{Kind: "ConfigMap", Namespace: "a", Name: "b"}, map[string]string{"app": "x"}, "[[any/one] [x]]"},
	} {
		if got := fmt.Sprint(rs.pointers(test.ref, test.labels)); got != test.want {
			t.Errorf("%s is left alone at %s, want %s", test.ref, got, test.want)
		}
	}
}

func TestIgnoredFieldsOfOthersAreNotSent(t *testing.T) {
	const main = `k:{\"name\":\"main\"}`
	for name, test := range map[string]struct {
		manifest, pointers string
		own                string
		others             []string
		want               string // empty: as the manifest
	}{
		"nobody has it": {"{spec: {replicas: 1}}", "/spec/replicas", `{"f:spec":{"f:replicas":{}}}`, []string{`{"f:spec":{"f:paused":{}}}`}, ""},
		"somebody has it": {"{spec: {replicas: 1, paused: true}}", "/spec/replicas", `{"f:spec":{"f:paused":{}}}`,
			[]string{`{"f:spec":{"f:replicas":{}}}`}, "{spec: {paused: true}}"},
		"both have it": {"{spec: {replicas: 1, paused: true}}", "/spec/replicas", `{"f:spec":{"f:replicas":{}}}`,
			[]string{`{}`, `{"f:spec":{"f:replicas":{}}}`}, "{spec: {paused: true}}"},
		"it is all there is":    {"{kind: A, spec: {replicas: 1}}", "/spec/replicas", `{}`, []string{`{"f:spec":{"f:replicas":{}}}`}, "{kind: A}"},
		"it is not there":       {"{spec: {paused: true}}", "/spec/replicas", `{}`, []string{`{"f:spec":{"f:replicas":{}}}`}, ""},
		"not what it points at": {"{spec: {replicas: 1}}", "/spec/replicas/x", `{}`, []string{`{"f:spec":{"f:replicas":{}}}`}, ""},
		"of a map, what others have": {"{data: {a: x, b: x}}", "/data", `{"f:data":{"f:b":{}}}`,
			[]string{`{"f:data":{".":{},"f:a":{},"f:c":{}}}`}, "{data: {b: x}}"},
		"a map that others have empty": {"{data: {a: x}}", "/data", `{"f:data":{"f:a":{}}}`, []string{`{"f:data":{}}`}, ""},
		"all of a map":                 {"{kind: A, data: {a: x, b: x}}", "/data", `{}`, []string{`{"f:data":{"f:a":{}}}`, `{"f:data":{"f:b":{}}}`}, "{kind: A}"},
		"a map known as a whole": {"{kind: A, spec: {selector: {app: x}}}", "/spec/selector", `{"f:spec":{"f:selector":{}}}`,
			[]string{`{"f:spec":{"f:selector":{}}}`}, "{kind: A}"},
		"into a map known as a whole": {"{spec: {selector: {app: x}}}", "/spec/selector/app", `{}`, []string{`{"f:spec":{"f:selector":{}}}`}, ""},
		"an escaped name": {"{metadata: {annotations: {a/b: x, c: x}}}", "/metadata/annotations/a~1b", `{}`,
			[]string{`{"f:metadata":{"f:annotations":{"f:a/b":{}}}}`}, "{metadata: {annotations: {c: x}}}"},
		"a field of an item": {"{l: [{name: side, image: x}, {name: main, image: x, tty: true}]}", "/l/1/image", `{}`,
			[]string{`{"f:l":{"` + main + `":{"f:image":{}}}}`}, "{l: [{name: side, image: x}, {name: main, tty: true}]}"},
		"another item": {"{l: [{name: side, image: x}, {name: main, image: x}]}", "/l/0/image", `{}`,
			[]string{`{"f:l":{"` + main + `":{"f:image":{}}}}`}, ""},
		"an item's key stays": {"{l: [{name: main, image: x}]}", "/l/0", `{}`,
			[]string{`{"f:l":{"` + main + `":{"f:name":{},"f:image":{}}}}`}, "{l: [{name: main}]}"},
		"an item of others goes": {"{l: [{name: main, image: x}, {name: side}]}", "/l", `{}`,
			[]string{`{"f:l":{"` + main + `":{".":{},"f:name":{},"f:image":{}}}}`}, "{l: [{name: side}]}"},
		"a key with a default": {"{l: [{port: 80, x: y}, {port: 80, protocol: UDP, x: y}]}", "/l", `{}`,
			[]string{`{"f:l":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{"f:x":{}}}}`}, "{l: [{port: 80}, {port: 80, protocol: UDP, x: y}]}"},
		"a value of a set":         {"{l: [a, b]}", "/l", `{}`, []string{`{"f:l":{"v:\"a\"":{}}}`}, "{l: [b]}"},
		"values of a set by index": {"{l: [a, b, c]}", "/l/0 /l/1", `{}`, []string{`{"f:l":{"v:\"a\"":{},"v:\"b\"":{},"v:\"c\"":{}}}`}, "{l: [c]}"},
		"an index":                 {"{l: [{a: x, b: x}, {a: x}]}", "/l/0/a", `{}`, []string{`{"f:l":{"i:0":{"f:a":{}},"i:1":{"f:a":{}}}}`}, "{l: [{b: x}, {a: x}]}"},
		"no such index":            {"{l: [a]}", "/l/1 /l/-1 /l/00 /l/x", `{}`, []string{`{"f:l":{"v:\"a\"":{}}}`}, ""},
		"two pointers":             {"{a: x, b: x, c: x}", "/a /b", `{}`, []string{`{"f:a":{},"f:b":{},"f:c":{}}`}, "{c: x}"},
	} {
		t.Run(name, func(t *testing.T) {
			live := &metav1.PartialObjectMetadata{}
			live.ManagedFields = append(live.ManagedFields, metav1.ManagedFieldsEntry{Manager: "ours",
				Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(test.own)})
			for _, f := range test.others {
				live.ManagedFields = append(live.ManagedFields, metav1.ManagedFieldsEntry{Manager: "ours",
					Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(f)})
			}
			read := func(text string) (o map[string]any) {
				if err := yaml.Unmarshal([]byte(text), &o); err != nil {
					t.Fatal(err)
				}
				return o
			}
			if test.want == "" {
				test.want = test.manifest
			}
			rs, err := newRules([]IgnoreRule{{Pointers: strings.Fields(test.pointers)}})
			if err != nil {
				t.Fatal(err)
			}
			manifest := read(test.manifest)
			got, err := withoutIgnored(manifest, rs.pointers(Ref{}, nil), live, "ours")
			if err != nil || !reflect.DeepEqual(got, read(test.want)) {
				t.Errorf("sent is %v, %v, want %s", got, err, test.want)
			}
			if !reflect.DeepEqual(manifest, read(test.manifest)) {
				t.Errorf("the manifest is now %v", manifest)
			}
			if got, _ := withoutIgnored(manifest, rs.pointers(Ref{}, nil), nil, "ours"); !reflect.DeepEqual(got, manifest) {
				t.Errorf("to create it, sent is %v", got)
			}
		})
	}
}

// sendIgnoring applies as a run would, and returns the sum of the answer.
func (b *bench) sendIgnoring(path string, o *unstructured.Unstructured, pointers ...string) (*unstructured.Unstructured, sum) {
	b.t.Helper()
	rs, err := newRules([]IgnoreRule{{Pointers: pointers}})
	if err != nil {
		b.t.Fatal(err)
	}
	var live *metav1.PartialObjectMetadata
	if b.exists(path) {
		live = b.seen(path)
	}
	sent, err := withoutIgnored(o.Object, rs.pointers(refOf(o), o.GetLabels()), live, "ours")
	if err != nil {
		b.t.Fatal(err)
	}
	answer := b.tool("ours", "PATCH", path+"?force=true", applyPatch, sent)
	return answer, ownedSum(b.seen(path), "ours")
}

func TestIgnoredReplicasBelongToTheScaler(t *testing.T) {
	b := newBench(t, Options{})
	path := b.path("deployments", "web")
	web := deployment(t, "web", "nginx:1")
	web.Object["spec"].(map[string]any)["replicas"] = int64(2)
	replicas := func() any { return nested(b.tool("test", "GET", path, "application/json", nil), "spec", "replicas") }
	scale := func(n int) {
		b.tool("scaler", "PATCH", path+"/scale", mergePatch, map[string]any{"spec": map[string]any{"replicas": n}})
	}

	_, first := b.sendIgnoring(path, web, "/spec/replicas")
	if replicas() != int64(2) {
		t.Errorf("first there are %v replicas, want those of the manifest", replicas())
	}
	scale(5)
	taken := ownedSum(b.seen(path), "ours")
	_, second := b.sendIgnoring(path, web, "/spec/replicas")
	if taken == first || second != taken || replicas() != int64(5) {
		t.Errorf("after the scale there are %v replicas; the sums are %x, %x, %x", replicas(), first, taken, second)
	}
	scale(7)
	if got := ownedSum(b.seen(path), "ours"); got != second {
		t.Errorf("the second scale is drift: %x, %x", got, second)
	}
	if _, third := b.sendIgnoring(path, web, "/spec/replicas"); third != second || replicas() != int64(7) {
		t.Errorf("then there are %v replicas, and the sum is %x, was %x", replicas(), third, second)
	}
	b.tool("somebody", "PATCH", path, mergePatch, map[string]any{"metadata": map[string]any{"annotations": map[string]any{"theirs": "1"}}})
	if got := ownedSum(b.seen(path), "ours"); got != second {
		t.Error("a field of somebody else is drift")
	}
	b.tool("somebody", "PATCH", path, mergePatch, map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "other"}}})
	if got := ownedSum(b.seen(path), "ours"); got == second {
		t.Error("a change of the manager's own label is no drift")
	}
	if _, again := b.sendIgnoring(path, web, "/spec/replicas"); again != second || replicas() != int64(7) {
		t.Errorf("mended there are %v replicas, and the sum is %x, was %x", replicas(), again, second)
	}
}

func TestIgnoredItemsAreFoundByTheKeysOfTheServer(t *testing.T) {
	b := newBench(t, Options{})
	path := b.path("deployments", "web")
	web := manifest(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: side, image: side}
      - {name: main, image: "main:1", ports: [{containerPort: 80, name: http}], env: [{name: A, value: "1"}, {name: B, value: "1"}]}
`)
	ignored := []string{"/spec/template/spec/containers/1/image", "/spec/template/spec/containers/1/ports", "/spec/template/spec/containers/1/env"}
	b.sendIgnoring(path, web, ignored...)
	theirs := web.DeepCopy()
	main := theirs.Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[1].(map[string]any)
	main["image"] = "main:2"
	main["ports"].([]any)[0].(map[string]any)["name"] = "web"
	main["env"].([]any)[0].(map[string]any)["value"] = "2"
	b.tool("somebody", "PATCH", path, mergePatch, map[string]any{"spec": theirs.Object["spec"]})
	for range 2 {
		o, _ := b.sendIgnoring(path, web, ignored...)
		got := fmt.Sprint(nested(o, "spec", "template", "spec", "containers"))
		for _, want := range []string{"image:main:2", "image:side", "containerPort:80 name:web protocol:TCP", "name:A value:2", "name:B value:1"} {
			if !strings.Contains(got, want) {
				t.Errorf("the containers are %s, want %s", got, want)
			}
		}
	}
}

func FuzzWithoutIgnored(f *testing.F) {
	f.Add(`{"l":[{"name":"main","image":"x"},{"name":"side"}]}`, `{"f:l":{"k:{\"name\":\"main\"}":{".":{},"f:name":{},"f:image":{}}}}`, `{"f:l":{}}`, "/l/0/image")
	f.Add(`{"l":[80,"a",null,[1]]}`, `{"f:l":{"v:80":{},"v:\"a\"":{},"i:3":{},"k:[":{},"v:":{}}}`, `{}`, "/l")
	f.Add(`{"a":{"b":{"c":1}},"d":[]}`, `{"f:a":{".":{},"f:b":{"f:c":{}}},"f:d":null}`, `{"f:a":null}`, "/a")
	f.Fuzz(func(t *testing.T, text, others, own, at string) {
		var manifest, before map[string]any
		p, wrong := parsePointer(at)
		if wrong != "" || json.Unmarshal([]byte(text), &manifest) != nil || json.Unmarshal([]byte(text), &before) != nil {
			return
		}
		live := &metav1.PartialObjectMetadata{}
		live.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x", FieldsV1: metav1.NewFieldsV1(others)},
			{Manager: "ours", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(own)}}
		sent, err := withoutIgnored(manifest, []pointer{p}, live, "ours")
		if !reflect.DeepEqual(manifest, before) {
			t.Errorf("the manifest was changed to %v", manifest)
		}
		if _, ok := manifest[p[0]]; err == nil && !ok && !reflect.DeepEqual(sent, manifest) {
			t.Errorf("sent is %v, of %v, where nothing is pointed at", sent, manifest)
		}
		if err == nil && len(manifest)-len(sent) > 1 {
			t.Errorf("sent is %v, of %v: more than the pointer's field is gone", sent, manifest)
		}
	})
}
