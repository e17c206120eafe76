package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

const variablesDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {example.com/note: "${note}"}}
spec: {template: {spec: {containers: [{name: a, image: "web:${tag}", args: ["${one} ${two}", "${two}"]}]}}}
`

func TestVariablesErrorsTellAllMissing(t *testing.T) {
	const config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${app}-c', namespace: n}\ndata: {b: '${bad', a: '${tag} ${other}'}\n"
	_, err := buildVariables(variablesDeployment+config, Variables{Values: map[string]string{}})
	const want = "building app: " +
		`Deployment.apps default/web: metadata.annotations["example.com/note"]: unknown variable note; ` +
		`Deployment.apps default/web: spec.template.spec.containers[0].args[0]: unknown variable one; ` +
		`Deployment.apps default/web: spec.template.spec.containers[0].args[0]: unknown variable two; ` +
		`Deployment.apps default/web: spec.template.spec.containers[0].image: unknown variable tag; ` +
		`ConfigMap n/${app}-c: data.a: unknown variable other; ` +
		`ConfigMap n/${app}-c: data.b: bad variable expression: ${bad…: no closing brace; ` +
		`ConfigMap n/${app}-c: metadata.name: unknown variable app`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	var e *Error
	var v *VariableError
	if !errors.As(err, &e) || e.Dir != "app" || !errors.Is(err, ErrUnknownVariable) || !errors.Is(err, ErrExpression) ||
		!errors.As(err, &v) || v.Name != "note" || v.Object != "Deployment.apps default/web" {
		t.Errorf("%#v, %#v", e, v)
	}
}

func TestVariablesErrorsAreFew(t *testing.T) {
	for n, more := range map[int]bool{9: false, 10: false, 11: true, 500: true} {
		var manifests strings.Builder
		for i := range n {
			fmt.Fprintf(&manifests, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%03d}\ndata: {a: '${v%[1]d}', b: '${v%[1]d}'}\n", i)
		}
		_, err := buildVariables(manifests.String(), Variables{Values: map[string]string{}})
		if got := strings.Count(err.Error(), "unknown variable"); got != min(n, 10) || strings.HasSuffix(err.Error(), "; and more") != more {
			t.Errorf("%d missing: %v", n, err)
		}
	}
}

func TestVariablesErrorsHoldNoValue(t *testing.T) {
	const planted = "hunter2hunter2"
	values := map[string]string{"p": planted, "q": planted, "n": "1"}
	for text, want := range map[string]string{
		"${p} ${none}": "unknown variable none", "${n:${p}}": "not a number", "${n#[${p}}": "a pattern that ends",
		"${n:-${p} ${": "no name", "hunter2hunter2 ${p:?x}": "not supported", "${none:=${p}${none}}": "unknown variable none",
	} {
		_, err := buildVariables("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '"+text+"'}\n", Variables{Values: values})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprintf("%+v", err), planted) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for manifests, want := range map[string]error{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${p}'}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${q}'}\n": ErrDuplicate,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {'${p}': a, '${q}': b}\n":                                        nil,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${p/" + planted[:4] + "er2hunter2/}'}\n":                                  ErrNotObject,
		"apiVersion: v1\nkind: '${kind:=}'\nmetadata: {name: '${p}'}\n":                                                               ErrNotObject,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '${p}${p}${p}${p}${p}${p}${p}${p}${p}${p}${p}${p}'}\n":       ErrTooLarge,
	} {
		_, err := Build(context.Background(), variablesFS(manifests), "app", Options{MaxBytes: 130, Variables: Variables{Values: values}})
		if err == nil || want != nil && !errors.Is(err, want) || strings.Contains(strings.ReplaceAll(fmt.Sprintf("%+v", err), "/hunter2hunter2/}", ""), planted) {
			t.Errorf("%s: %v", manifests, err)
		}
	}
	options := Options{Variables: Variables{Values: values}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("built", "options", options, "variables", options.Variables)
	for _, text := range []string{fmt.Sprint(options), fmt.Sprintf("%+v", options), fmt.Sprintf("%#v", &options), log.String()} {
		if strings.Contains(text, planted) || !strings.Contains(text, "[n p q]") {
			t.Error(text)
		}
	}
}

func TestVariablesResultIsChecked(t *testing.T) {
	for manifests, want := range map[string]string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${e}'}\n":                                                 "ConfigMap default/${e}: with its variables: not a Kubernetes object: no metadata.name",
		"apiVersion: '${e}'\nkind: ConfigMap\nmetadata: {name: a}\n":                                                  "no apiVersion",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {'${n}': a, name: b}\n":                                           "metadata[\"${n}\"]: with its variables, this key is there twice",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, '${l}': a}\n":                                           "metadata.labels is not a map",
		"apiVersion: v1\nkind: A\nmetadata: {name: 'a-${x}'}\n---\napiVersion: v1\nkind: A\nmetadata: {name: a-1}\n":  "duplicate object: with their variables, A default/a-${x} and A default/a-1 are one",
		"apiVersion: v1\nkind: A\nmetadata: {name: '${x}'}\n---\napiVersion: v1\nkind: A\nmetadata: {name: '${x}'}\n": "duplicate object: A default/${x} is also in app/all.yaml",
	} {
		values := map[string]string{"e": "", "n": "name", "l": "labels", "x": "1"}
		objects, err := buildVariables(manifests, Variables{Values: values})
		if err == nil || !strings.Contains(err.Error(), want) || objects != nil {
			t.Errorf("%s: %v, want %s", manifests, err, want)
		}
	}
	swapped := "apiVersion: v1\nkind: A\nmetadata: {name: '${x}'}\n---\napiVersion: v1\nkind: A\nmetadata: {name: a}\n"
	if objects, err := buildVariables(swapped, Variables{Values: map[string]string{"x": "b"}}); err != nil || len(objects) != 2 {
		t.Error(objects, err)
	}
}

func TestVariablesAreLookedUpOnce(t *testing.T) {
	asked := map[string]int{}
	v := Variables{Values: map[string]string{"note": "n"}, Lookup: func(_ context.Context, name string) (string, bool, error) {
		asked[name]++
		return "of " + name, name != "two" && name != "lazy", nil
	}}
	objects, err := buildVariables(variablesDeployment+"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"+
		"data: {a: '${tag} ${tag:-${lazy}} ${two:-x} ${one}'}\n", Variables{v.Values, v.Lookup, LeaveUnknown})
	if err != nil || len(objects) != 2 {
		t.Fatal(err)
	}
	if fmt.Sprint(asked) != "map[one:1 tag:1 two:1]" {
		t.Errorf("asked for %v", asked)
	}
}

func TestVariablesRememberWhatTheyLookedUp(t *testing.T) {
	s, err := newSubstituter(context.Background(), Options{MaxBytes: 100, Variables: Variables{Values: map[string]string{"a": "1", "unused": "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := s.expand("${a} ${b:-x}"); text != "1 x" || !ok || fmt.Sprint(s.looked) != "map[a:{1 true <nil>} b:{ false <nil>}]" {
		t.Errorf("%q, %t, %v", text, ok, s.looked)
	}
}

func TestVariablesLookupFails(t *testing.T) {
	broken, asked := errors.New("the vault is sealed"), 0
	_, err := buildVariables(variablesDeployment, Variables{Lookup: func(_ context.Context, name string) (string, bool, error) {
		if asked++; name == "two" {
			return "\xff", true, nil
		}
		return "x", false, broken
	}})
	if !errors.Is(err, broken) || strings.Count(err.Error(), "looking up variable note: the vault is sealed") != 1 || asked > 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = Build(ctx, variablesFS(variablesDeployment), "app", Options{Variables: Variables{
		Lookup: func(ctx context.Context, _ string) (string, bool, error) {
			cancel()
			return "", false, ctx.Err()
		}}})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "variable") {
		t.Error(err)
	}
	// A lookup that makes a build of its own passes that one's error on, and is not mistaken for it.
	_, err = buildVariables(variablesDeployment, Variables{Lookup: func(ctx context.Context, _ string) (string, bool, error) {
		_, err := Build(ctx, variablesFS(""), "elsewhere", Options{})
		return "", false, err
	}})
	var e *Error
	if !errors.As(err, &e) || e.Dir != "app" {
		t.Error(err)
	}
}

func TestVariablesRefuseBadNames(t *testing.T) {
	for _, name := range []string{"", "1a", "a-b", "a.b", "é", "a b", "a\n"} {
		_, err := buildVariables("", Variables{Values: map[string]string{name: "hunter2", "☂": ""}})
		if err == nil || !strings.Contains(err.Error(), "Variables.Values: "+shown(name)) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := buildVariables("", Variables{Unknown: 3}); err == nil || !strings.Contains(err.Error(), "no policy 3") {
		t.Error(err)
	}
}

// TestVariablesAreDeterministic builds what has many maps with many expressions, and wants the calls and the error each time.
func TestVariablesAreDeterministic(t *testing.T) {
	manifest := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {"
	for i := range 30 {
		manifest += fmt.Sprintf("'k%d${a%[1]d}': '${b%[1]d}', ", i)
	}
	var first []string
	var firstErr string
	for range 20 {
		var asked []string
		_, err := buildVariables(manifest+"}\n", Variables{Lookup: func(_ context.Context, name string) (string, bool, error) {
			asked = append(asked, name)
			return "", false, nil
		}})
		if first == nil {
			first, firstErr = asked, err.Error()
		}
		if !slices.Equal(asked, first) || err.Error() != firstErr {
			t.Fatalf("asked for %v, and before for %v; %v", asked, first, err)
		}
	}
}
