package kustomize

import (
	"errors"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	yamlv1 "sigs.k8s.io/yaml"
)

// TestQuickMergeKnowsItsLimits holds patches that people write to be merged without kustomize, and those with something in
// them that kustomize has rules of its own for to be left to it, with the object as it was.
func TestQuickMergeKnowsItsLimits(t *testing.T) {
	const object = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  template:
    spec:
      containers:
      - {name: web, image: web, env: [{name: A, value: a}]}
      - {name: side, ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]}
`
	for name, c := range map[string]struct {
		patch string
		quick bool
	}{
		"replicas":        {"spec: {replicas: 3}", false},
		"only labels":     {"metadata: {labels: {a: b}}", false},
		"with all keys":   {"spec: {template: {spec: {containers: [{name: side, ports: null}, {name: web, image: new}]}}}", true},
		"directive":       {"spec: {template: {spec: {containers: [{name: side, $patch: delete}]}}}", false},
		"without key":     {"spec: {template: {spec: {containers: [{image: x}]}}}", false},
		"another kind":    {"spec: {template: {spec: [a]}}", false},
		"key there twice": {"spec: {template: {spec: {containers: [{name: web}, {name: web}]}}}", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &item{scopes: scopes{}}
			var patch map[string]any
			if err := errors.Join(yamlv1.Unmarshal([]byte(object), &o.object), yamlv1.Unmarshal([]byte(c.patch), &patch)); err != nil {
				t.Fatal(err)
			}
			if patch["metadata"] == nil {
				patch["metadata"] = map[string]any{}
			}
			if _, err := o.fromFloats(o.object); err != nil {
				t.Fatal(err)
			}
			before, _ := yamlv1.Marshal(o.object)
			err := withSchema(t.Context(), false, func() error {
				s := newMergeSchema(openapi.SchemaForResourceType(yaml.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}))
				return o.quick(patch, s)
			})
			after, _ := yamlv1.Marshal(o.object)
			if (err == nil) != c.quick || err != nil && string(before) != string(after) {
				t.Errorf("got %v\n%s", err, after)
			}
		})
	}
}
