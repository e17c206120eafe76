package kustomize

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// TestCopiesThatGrowAreBounded doubles an object with each line, in one patch, in many, in layers, and by replacements.
func TestCopiesThatGrowAreBounded(t *testing.T) {
	lines := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, strings.ReplaceAll(format, "%", "%[1]"), i)
		}
		return b.String()
	}
	const target = "- target: {kind: ConfigMap}\n  patch: '[{op: copy, from: /data, path: /data/c%d}]'\n"
	for name, kustomization := range map[string]string{
		"patch file":     "patches: [{path: patch.yaml, target: {kind: ConfigMap}}]",
		"JSON with tabs": "patches: [{path: patch.json, target: {kind: ConfigMap}}]",
		"many patches":   "patches:\n" + lines(60, target),
		"old patches": "patchesJson6902:\n" + lines(60, "- target: {version: v1, kind: ConfigMap, name: a}\n"+
			"  patch: '[{op: copy, from: /data, path: /data/c%d}]'\n"),
		"by turns": "patches:\n" + lines(30, "- target: {kind: ConfigMap}\n  patch: '[{op: copy, from: /a, path: /data/b%d}, "+
			"{op: copy, from: /data, path: /a/c%d}]'\n"),
		"into a list": "patches:\n" + strings.Repeat("- target: {kind: ConfigMap}\n  patch: '[{op: copy, from: /l, path: /l/-}]'\n", 60),
		"replacements": "replacements:\n" + lines(60, "- source: {kind: ConfigMap, fieldPath: data}\n"+
			"  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.c%d], options: {create: true}}]\n"),
		"replacement file": "replacements: [{path: replacements.yaml}]",
		"transformer": "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: p}\n" +
			"  target: {kind: ConfigMap}\n  path: patch.yaml\n",
	} {
		fsys := fstest.MapFS{
			"kustomization.yaml": {Data: []byte("resources: [a.yaml]\n" + kustomization)},
			"a.yaml":             {Data: []byte(oneObject + "data: {a: b}\na: {}\nl: []\n")},
			"patch.yaml":         {Data: []byte(lines(60, "- {op: copy, from: /data, path: /data/c%d}\n"))},
			"patch.json":         {Data: []byte("[" + lines(60, "\t{\"op\": \"copy\", \"from\": \"/data\", \"path\": \"/data/c%d\"},\n") + "{}]")},
			"replacements.yaml": {Data: []byte(lines(60, "- source: {kind: ConfigMap, fieldPath: data}\n"+
				"  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.c%d], options: {create: true}}]\n"))},
		}
		var err error
		n := allocated(func() { _, err = Build(context.Background(), fsys, ".", Options{}) })
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "Options.MaxBytes") || n > 100<<20 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// TestCopiesThatDoNotGrowPass has as many as nobody writes, each of another field.
func TestCopiesThatDoNotGrowPass(t *testing.T) {
	var patch strings.Builder
	for i := range 300 {
		fmt.Fprintf(&patch, "- {op: copy, from: /metadata/name, path: /data/c%d}\n", i)
	}
	objects, err := Build(context.Background(), fstest.MapFS{
		"kustomization.yaml": {Data: []byte("resources: [a.yaml]\npatches: [{path: patch.yaml, target: {kind: ConfigMap}}]")},
		"a.yaml":             {Data: []byte(oneObject + "data: {a: b}\n")},
		"patch.yaml":         {Data: []byte(patch.String())},
	}, ".", Options{})
	if err != nil || len(objects) != 1 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}
