package kustomize

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// benchVariables is a deployment with a dozen expressions, some of them for fields that are not strings.
const benchVariables = `---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${app}-%d
  namespace: ${namespace:=bench}
  labels: {app.kubernetes.io/name: "${app}", region: "${region:=eu-1}"}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app.kubernetes.io/name: "${app}"}}
  template:
    metadata: {labels: {app.kubernetes.io/name: "${app}"}}
    spec:
      containers:
      - name: web
        image: ${registry}/${app}:${tag:=1.0}
        args: ["--port=${port}", "--host=${host%%%%.*}"]
        env: [{name: PORT, value: "${port}"}]
        ports: [{containerPort: "${port}", name: http}]
`

func benchmarkVariables(b *testing.B, v Variables) {
	var manifests strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&manifests, benchVariables, i)
	}
	fsys := fstest.MapFS{"app/all.yaml": {Data: []byte(manifests.String())}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(context.Background(), fsys, "app", Options{Variables: v}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVariables1000 against BenchmarkVariables1000Off shows what substitution costs beside the build.
func BenchmarkVariables1000(b *testing.B) {
	benchmarkVariables(b, Variables{Values: map[string]string{
		"app": "web", "replicas": "3", "registry": "registry.example.com", "port": "8080", "host": "a.example.com",
	}})
}

func BenchmarkVariables1000Off(b *testing.B) { benchmarkVariables(b, Variables{}) }
