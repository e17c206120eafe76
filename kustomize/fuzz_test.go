package kustomize

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// fuzzLimits keep one execution short. The inputs are long, so -fuzzminimizetime=5x makes for more of them.
var fuzzLimits = Options{MaxFiles: 50, MaxBytes: 1 << 20, MaxFileBytes: 100_000, MaxObjects: 100, MaxDepth: 5, MaxWork: 200_000}

// checkBuild checks what holds for every build, whatever goes in.
func checkBuild(t *testing.T, objects []*unstructured.Unstructured, err error) {
	t.Helper()
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Dir == "" && e.Err == nil || objects != nil {
			t.Fatalf("%d objects and %#v", len(objects), err)
		}
		if strings.Contains(err.Error(), "\n") || utf8.RuneCountInString(err.Error()) > 2*maxText+1 {
			t.Fatalf("an error that is not short: %q", err)
		}
		return
	}
	seen := map[identity]bool{}
	for _, o := range objects {
		o.DeepCopy() // panics on what unstructured objects may not hold
		if _, err := o.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		if err := checkObject(o.Object); err != nil {
			t.Fatal(err)
		}
		if id := identityOf(o.Object); seen[id] {
			t.Fatalf("%s is there twice", id)
		} else {
			seen[id] = true
		}
	}
}

// FuzzManifest reads a manifest and holds the objects against those that kustomize reads.
func FuzzManifest(f *testing.F) {
	for _, g := range goldens(f) {
		for _, file := range g.archive.Files {
			if isManifest(file.Name) && !strings.HasPrefix(file.Name, "kustomization") {
				f.Add(file.Data)
			}
		}
	}
	p := newParser(fuzzLimits.withDefaults())
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := Build(context.Background(), fstest.MapFS{"a.yaml": {Data: content}}, ".", fuzzLimits)
		checkBuild(t, got, err)
		m, err := p.manifest(content)
		if err != nil {
			return // ours are stricter
		}
		want, err := readByKustomize(p, content)
		if err != nil {
			t.Fatalf("kustomize refuses what we take: %v", err)
		}
		for _, o := range m.objects {
			strip(o)
		}
		if len(m.objects)+len(want) > 0 && !reflect.DeepEqual(m.objects, want) {
			t.Fatalf("objects differ from kustomize's\n got: %v\nwant: %v", m.objects, want)
		}
	})
}

// strip removes all notes of kustomize.
func strip(o map[string]any) {
	stripNotes(o)
	metadata, _ := o["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	maps.DeleteFunc(annotations, func(key string, _ any) bool { return strings.HasPrefix(key, internalPrefix) })
	stripNotes(o)
}

// readByKustomize has kustomize read a manifest and returns what it prints.
func readByKustomize(p *parser, content []byte) ([]map[string]any, error) {
	resources, err := p.factory.SliceFromBytes(content)
	if err != nil {
		return nil, err
	}
	var objects []map[string]any
	for _, r := range resources {
		r.RemoveBuildAnnotations()
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		var o map[string]any
		if err := utiljson.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		strip(o) // a part of a build that is not tried here
		objects = append(objects, o)
	}
	return objects, nil
}

// FuzzKustomization builds a kustomization file, beside files that it may name. What goes wrong in it is an error, and nothing
// outside the file system is touched: that would show as a build that takes long, or as a crash of the process, or below.
func FuzzKustomization(f *testing.F) {
	for _, g := range goldens(f) {
		for _, file := range g.archive.Files {
			if strings.HasSuffix(file.Name, "kustomization.yaml") {
				f.Add(file.Data)
			}
		}
	}
	// A proxy that is not there: a request to the network would fail, and say so.
	f.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	f.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	f.Setenv("PATH", "")
	beside := files(fuzzTree)
	f.Fuzz(func(t *testing.T, content []byte) {
		fsys := fstest.MapFS{}
		for name, file := range beside {
			fsys[name] = file
		}
		fsys["app/kustomization.yaml"] = &fstest.MapFile{Data: content}
		start := time.Now()
		objects, err := Build(context.Background(), fsys, "app", fuzzLimits)
		checkBuild(t, objects, err)
		for _, sign := range []string{"127.0.0.1:1", "executable file not found"} {
			if err != nil && strings.Contains(errorTree(err), sign) {
				t.Fatalf("something left the file system: %s", errorTree(err))
			}
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Fatalf("took %v", d)
		}
	})
}

// FuzzTree builds whole trees.
func FuzzTree(f *testing.F) {
	for _, g := range goldens(f) {
		input, _ := g.split()
		f.Add(g.dir, txtar.Format(&txtar.Archive{Files: input.Files}))
	}
	f.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	f.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	f.Setenv("PATH", "")
	f.Fuzz(func(t *testing.T, dir string, archive []byte) {
		fsys := fstest.MapFS{}
		for _, file := range txtar.Parse(archive).Files {
			if fs.ValidPath(file.Name) {
				fsys[file.Name] = &fstest.MapFile{Data: file.Data}
			}
		}
		objects, err := Build(context.Background(), fsys, dir, fuzzLimits)
		checkBuild(t, objects, err)
	})
}

// errorTree is the text of an error and of all that it stands for.
func errorTree(err error) string {
	var b strings.Builder
	var walk func(error)
	walk = func(err error) {
		b.WriteString(err.Error() + "\n")
		switch err := err.(type) {
		case interface{ Unwrap() error }:
			if inner := err.Unwrap(); inner != nil {
				walk(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range err.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	return b.String()
}

const fuzzTree = `
-- base/kustomization.yaml --
resources: [../app/deployment.yaml]
namePrefix: base-
-- component/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
namespace: somewhere
-- app/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "example.com/web:1.0"}]
      volumes: [{name: settings, configMap: {name: settings}}]
-- app/service.yaml --
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
-- app/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: b}
-- app/patch.yaml --
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: ClusterIP}
-- app/settings.env --
A=1
-- app/mode --
plain
-- app/gadget.json --
{"T": {"Schema": {"properties": {"kind": {}, "apiVersion": {}, "metadata": {}}}}}
-- app/schema.json --
{"definitions": {"com.example.v1.Gadget": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Gadget", "version": "v1"}]}}}
-- app/prefix.yaml --
apiVersion: builtin
kind: PrefixTransformer
metadata: {name: prefix}
prefix: x-
fieldSpecs: [{path: metadata/name}]
`
