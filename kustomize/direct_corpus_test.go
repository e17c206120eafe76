package kustomize

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestDirectBuildsRealManifests puts overlays over manifests that others wrote. The direct path must be the one that builds
// them, and give what kustomize gives.
func TestDirectBuildsRealManifests(t *testing.T) {
	const overlay = `
resources: [../base]
namePrefix: pre-
labels: [{pairs: {team: blue}, includeSelectors: true}]
commonAnnotations: {owner: somebody}
images: [{name: ghcr.io/stefanprodan/podinfo, newTag: 9.9.9}, {name: 'quay.io/.*', tagSuffix: -x}]
patches:
- target: {kind: Deployment}
  patch: |-
    - {op: add, path: /spec/revisionHistoryLimit, value: 3}
- target: {kind: Deployment|DaemonSet}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: any, labels: {patched: "yes"}}
    spec: {template: {spec: {priorityClassName: high}}}
`
	for _, c := range raced() {
		t.Run(strings.ReplaceAll(c.dir, "/", "_"), func(t *testing.T) {
			fsys := listing(t, corpus(t, c.dir), "base")
			text := overlay
			if c.dir != "kube-prometheus/manifests" { // has roles of one name in several namespaces
				text += "namespace: elsewhere\n"
			}
			fsys["overlay/kustomization.yaml"] = &fstest.MapFile{Data: []byte(text)}
			sameAsKustomize(t, fsys, fsys, "overlay")
			if !isDirectTree(fsys, "overlay") {
				t.Error("kustomize was needed")
			}
		})
	}
}
