package kustomize

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"
)

// TestGrownTreesSideBySide builds grown trees one after the other, then all at once beside builds that replace kustomize's
// schema, then one after the other again. Each gives what it gave at first, and so do those that replace the schema.
func TestGrownTreesSideBySide(t *testing.T) {
	type build struct {
		fsys fstest.MapFS
		dir  string
		want string
	}
	run := func(b build) string {
		objects, err := Build(context.Background(), b.fsys, b.dir, Options{})
		return result(t, objects, err)
	}
	var builds []build
	for seed := range uint64(40) {
		fsys, dir := growTree(choicesOf(seed))
		builds = append(builds, build{fsys: fsys, dir: dir})
		if seed%8 == 0 {
			builds = append(builds, build{fsys: files(mergeByID), dir: "app"})
		}
	}
	for i := range builds {
		builds[i].want = run(builds[i])
	}
	var wg sync.WaitGroup
	for _, b := range builds {
		wg.Go(func() {
			if got := run(b); got != b.want {
				t.Errorf("%s beside others:\n%s\nalone:\n%s", b.dir, got, b.want)
			}
		})
	}
	wg.Wait()
	for _, b := range builds {
		if got := run(b); got != b.want {
			t.Errorf("%s afterwards:\n%s\nalone:\n%s", b.dir, got, b.want)
		}
	}
}

// mergeByID has a schema of its own say that a list of containers is merged by another key than the built-in schema has it:
// were it to leak, patches of Deployments in other builds would come out differently.
const mergeByID = `
-- app/kustomization.yaml --
resources: [web.yaml]
openapi: {path: schema.json}
patches: [{path: patch.yaml}]
-- app/web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{image: a, name: one}, {image: b, name: two}]}}}
-- app/patch.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{image: a, name: three}]}}}
-- app/schema.json --
{"definitions": {"io.k8s.api.apps.v1.Deployment": {"type": "object",
  "x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}],
  "properties": {"spec": {"properties": {"template": {"properties": {"spec": {"properties": {"containers": {"type": "array",
    "items": {"type": "object"}, "x-kubernetes-patch-merge-key": "image", "x-kubernetes-patch-strategy": "merge"}}}}}}}}}}}
`

// TestTheSchemaOfABuildIsHeeded makes sure that mergeByID is a test at all.
func TestTheSchemaOfABuildIsHeeded(t *testing.T) {
	names := func(tree string) []string {
		objects, err := Build(context.Background(), files(tree), "app", Options{})
		if err != nil {
			t.Fatal(err)
		}
		spec := objects[0].Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		var found []string
		for _, c := range spec["containers"].([]any) {
			found = append(found, c.(map[string]any)["name"].(string))
		}
		return found
	}
	if got := names(mergeByID); len(got) != 2 || got[0] != "three" {
		t.Errorf("merged by image: %v", got)
	}
	fsys := files(mergeByID)
	fsys["app/kustomization.yaml"].Data = []byte("resources: [web.yaml]\npatches: [{path: patch.yaml}]\n")
	objects, err := Build(context.Background(), fsys, "app", Options{})
	if err != nil || len(objects) != 1 {
		t.Fatal(err)
	}
	spec := objects[0].Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	if n := len(spec["containers"].([]any)); n != 3 {
		t.Errorf("merged by name: %d containers", n)
	}
}
