package kustomize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func variablesFS(manifests string) fstest.MapFS {
	return fstest.MapFS{"app/all.yaml": {Data: []byte(manifests)}}
}

func buildVariables(manifests string, v Variables) ([]*unstructured.Unstructured, error) {
	return Build(context.Background(), variablesFS(manifests), "app", Options{Variables: v})
}

// substitutedField builds an object in which one field has an expression, and returns that field.
func substitutedField(t *testing.T, manifest string, values map[string]string, path ...any) any {
	t.Helper()
	objects, err := buildVariables(manifest, Variables{Values: values})
	if err != nil || len(objects) != 1 {
		t.Fatalf("%s: %d objects and %v", manifest, len(objects), err)
	}
	objects[0].DeepCopy() // panics on what an object may not hold
	var v any = objects[0].Object
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

func TestVariablesTakeTheTypeOfTheField(t *testing.T) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, labels: {l: '%[1]s'}, generation: '%[1]s'}\nspec:\n" +
		"  replicas: '%[1]s'\n  paused: '%[1]s'\n  strategy: {rollingUpdate: {maxSurge: '%[1]s'}}\n  unknown: {x: '%[1]s'}\n" +
		"  template: {spec: {containers: [{name: '%[1]s', args: ['%[1]s'], env: [{name: A, value: '%[1]s'}],\n" +
		"    resources: {limits: {cpu: '%[1]s'}}}], tolerations: '%[1]s', nodeSelector: {a: '%[1]s'}}}\n"
	paths := map[string][]any{
		"string": {"spec", "template", "spec", "containers", 0, "env", 0, "value"}, "args": {"spec", "template", "spec", "containers", 0, "args", 0},
		"label": {"metadata", "labels", "l"}, "name": {"spec", "template", "spec", "containers", 0, "name"},
		"selector": {"spec", "template", "spec", "nodeSelector", "a"},
		"integer":  {"spec", "replicas"}, "boolean": {"spec", "paused"}, "surge": {"spec", "strategy", "rollingUpdate", "maxSurge"},
		"unknown": {"spec", "unknown", "x"}, "list": {"spec", "template", "spec", "tolerations"},
		"quantity": {"spec", "template", "spec", "containers", 0, "resources", "limits", "cpu"}, "generation": {"metadata", "generation"},
	}
	strings := []string{"string", "args", "label", "name", "selector", "quantity"}
	for _, c := range []struct {
		value string
		want  map[string]any // what is not here is the text
	}{
		{"8080", map[string]any{"integer": int64(8080), "surge": int64(8080), "unknown": int64(8080), "list": int64(8080), "generation": int64(8080)}},
		{"8080\n", map[string]any{"integer": int64(8080), "surge": int64(8080), "unknown": int64(8080), "list": int64(8080), "generation": int64(8080)}},
		{"-1", map[string]any{"integer": int64(-1), "surge": int64(-1), "unknown": int64(-1), "list": int64(-1), "generation": int64(-1)}},
		{"1.5", map[string]any{"unknown": 1.5, "list": 1.5}},
		{"true", map[string]any{"boolean": true, "unknown": true, "list": true}},
		{"null", map[string]any{"integer": nil, "boolean": nil, "surge": nil, "unknown": nil, "list": nil, "generation": nil}},
		{"", map[string]any{"integer": nil, "boolean": nil, "surge": nil, "list": nil, "generation": nil}},
		{"yes", nil}, {"no", nil}, {"on", nil}, {"25%", nil}, {"2024-01-01", nil}, {".nan", nil}, {".inf", nil}, {"[1]", nil},
		{"{}", nil}, {"- a", nil}, {"a: b", nil}, {"1 # one", nil}, {"nothing", nil}, {"---", nil}, {"&a 1", nil}, {"!!int 1", nil},
		{"<<", nil}, {"*a", nil}, {"1e", nil}, {"+", nil}, {"\n", nil},
	} {
		manifest := fmt.Sprintf(deployment, "${x}")
		for field, path := range paths {
			want, ok := c.want[field]
			if !ok {
				want = c.value
			}
			if got := substitutedField(t, manifest, map[string]string{"x": c.value}, path...); got != want {
				t.Errorf("%q in a field of type %s: got %#v, want %#v", c.value, field, got, want)
			}
		}
		for _, field := range strings {
			quoted := map[string]string{"x": c.value, "q": `"`}
			if got := substitutedField(t, fmt.Sprintf(deployment, "${q}${x}${q}"), quoted, paths[field]...); got != c.value {
				t.Errorf("%q in quotes in a field of type %s: got %#v", c.value, field, got)
			}
		}
	}
}

func TestVariablesInCustomResources(t *testing.T) {
	const manifest = "apiVersion: example.com/v1\nkind: Web\nmetadata: {name: a, annotations: {a: '%[1]s'}}\nspec: {a: '%[1]s'}\n"
	for _, c := range []struct {
		template, x string
		want        any
	}{
		{"${x}", "1", int64(1)}, {"${x}", "1.10", 1.1}, {"${x}", "false", false}, {"${x}", "0x10", int64(16)}, {"${x}", "1e3", int64(1000)},
		{"${x}", "~", nil}, {"${x}", "True", true}, {"${x}", "NULL", nil}, {"${x}", "+1", int64(1)}, {"${x}", "-.5", -0.5}, {"${x}", "1_0", int64(10)},
		{"${x}", "017", int64(15)}, {"${x}", "10.0.0.1", "10.0.0.1"}, {"${x}", "2024-01-01", "2024-01-01"}, {"${x}", "1.0", int64(1)},
		{"${x}", "12345678901234567890123456789012345678901234567890123456789012345", "12345678901234567890123456789012345678901234567890123456789012345"},
		{"${x}0", "1", int64(10)}, {"1${x}", "0", int64(10)}, {"${x}.${x}", "1", 1.1}, {"v${x}", "1", "v1"}, {"$${x}", "1", "${x}"},
		{"${x}", "'1'", "1"}, {"${x}", `"1"`, "1"}, {"${x}", `"a\tb"`, "a\tb"}, {"${x}", `"\d"`, `"\d"`}, {"${x}", `"a" "b"`, `"a" "b"`},
		{"${x}", "'it''s'", "it's"}, {"${x}", "'a' 'b'", "'a' 'b'"}, {"${x}", `"`, `"`}, {"${x}", `"a\nb` + "\n" + `c"`, "a\nb\nc"},
		{"${x}", `"a": "b"`, `"a": "b"`}, {"${x}", `"a" # "`, `"a" # "`}, {`"${x}"`, "1", `"1"`}, {"${x:='1'}", "'2'", "2"},
		{"${x}", `""`, ""}, {"${x}", "''''", "'"}, {"${x}", `"\x"`, `"\x"`}, {"${x}", "'1\"", "'1\""},
	} {
		got := substitutedField(t, fmt.Sprintf(manifest, strings.ReplaceAll(c.template, "'", "''")), map[string]string{"x": c.x}, "spec", "a")
		if got != c.want {
			t.Errorf("%s with %s: got %#v, want %#v", c.template, c.x, got, c.want)
		}
	}
	named := strings.Replace(fmt.Sprintf(manifest, "${x}"), "name: a", "name: '${x}'", 1)
	for _, path := range [][]any{{"metadata", "name"}, {"metadata", "annotations", "a"}} {
		if got := substitutedField(t, named, map[string]string{"x": "1"}, path...); got != "1" {
			t.Errorf("%v is %#v", path, got)
		}
	}
	block := "apiVersion: example.com/v1\nkind: Web\nmetadata: {name: a}\nspec:\n  a: |\n    ${x}\n"
	if got := substitutedField(t, block, map[string]string{"x": "1"}, "spec", "a"); got != "1\n" {
		t.Errorf("a block is %#v", got)
	}
}

// TestVariablesInjectNothing uses values that would be YAML of their own where the text of a manifest is substituted.
func TestVariablesInjectNothing(t *testing.T) {
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {'${x}': '${x}'}}\ndata: {a: '${x}', b: 'x${x}'}\n"
	for _, x := range []string{"a\nimmutable: true", "a\n---\nkind: Pod", "- a\n- b", "{a: b}", "\"\nx: y\n", "a: b", "*a", "!!binary x", "\t", "# c"} {
		objects, err := buildVariables(manifest, Variables{Values: map[string]string{"x": x}})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "labels": map[string]any{x: x}},
			"data": map[string]any{"a": x, "b": "x" + x},
		}
		if len(objects) != 1 || !reflect.DeepEqual(objects[0].Object, want) {
			t.Errorf("%q makes %v", x, objects)
		}
	}
}

func TestVariablesInKeys(t *testing.T) {
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {'${x}': 1, '${y}/b': '2', c: '3'}\n"
	got := substitutedField(t, manifest, map[string]string{"x": "${y}/b", "y": "k"}, "data")
	if want := map[string]any{"${y}/b": int64(1), "k/b": "2", "c": "3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, x := range []string{"c", "k/b"} {
		_, err := buildVariables(manifest, Variables{Values: map[string]string{"x": x, "y": "k"}})
		var e *VariableError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), "twice") || !strings.HasPrefix(e.Field, "data[") {
			t.Errorf("a key that becomes %s: %v", x, err)
		}
	}
}

func TestVariablesLeaveAlone(t *testing.T) {
	for name, c := range map[string]struct{ manifest, want string }{
		"annotation": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\n" +
			"data: {'${x}': '${x}'}\n", `{"${x}":"${x}"}`},
		"label": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\n" +
			"data: {a: '${none} ${'}\n", `{"a":"${none} ${"}`},
		"other value": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {kustomize.toolkit.fluxcd.io/substitute: enabled}}\n" +
			"data: {a: '${x}'}\n", `{"a":"1"}`},
		"secret":    {"apiVersion: v1\nkind: Secret\nmetadata: {name: '${x}'}\ndata: {'${x}': '${x}'}\n", `{"${x}":"${x}"}`},
		"no secret": {"apiVersion: example.com/v1\nkind: Secret\nmetadata: {name: '${x}'}\ndata: {'${x}': '${x}'}\n", `{"1":1}`},
		"no string": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: 1, b: true, c: null, d: '08', e: '${x}'}\n",
			`{"a":1,"b":true,"c":null,"d":"08","e":"1"}`},
	} {
		text, err := json.Marshal(substitutedField(t, c.manifest, map[string]string{"x": "1"}, "data"))
		if err != nil || string(text) != c.want {
			t.Errorf("%s: got %s and %v, want %s", name, text, err, c.want)
		}
	}
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {'${x}': '${x}'}\n"
	if got := substitutedField(t, secret, map[string]string{"x": "1"}, "stringData"); !reflect.DeepEqual(got, map[string]any{"1": "1"}) {
		t.Errorf("stringData is %v", got)
	}
}

func TestVariablesOnlyWhereAsked(t *testing.T) {
	const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '$${x} ${x:=1}'}\n"
	for want, v := range map[string]Variables{
		"$${x} ${x:=1}": {Unknown: EmptyUnknown},
		"${x} 1":        {Values: map[string]string{}},
		"${x} 2":        {Lookup: func(context.Context, string) (string, bool, error) { return "2", true, nil }},
	} {
		objects, err := buildVariables(manifest, v)
		if err != nil || objects[0].Object["data"].(map[string]any)["a"] != want {
			t.Errorf("want %s: %v, %v", want, objects, err)
		}
	}
}

// TestVariablesAfterKustomize has names, patches and generators come before substitution, with their results substituted.
func TestVariablesAfterKustomize(t *testing.T) {
	fsys := fstest.MapFS{
		"app/kustomization.yaml": {Data: []byte("resources: [web.yaml]\nnamePrefix: ${env}-\nimages: [{name: web, newTag: '${tag}'}]\n" +
			"configMapGenerator: [{name: c, literals: ['port=${port}']}]\n")},
		"app/web.yaml": {Data: []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: '${n}', template: {spec: {containers: [{name: a, image: web}]," +
			" volumes: [{name: c, configMap: {name: c}}]}}}\n")},
	}
	values := map[string]string{"env": "prod", "tag": "v1", "port": "80", "n": "2"}
	objects, err := Build(context.Background(), fsys, "app", Options{Variables: Variables{Values: values}})
	if err != nil || len(objects) != 2 {
		t.Fatal(objects, err)
	}
	text := printed(t, objects)
	for _, want := range []string{`"name":"prod-web"`, `"image":"web:v1"`, `"replicas":2`, `"port":"80"`, `"configMap":{"name":"prod-c-`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "${") {
		t.Errorf("an expression is left in %s", text)
	}
}

// TestVariablesSideBySide has builds ask for types while others change the schema.
func TestVariablesSideBySide(t *testing.T) {
	schema := fstest.MapFS{
		"app/kustomization.yaml": {Data: []byte("resources: [all.yaml]\nopenapi: {path: schema.json}\n")},
		"app/all.yaml":           {Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")},
		"app/schema.json": {Data: []byte(`{"definitions": {"D": {"type": "object",
			"properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "string"}}}},
			"x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]}}}`)},
	}
	const manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: '${n}', paused: '${n}'}\n"
	var builds sync.WaitGroup
	for i := range 6 {
		builds.Go(func() {
			if i%3 == 0 {
				if _, err := Build(context.Background(), schema, "app", Options{}); err != nil {
					t.Error(err)
				}
				return
			}
			objects, err := buildVariables(manifest, Variables{Values: map[string]string{"n": "3"}})
			if err != nil || fmt.Sprintf("%T", objects[0].Object["spec"].(map[string]any)["replicas"]) != "int64" {
				t.Error(objects, err)
			}
		})
	}
	builds.Wait()
}

// TestVariablesNotWhereKustomizeRefuses has a file listed twice, whose objects would be substituted twice, and an object that
// is not for the cluster.
func TestVariablesNotWhereKustomizeRefuses(t *testing.T) {
	fsys := fstest.MapFS{
		"app/kustomization.yaml": {Data: []byte("resources: [a.yaml, ../app/a.yaml]\n")},
		"app/a.yaml":             {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${x}'}\n")},
	}
	asked := 0
	v := Variables{Lookup: func(context.Context, string) (string, bool, error) { asked++; return "${x}", true, nil }}
	_, err := Build(context.Background(), fsys, "app", Options{Variables: v})
	if !errors.Is(err, ErrDuplicate) || asked > 0 {
		t.Errorf("%v after %d lookups", err, asked)
	}
	local := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${x}', annotations: {config.kubernetes.io/local-config: 'true'}}\n"
	if objects, err := buildVariables(local, v); err != nil || len(objects) > 0 || asked > 0 {
		t.Errorf("%v and %v after %d lookups", objects, err, asked)
	}
}
