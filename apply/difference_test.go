package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// differencesOf compares YAML documents; where will is empty, it is what the manifest says.
func differencesOf(t testing.TB, was, will, manifestText string) []string {
	t.Helper()
	read := func(text string) map[string]any {
		if text == "" {
			return nil
		}
		return manifest(t, "kind: X\n"+text).Object
	}
	c := comparison{was: read(was), will: read(will), manifest: read(manifestText), manager: "us"}
	if c.will == nil {
		c.will = c.manifest
	}
	found, _ := differences(c)
	var lines []string
	for _, d := range found {
		a, _ := json.Marshal(d.Was)
		b, _ := json.Marshal(d.Will)
		lines = append(lines, fmt.Sprintf("%s %s: %s → %s", d.Origin, d.Path, a, b))
	}
	return lines
}

func TestDifferences(t *testing.T) {
	const ours = "metadata: {managedFields: [{manager: us, operation: Apply, fieldsV1: %s}]}\n"
	for _, test := range []struct {
		name, was, will, manifest string
		want                      []string
	}{
		{"nothing", "a: 1", "a: 1", "a: 1", nil},
		{"null is nothing", "a: 1\nb: null", "a: 1", "a: 1", nil},
		{"noise", "metadata: {name: x, uid: a, resourceVersion: '1', generation: 1, creationTimestamp: '2020', managedFields: []}\nstatus: {a: 1}",
			"metadata: {name: x, uid: b, resourceVersion: '2', generation: 2, labels: {applyset.kubernetes.io/part-of: x}}\nstatus: {a: 2}", "a: 1", nil},
		{"whose it is", "a: 1\nb: 1", "a: 2\nb: 2", "a: 2", []string{"manifest a: 1 → 2", "server b: 1 → 2"}},
		{"new with defaults", "", "a: {b: 1, c: {d: 1}, e: []}", "a: {b: 1, e: []}",
			[]string{`manifest a: null → {"b":1,"e":[]}`, `server a.c: null → {"d":1}`}},
		{"no longer named", fmt.Sprintf(ours, `{"f:a":{},"f:c":{}}`) + "a: 1\nb: 1\nc: 3", "c: 1", "x: 1",
			[]string{"manifest a: 1 → null", "server b: 1 → null", "manifest c: 3 → 1"}},
		{"another kind of value", "a: {b: 1}", "a: [1]", "a: [1]", []string{`manifest a: {"b":1} → [1]`}},
		{"odd names", `a: {"b.c/d": 1, "": 1}`, "a: {}", "a: {}", []string{`server a[""]: 1 → null`, `server a["b.c/d"]: 1 → null`}},
		{"a list of texts", "a: [x, w, z]", "a: [x, z]", "a: [x, z]", []string{`manifest a: ["x","w","z"] → ["x","z"]`}},
		{"as many items without keys", "a: [{x: 1}, {x: 2}]", "a: [{x: 1}, {x: 3, w: 1}]", "a: [{x: 1}, {x: 3}]",
			[]string{"server a[1].w: null → 1", "manifest a[1].x: 2 → 3"}},
		{"fewer items without keys", "a: [{x: 1}, {x: 2}]", "a: [{x: 2}]", "a: [{x: 2}]", []string{`manifest a: [{"x":1},{"x":2}] → [{"x":2}]`}},
		{"one name twice", "a: [{name: x, v: 1}, {name: x, v: 2}]", "a: [{name: x, v: 1}]", "a: [{name: x}]",
			[]string{`manifest a: [{"name":"x","v":1},{"name":"x","v":2}] → [{"name":"x","v":1}]`}},
		{"the keys of the server", fmt.Sprintf(ours, `{"f:a":{'k:{"id":1}':{"f:v":{}}}}`) + "a: [{id: 1, name: x, v: 1}, {id: 2, name: x}]",
			"a: [{id: 2, name: x}]", "a: [{id: 2}]", []string{`manifest a[id=1]: {"id":1,"name":"x","v":1} → null`}},
		{"ports by number and protocol", "a: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP}]",
			"a: [{port: 53, protocol: TCP, x: 1}, {port: 53, protocol: UDP, x: 2}]", "a: [{port: 53}, {port: 53, protocol: UDP, x: 2}]",
			[]string{"server a[port=53,protocol=TCP].x: null → 1", "manifest a[port=53,protocol=UDP].x: null → 2"}},
		{"an item that a webhook brings", "", "a: [{name: hook, x: 1}, {name: x, d: 1}]", "a: [{name: x}]",
			[]string{`manifest a: null → [{"name":"x"}]`, `server a[name=hook]: null → {"name":"hook","x":1}`, "server a[name=x].d: null → 1"}},
		{"moved past another", "a: [{name: x}, {name: w}, {name: z}]", "a: [{name: z}, {name: x}, {name: w}]", "a: [{name: z}]",
			[]string{`manifest a: [{"name":"x"},{"name":"w"},{"name":"z"}] → [{"name":"z"},{"name":"x"},{"name":"w"}]`}},
		{"moved up since one went", "a: [{name: x}, {name: w}, {name: z}]", "a: [{name: w}, {name: z}]", "a: [{name: w}]",
			[]string{`server a[name=x]: {"name":"x"} → null`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := differencesOf(t, test.was, test.will, test.manifest)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestDifferencesAreBounded(t *testing.T) {
	was, will := map[string]any{}, map[string]any{}
	for i := range maxDifferences + 7 {
		was[fmt.Sprint("a", i)], will[fmt.Sprint("a", i)] = int64(1), int64(2)
	}
	found, omitted := differences(comparison{was: map[string]any{"spec": was}, will: map[string]any{"spec": will}})
	if len(found) != maxDifferences || omitted != 7 {
		t.Errorf("%d differences, and %d omitted", len(found), omitted)
	}
}

// FuzzDifference holds that equal objects have no differences and others have, that nothing changes the arguments, and
// that a Secret's data is masked.
func FuzzDifference(f *testing.F) {
	f.Add(`{"spec":{"a":[{"name":"x","v":1}],"b":null}}`, `{"spec":{"a":[{"name":"w"},{"name":"x"}]}}`, `{"spec":{"a":[{"name":"x"}]}}`)
	f.Add(`{"data":{"a":"planted-86753091-secret"}}`, `{"data":{"a":"x","b":"planted-86753091-secret"}}`, `{"stringData":{"a":"planted-86753091-secret"}}`)
	f.Add(`{"data":"planted-86753091-secret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"planted-86753091-secret"}}}`, `{"data":{}}`, `{}`)
	f.Add(`{"metadata":{"managedFields":[{"operation":"Apply","manager":"us","fieldsV1":{"f:a":{"k:{\"id\":1}":{}}}}]},"a":[{"id":1},{"id":2}]}`, `{"a":[{"id":2}]}`, `{"a":[{}]}`)
	f.Fuzz(func(t *testing.T, a, b, m string) {
		var was, will, named map[string]any
		for text, into := range map[string]*map[string]any{a: &was, b: &will, m: &named} {
			if utiljson.Unmarshal([]byte(text), into) != nil || *into == nil {
				return
			}
		}
		before := fmt.Sprint(was, will, named)
		found, _ := differences(comparison{was: was, will: will, manifest: named, manager: "us"})
		if same, _ := differences(comparison{was: was, will: was, manifest: named}); len(same) > 0 {
			t.Errorf("of one object twice: %v", same)
		}
		if different := !reflect.DeepEqual(content(was), content(will)) && !bytes.Contains([]byte(a+b), []byte("null")); different && len(found) == 0 {
			if !emptyParts(was) && !emptyParts(will) {
				t.Errorf("%s and %s are told as equal", a, b)
			}
		}
		hidden, _ := differences(comparison{secret: true, was: was, will: will, manifest: named})
		for _, d := range hidden {
			if field, _, _ := strings.Cut(d.Path, "["); field == "data" || strings.HasPrefix(field, "data.") {
				wantUntold(t, fmt.Sprint(d.Was, d.Will))
			}
			_ = d.lines()
		}
		if after := fmt.Sprint(was, will, named); before != after {
			t.Errorf("the arguments were\n%s\nand are\n%s", before, after)
		}
	})
}

// emptyParts tells whether the metadata has an empty map, which is as good as none.
func emptyParts(o map[string]any) bool {
	metadata, ok := o["metadata"].(map[string]any)
	return o["metadata"] != nil && (!ok || len(metadata) == 0 || metadata["labels"] != nil || metadata["annotations"] != nil)
}
