package kustomize

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// TestBuildsThatKustomizeWouldEndTheProcessFor print an object that cannot be printed, in the text of an error about a name that
// could stand for two Secrets. Each comes back with an error that names a file.
func TestBuildsThatKustomizeWouldEndTheProcessFor(t *testing.T) {
	const (
		tab    = `"\tb\nc"`
		secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: c, "
		two    = "secretGenerator:\n- {name: s, namespace: a, literals: [a=b]}\n- {name: s, namespace: b, literals: [c=d]}\n"
		with   = "secretGenerator:\n- {name: s, namespace: b, literals: [c=d]}\n- {name: s, namespace: a, "
		merge  = with + "literals: [a=b]}\n- {name: s, namespace: c, behavior: merge, literals: [x=y]}\n"
		patch  = "patches: [{target: {kind: Secret}, patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"5\": \"x\"}}]'}]\n"
		noop   = "patches: [{target: {kind: Secret}, patch: '[{\"op\": \"add\", \"path\": \"/x\", \"value\": 1}]'}]\n"
	)
	for name, c := range map[string]struct{ secret, kustomization string }{
		"key of a literal":          {"", with + "literals: ['9000=b']}\n"},
		"key of a file":             {"", with + "files: ['9000=f']}\n"},
		"name of a file":            {"", with + "files: ['9000']}\n"},
		"key in an env file":        {"", with + "envs: [env]}\n"},
		"label":                     {"", "commonLabels: {'5': x}\n" + two},
		"annotation":                {"", "commonAnnotations: {a: " + tab + "}\n" + two},
		"annotation of generators":  {"", "generatorOptions: {annotations: {a: " + tab + "}}\n" + two},
		"annotation of a generator": {"", with + "literals: [a=b], options: {annotations: {'5': a}}}\n"},
		"type":                      {"", with + "literals: [a=b], type: " + tab + "}\n"},
		"namespace":                 {"", with + "literals: [a=b]}\n- {name: s, literals: [a=b], namespace: " + tab + "}\n"},
		"annotation below a patch":  {secret + "annotations: {'5': x}}\n", noop + two},
		"text below a patch":        {secret + "annotations: {a: " + tab + "}}\n", noop + two},
		"annotation in a patch":     {secret + "}\n", patch + two},
		"merged key":                {secret + "}\ndata: {'5': eA==}\n", merge},
		"merged text":               {secret + "}\ndata: {a: " + tab + "}\n", merge},
		"overlay":                   {"", two},
	} {
		fsys := fstest.MapFS{
			"app/kustomization.yaml":  file("resources: [volume.yaml, ../base]\n" + c.kustomization),
			"app/volume.yaml":         file("apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: p}\nspec: {azureFile: {secretName: s}}\n"),
			"base/kustomization.yaml": file("resources: [secret.yaml]\nnameSuffix: \"\"\n"), "base/secret.yaml": file("# none\n" + c.secret),
			"app/env": file("A=b\nnull=c\n"), "app/f": file("x"), "app/9000": file("x"),
		}
		opts := Options{}
		if name == "overlay" {
			opts.Overlay.CommonAnnotations = map[string]string{"5": "x"}
		}
		objects, err := Build(context.Background(), fsys, "app", opts)
		var e *Error
		if !errors.As(err, &e) || e.File == "" || objects != nil {
			t.Errorf("%s: %d objects, %v", name, len(objects), err)
		}
	}
}

// TestEmptyKeysAreNotMerged has one in an object that a generator merges into, from a manifest and by each sort of patch.
func TestEmptyKeysAreNotMerged(t *testing.T) {
	for name, c := range map[string]struct{ data, base, file string }{
		"data":        {"data: {'': x}\n", "", "base/a.yaml"},
		"binary data": {"binaryData: {'': eA==}\n", "", "base/a.yaml"},
		"patch": {"", "patches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {\"\": x}}'}]",
			"app/kustomization.yaml"},
		"JSON patch": {"data: {a: b}\n", "patches: [{target: {kind: ConfigMap}, patch: '[{op: add, path: /data/, value: x}]'}]",
			"app/kustomization.yaml"},
		"value of a JSON patch": {"", "patches: [{target: {kind: ConfigMap}, patch: '[{op: add, path: /data, value: {\"\": x}}]'}]",
			"app/kustomization.yaml"},
		"replacement": {"data: {a: b}\n", "replacements: [{source: {kind: ConfigMap, fieldPath: metadata.name}, targets: [" +
			"{select: {kind: ConfigMap}, fieldPaths: [data.], options: {create: true}}]}]", "app/kustomization.yaml"},
	} {
		fsys := fstest.MapFS{
			"base/kustomization.yaml": file("resources: [a.yaml]\n" + c.base), "base/a.yaml": file(oneObject + c.data),
			"app/kustomization.yaml": file("resources: [../base]\nconfigMapGenerator: [{name: a, behavior: merge, literals: [b=c]}]\n"),
		}
		_, err := Build(context.Background(), fsys, "app", Options{})
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrUnsupported) || e.File != c.file || !strings.Contains(err.Error(), "empty key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOddKeysAndTextsAreBuiltAsByKustomize has those that need a rehearsal and pass it.
func TestOddKeysAndTextsAreBuiltAsByKustomize(t *testing.T) {
	for name, c := range map[string]struct{ object, kustomization string }{
		"data":       {"data: {'5': b, '': c, '~': d, a: \"\\tb\\nc\"}\n", "namePrefix: x-\n"},
		"JSON patch": {"data: {'5': b}\n", "patches: [{target: {kind: ConfigMap}, patch: '- {op: add, path: /data/6, value: \"7\"}'}]\n"},
		"patch":      {"data: {'5': b}\n", "patches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {\"6\": x}}'}]\n"},
		"merge":      {"data: {a-1: b}\n", "configMapGenerator: [{name: a, behavior: merge, literals: [1-a=b, yes=no]}]\n"},
		"tab":        {"", "commonAnnotations: {a: \"\\tb\"}\n"},
	} {
		fsys := fstest.MapFS{
			"base/kustomization.yaml": file("resources: [a.yaml]\n"), "base/a.yaml": file(oneObject + c.object),
			"app/kustomization.yaml": file("resources: [../base]\n" + c.kustomization),
		}
		if difference, built := differ(t, fsys, "app"); difference != "" || !built {
			t.Errorf("%s: built %v, %s", name, built, difference)
		}
	}
}
