package kustomize

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// benchDeployment is about as large as the deployments that people have.
const benchDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%d
  namespace: bench
  labels:
    app.kubernetes.io/name: web
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: web
  template:
    metadata:
      labels:
        app.kubernetes.io/name: web
    spec:
      containers:
      - name: web
        image: example.com/web:1.0
        args: ["--port=8080", "--verbose"]
        ports:
        - containerPort: 8080
          name: http
        resources:
          limits:
            memory: 64Mi
`

func benchTree(objects int, kustomization string) fstest.MapFS {
	var manifests strings.Builder
	for i := range objects {
		fmt.Fprintf(&manifests, "---\n"+benchDeployment, i)
	}
	return fstest.MapFS{
		"base/kustomization.yaml": &fstest.MapFile{Data: []byte("resources: [manifests.yaml]\n")},
		"base/manifests.yaml":     &fstest.MapFile{Data: []byte(manifests.String())},
		"app/kustomization.yaml":  &fstest.MapFile{Data: []byte("resources: [../base]\n" + kustomization)},
	}
}

const (
	benchNamespace = "namespace: elsewhere\n"
	benchPatches   = `namespace: elsewhere
labels: [{pairs: {team: blue}}]
images: [{name: example.com/web, newTag: "2.0"}]
patches:
- target: {kind: Deployment}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: any}
    spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: b}]}]}}}
`
	benchGenerator = `namespace: elsewhere
configMapGenerator: [{name: settings, literals: [mode=fast, level=3]}]
`
	benchSchema = `openapi: {version: v1.35.0}
`
)

func benchBuild(b *testing.B, fsys fs.FS) {
	b.Helper()
	if _, err := Build(context.Background(), fsys, "app", Options{}); err != nil {
		b.Fatal(err)
	}
}

func benchmarkOurs(b *testing.B, fsys fs.FS) {
	b.Run("gitopskit", func(b *testing.B) {
		benchBuild(b, fsys) // has the schema parsed
		b.ReportAllocs()
		for b.Loop() {
			benchBuild(b, fsys)
		}
	})
}

func benchmarkBuild(b *testing.B, fsys fstest.MapFS) {
	benchmarkOurs(b, fsys)
	b.Run("krusty", func(b *testing.B) {
		memory := filesys.MakeFsInMemory()
		for name, f := range fsys {
			if err := memory.WriteFile("/"+name, f.Data); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(memory, "/app"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The sub-benchmarks called krusty do the same build with kustomize alone, without the conversion of its result.

func BenchmarkOneListed(b *testing.B)       { benchmarkBuild(b, benchTree(1, "")) }
func BenchmarkOneTransformed(b *testing.B)  { benchmarkBuild(b, benchTree(1, benchNamespace)) }
func BenchmarkListed1000(b *testing.B)      { benchmarkBuild(b, benchTree(1000, "")) }
func BenchmarkTransformed1000(b *testing.B) { benchmarkBuild(b, benchTree(1000, benchNamespace)) }

// BenchmarkOverlay shows how the cost of an overlay grows with the objects: linear here, as the square for kustomize, which is
// left out where that takes minutes.
func BenchmarkOverlay(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000, 5000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			if fsys := benchTree(n, benchPatches); n <= 1000 {
				benchmarkBuild(b, fsys)
			} else {
				benchmarkOurs(b, fsys)
			}
		})
	}
}

// BenchmarkGenerated is about an overlay that generates a ConfigMap, as most do.
func BenchmarkGenerated(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchmarkBuild(b, benchTree(n, benchGenerator)) })
	}
}

// BenchmarkOneWithSchema shows what a build pays that names an OpenAPI schema.
func BenchmarkOneWithSchema(b *testing.B) {
	fsys := benchTree(1, benchSchema)
	if _, err := Build(context.Background(), fsys, "app", Options{}); err != nil {
		b.Skip(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		benchBuild(b, fsys)
	}
}

// BenchmarkParallel builds on all processors at once: its time for a build is that of BenchmarkOneTransformed by their
// number.
func BenchmarkParallel(b *testing.B) {
	fsys := benchTree(1, benchNamespace)
	benchBuild(b, fsys)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			benchBuild(b, fsys)
		}
	})
}

// BenchmarkUnchanged shows what a Builder pays where nothing has changed, in a file system that knows no identities.
func BenchmarkUnchanged(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fsys, builder := benchTree(n, benchNamespace), &Builder{Dir: "app"}
			build := func() {
				if _, err := builder.Build(context.Background(), fsys); err != nil {
					b.Fatal(err)
				}
			}
			build()
			b.ReportAllocs()
			for b.Loop() {
				build()
			}
		})
	}
}
