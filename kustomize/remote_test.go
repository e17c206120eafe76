package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// remotes serves file systems by the URL and ref of a reference, and counts what it is asked.
type remotes struct {
	mu    sync.Mutex
	by    map[string]fs.FS
	asked []string
}

func (r *remotes) get(_ context.Context, ref Reference) (fs.FS, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ref.URL+ref.query())
	if fsys, ok := r.by[ref.URL+ref.query()]; ok {
		return fsys, nil
	}
	return nil, fmt.Errorf("no repository %s: %w", ref.URL, fs.ErrNotExist)
}

const remoteTree = `
-- app/kustomization.yaml --
resources: ["https://h/org/web//deploy?ref=v1", extra.yaml]
components: ['https://h/org/web//component?ref=v1']
namePrefix: x-
patches: [{path: "https://h/files/patch.yaml?token=t"}]
patchesStrategicMerge: ["https://h/files/merge.yaml"]
configMapGenerator:
- name: settings
  files: ["https://h/files/data.txt", "other=https://h/files/data.txt"]
  envs: ["https://h/files/settings.env"]
secretGenerator: [{name: s, env: "https://h/files/settings.env"}]
openapi: {path: "https://h/files/schema.json"}
crds: ["https://h/files/crd.json"]
configurations: ["https://h/files/config.yaml"]
replacements: [{path: "https://h/files/replacement.yaml"}]
transformers: ["https://h/files/suffix.yaml", git@h:org/plugins//all]
generatorOptions: {}
-- app/extra.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
-- web/deploy/kustomization.yaml --
resources: [../shared, service.yaml, 'https://h/org/db?ref=v2']
nameSuffix: -r
-- web/deploy/service.yaml --
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
-- web/shared/kustomization.yaml --
resources: [a.yaml]
-- web/shared/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
-- web/component/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels: [{pairs: {team: blue}}]
-- db/kustomization.yaml --
resources: [db.yaml]
commonAnnotations: {owner: db}
-- db/db.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: db}
-- plugins/all/kustomization.yaml --
resources: [prefix.yaml]
-- plugins/all/prefix.yaml --
apiVersion: builtin
kind: PrefixTransformer
metadata: {name: x}
prefix: y-
fieldSpecs: [{path: metadata/name}]
-- files/patch.yaml --
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort}
-- files/merge.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {merged: "yes"}
-- files/data.txt --
text
-- files/settings.env --
A=1
-- files/schema.json --
{"definitions": {"com.example.v1.Gadget": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Gadget", "version": "v1"}]}}}
-- files/crd.json --
{"T": {"Schema": {"properties": {"kind": {}, "apiVersion": {}, "metadata": {}}}}}
-- files/config.yaml --
nameReference: []
-- files/replacement.yaml --
source: {kind: Service, fieldPath: metadata.name}
targets: [{select: {kind: ConfigMap, name: extra}, fieldPaths: [data.service], options: {create: true}}]
-- files/suffix.yaml --
apiVersion: builtin
kind: SuffixTransformer
metadata: {name: x}
suffix: -z
fieldSpecs: [{path: metadata/name}]
`

// remoteParts returns the tree that names things elsewhere, and what is there.
func remoteParts(t *testing.T) (fstest.MapFS, *remotes) {
	t.Helper()
	all, r := files(remoteTree), &remotes{by: map[string]fs.FS{}}
	for address, dir := range map[string]string{
		"https://h/org/web?ref=v1": "web", "https://h/org/db?ref=v2": "db", "git@h:org/plugins": "plugins",
		"https://h/files/patch.yaml?token=t": "files",
	} {
		r.by[address] = subtree(t, all, dir)
	}
	for name := range all {
		if base, ok := strings.CutPrefix(name, "files/"); ok {
			r.by["https://h/files/"+base] = subtree(t, all, "files")
		}
	}
	return fstest.MapFS{
		"app/kustomization.yaml": all["app/kustomization.yaml"], "app/extra.yaml": all["app/extra.yaml"],
	}, r
}

func subtree(t *testing.T, fsys fs.FS, dir string) fs.FS {
	t.Helper()
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// TestRemoteBasesBuildAsLocalOnesDo builds a tree with a remote reference in each field that can have one, and has kustomize
// build the same with copies of everything beside it.
func TestRemoteBasesBuildAsLocalOnesDo(t *testing.T) {
	fsys, r := remoteParts(t)
	local := files(remoteTree)
	for name, f := range local {
		text := strings.NewReplacer(
			"https://h/org/web//deploy?ref=v1", "../web/deploy", "https://h/org/web//component?ref=v1", "../web/component",
			"https://h/org/db?ref=v2", "../../db", "git@h:org/plugins//all", "../plugins/all",
			"?token=t", "", "https://h/files/", "../files/",
		).Replace(string(f.Data))
		local[name] = &fstest.MapFile{Data: []byte(text)}
	}
	var want string
	err := schemaGate.alone(context.Background(), func() (err error) {
		want, err = oracle(t, local, "app")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := Build(context.Background(), fsys, "app", Options{Remote: r.get})
	if got := yamlText(t, objects); err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	counts := map[string]int{}
	for _, address := range r.asked {
		counts[address]++
	}
	for address, n := range counts {
		if n != 1 {
			t.Errorf("asked for %s %d times", address, n)
		}
	}
	if len(counts) != len(r.by)-1 { // the patch is there without its query too
		t.Errorf("asked for %d of %v", len(counts), r.by)
	}
}

// TestPlainRemoteBases has trees that kustomize has no part in.
func TestPlainRemoteBases(t *testing.T) {
	r := &remotes{by: map[string]fs.FS{
		"https://h/o/r":      files("\n-- kustomization.yaml --\nresources: [d/b.yaml]\n-- d/b.yaml --\n" + oneObject),
		"https://h/f/c.yaml": fstest.MapFS{"c.yaml": {Data: []byte(strings.Replace(oneObject, "name: a", "name: c", 1))}},
	}}
	fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte("bases: [https://h/o/r]\nresources: ['https://h/f/c.yaml']")}}
	objects, err := Build(context.Background(), fsys, ".", Options{Remote: r.get})
	if err != nil || len(objects) != 2 || len(r.asked) != 2 {
		t.Errorf("%d objects, %v, asked %v", len(objects), err, r.asked)
	}
}

// TestRewrittenKustomizationsStayWhatTheyAre encodes every kustomization in testdata again, and builds with those.
func TestRewrittenKustomizationsStayWhatTheyAre(t *testing.T) {
	rewritten := 0
	for _, g := range goldens(t) {
		input, want := g.split()
		fsys := archiveFS(input)
		for name, f := range fsys {
			k := &kustomization{file: name}
			if !strings.HasSuffix(name, "kustomization.yaml") || k.parse(f.Data) != nil || guardKeys(f.Data) != nil {
				continue
			}
			content, err := k.withoutAddresses()
			if err != nil {
				t.Errorf("%s: %s: %v", g.path, name, err)
				continue
			}
			fsys[name] = &fstest.MapFile{Data: content}
			rewritten++
		}
		objects, err := Build(context.Background(), fsys, g.dir, Options{})
		if err == nil && !strings.HasPrefix(string(want), "error: ") {
			if got := result(t, objects, err); got != string(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", g.path, got, want)
			}
		} else if strings.HasPrefix(string(want), "error: ") != (err != nil) {
			t.Errorf("%s: got %v, want %s", g.path, err, want)
		}
	}
	if rewritten < 50 {
		t.Errorf("only %d kustomizations", rewritten)
	}
}

// TestTwoBuildsWithRemotesAtOnce is for the race detector.
func TestTwoBuildsWithRemotesAtOnce(t *testing.T) {
	fsys, r := remoteParts(t)
	var done sync.WaitGroup
	for range 2 {
		done.Add(1)
		go func() {
			defer done.Done()
			objects, err := Build(context.Background(), fsys, "app", Options{Remote: r.get})
			if err != nil || len(objects) != 6 {
				t.Errorf("%d objects, %v", len(objects), err)
			}
		}()
	}
	done.Wait()
}

// TestAddressesDoNotReachKustomize puts one into each field, past the scan, and expects the last check to find it.
func TestAddressesDoNotReachKustomize(t *testing.T) {
	const address = "https://h/o/r"
	for _, text := range []string{
		"resources: [%s]", "bases: [%s]", "components: [%s]", "crds: [%s]", "configurations: [%s]", "generators: [%s]",
		"transformers: [%s]", "validators: [%s]", "openapi: {path: %s}", "patches: [{path: %s}]", "patchesJson6902: [{path: %s}]",
		"patchesStrategicMerge: [%s]", "replacements: [{path: %s}]", "configMapGenerator: [{files: ['a=%s']}]",
		"configMapGenerator: [{files: [%s]}]", "secretGenerator: [{envs: [%s]}]", "secretGenerator: [{env: %s}]",
	} {
		if err := checkAddresses(fmt.Appendf(nil, text, address)); !errors.Is(err, ErrRemote) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
