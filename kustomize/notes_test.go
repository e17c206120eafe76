package kustomize

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"
)

// TestNotesOfKustomizeAreKeptAndDroppedAsByIt has annotations that kustomize makes itself in manifests, in trees that only list
// them and in others.
func TestNotesOfKustomizeAreKeptAndDroppedAsByIt(t *testing.T) {
	for _, metadata := range []string{
		"annotations: {config.kubernetes.io/origin: x}", "annotations: {config.kubernetes.io/origin: x, b: c}",
		"annotations: {alpha.config.kubernetes.io/transformations: x}", "annotations: {}", "annotations: null", "labels: {}",
		"labels: null", "annotations: {config.kubernetes.io/index: '0', config.kubernetes.io/path: a.yaml, config.k8s.io/id: '1'}",
		"annotations: {internal.config.kubernetes.io/x: '0'}", "annotations: {internal.config.kubernetes.io/needsHashSuffix: enabled}",
		"annotations: {internal.config.kubernetes.io/index: '0'}", "annotations: {config.kubernetes.io/local-config: 'false'}",
		"annotations: {kustomize.config.k8s.io/needs-hash: 'true', kustomize.config.k8s.io/behavior: merge}",
	} {
		for _, more := range []string{"", "namespace: x", "labels: [{pairs: {a: b}}]", "buildMetadata: [originAnnotations]"} {
			fsys := fstest.MapFS{
				"app/kustomization.yaml": file("resources: [a.yaml]\n" + more + "\n"),
				"app/a.yaml":             file(fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  %s\n", metadata)),
			}
			objects, err := Build(context.Background(), fsys, "app", Options{})
			want, wantErr := oracle(t, fsys, "app")
			if got := yamlText(t, objects); err != nil || wantErr != nil || got != want {
				t.Errorf("%s, %q: %v, %v\ngot\n%s\nwant\n%s", metadata, more, err, wantErr, got, want)
			}
		}
	}
}
