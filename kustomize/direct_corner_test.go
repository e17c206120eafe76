package kustomize

import (
	"testing"
)

// TestDirectIsKustomizeInCorners has trees that chance seldom makes. Each must be built directly.
func TestDirectIsKustomizeInCorners(t *testing.T) {
	for name, tree := range map[string]string{
		"a list with two keys": `
-- app/kustomization.yaml --
resources: [a.yaml]
patches:
- patch: |-
    apiVersion: v1
    kind: Pod
    metadata: {name: a}
    spec:
      containers:
      - name: a
        ports:
        - {containerPort: 99, protocol: TCP}
        - {containerPort: 53, protocol: UDP, name: dns}
        - {containerPort: 98, protocol: TCP}
-- app/a.yaml --
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: a
    ports: [{containerPort: 80, protocol: TCP}, {containerPort: 53, protocol: UDP}, {containerPort: 53, protocol: TCP}]
`,
		"a role in the namespace of an account": `
-- app/kustomization.yaml --
resources: [a.yaml]
namePrefix: x-
-- app/a.yaml --
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot, namespace: two}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: two}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: binding, namespace: one}
subjects: [{kind: ServiceAccount, name: robot, namespace: two}, {kind: User, name: robot}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
---
apiVersion: v1
kind: Pod
metadata: {name: pod, namespace: one}
spec: {serviceAccountName: robot}
`,
		"a label of an overlay, patched in one place": `
-- base/kustomization.yaml --
resources: [a.yaml]
labels: [{pairs: {team: blue}, includeSelectors: true}]
commonAnnotations: {owner: somebody}
-- base/a.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {template: {metadata: {labels: {team: green}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: a}
-- app/kustomization.yaml --
resources: [../base]
patches:
- target: {name: a}
  patch: |-
    apiVersion: v1
    kind: Any
    metadata: {name: a, labels: {team: red}, annotations: {owner: nobody}}
- target: {kind: Job}
  patch: |-
    - {op: replace, path: /metadata/annotations/owner, value: them}
commonAnnotations: {late: "1"}
`,
		"subjects called default": `
-- app/kustomization.yaml --
resources: [a.yaml]
namespace: spot
nameSuffix: -x
-- app/a.yaml --
apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: Namespace
metadata: {name: was}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: binding, namespace: ignored}
subjects: [{kind: ServiceAccount, name: default}, {kind: ServiceAccount, name: other, namespace: m}, {kind: Group, name: default}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
`,
	} {
		t.Run(name, func(t *testing.T) {
			if built, direct := checkDirect(t, files(tree)); !built || !direct {
				t.Errorf("built: %v, direct: %v", built, direct)
			}
		})
	}
}

// TestDirectLeavesAnnotationsToKustomize has annotations without quotes, which a JSON patch makes numbers of, and others with
// blank lines at their end, which it has printed in another style.
func TestDirectLeavesAnnotationsToKustomize(t *testing.T) {
	for value, direct := range map[string]bool{
		"1_000": false, "1000000": false, "1.50": false, "0x10": false, "1e3": false, "2020-01-01": false, "~": false,
		"": false, "1000": true, "1.5": true, "true": true, "yes": true, "text": true, `"1000"`: true,
		">+\n      first\n      last: 1\n\n  labels: {x: y}": false, `"first\n\n\n"`: false, "|+\n      first\n\n\n  labels: {x: y}": false,
	} {
		fsys := files(`
-- app/kustomization.yaml --
resources: [a.yaml]
patches: [{target: {kind: ConfigMap}, patch: '[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]'}]
-- app/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  annotations:
    note: ` + value + "\n")
		if built, isDirect := checkDirect(t, fsys); !built || isDirect != direct {
			t.Errorf("%s: built: %v, direct: %v", value, built, isDirect)
		}
	}
}
