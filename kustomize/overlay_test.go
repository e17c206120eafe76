package kustomize

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"strings"
	"testing"
	"testing/fstest"
)

const overlaidTree = `
-- app/kustomization.yaml --
resources: [web.yaml, more.yaml]
namePrefix: pre-
configMapGenerator: [{name: settings, literals: [a=b]}]
-- app/web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "example.com/web:1.0", envFrom: [{configMapRef: {name: settings}}]}
-- app/more.yaml --
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {kind: service}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{kind: ServiceAccount, name: default, namespace: default}]
-- app/patch.yaml --
- {op: add, path: /spec/type, value: NodePort}
-- app/debug/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment}
  patch: '- {op: add, path: /spec/template/spec/containers/0/args, value: ["-v"]}'
-- shared/kustomization.yaml --
kind: Component
labels: [{pairs: {shared: "true"}}]
-- plain/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
`

var overlays = map[string]Overlay{
	"namespace":         {Namespace: "elsewhere"},
	"prefix and suffix": {NamePrefix: "a-", NameSuffix: "-z"},
	"labels": {Labels: []Label{
		{Pairs: map[string]string{"team": "blue"}},
		{Pairs: map[string]string{"tier": "1"}, IncludeSelectors: true},
		{Pairs: map[string]string{"in": "template"}, IncludeTemplates: true},
	}},
	"annotations": {CommonAnnotations: map[string]string{"owner": "somebody", "number": "1"}},
	"patches": {Patches: []Patch{
		{Patch: `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "pre-web"}, "spec": {"replicas": 3}}`},
		{Target: &Selector{Kind: "Deploy.*", LabelSelector: "app=web"}, Patch: "- {op: remove, path: /metadata/labels}"},
		{Target: &Selector{Version: "v1", Name: ".*web", AnnotationSelector: "kind=service"}, Path: "patch.yaml"},
	}},
	"images":     {Images: []Image{{Name: "example.com/web", NewName: "mirror/web", Digest: "sha256:24a0c4b4a4c0eb97a1aabb8e29f18e917d05abfe1b7a7c07857230879ce7d3d3"}}},
	"replicas":   {Replicas: []Replica{{Name: "pre-web", Count: 0}}},
	"components": {Components: []string{"debug", "../shared"}},
	"order":      {SortOptions: &SortOptions{Order: "legacy"}},
	"order of kinds": {SortOptions: &SortOptions{Order: "legacy", Legacy: &LegacySortOptions{
		OrderFirst: []string{"RoleBinding"}, OrderLast: []string{"Deployment"},
	}}},
	"metadata": {BuildMetadata: []string{"managedByLabel"}},
	"everything": {
		Namespace: "elsewhere", NamePrefix: "x-", NameSuffix: "-y", CommonAnnotations: map[string]string{"owner": "somebody"},
		Labels: []Label{{Pairs: map[string]string{"team": "blue"}, IncludeSelectors: true}}, Components: []string{"debug"},
		Images: []Image{{Name: "example.com/web", NewTag: "2"}}, Replicas: []Replica{{Name: "web", Count: 5}},
		Patches: []Patch{{Target: &Selector{Kind: "Service"}, Path: "patch.yaml"}},
	},
}

// writtenOut returns fsys with a kustomization in the folder beside which says what o does on top of dir.
func writtenOut(t *testing.T, fsys fstest.MapFS, dir string, o Overlay) (with fstest.MapFS, beside string) {
	t.Helper()
	with, beside = maps.Clone(fsys), "beside"
	up := path.Join("..", dir)
	o.Patches = append([]Patch(nil), o.Patches...)
	for i := range o.Patches {
		if o.Patches[i].Path != "" {
			o.Patches[i].Path = path.Join(up, o.Patches[i].Path)
		}
	}
	o.Components = append([]string(nil), o.Components...)
	for i := range o.Components {
		o.Components[i] = path.Join(up, o.Components[i])
	}
	fields := map[string]any{}
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	fields["resources"] = []string{up}
	if text, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	with["beside/kustomization.yaml"] = &fstest.MapFile{Data: text}
	return with, beside
}

// TestOverlayIsWhatKustomizeMakesOfOne compares each overlay with the same one written into a file.
func TestOverlayIsWhatKustomizeMakesOfOne(t *testing.T) {
	fsys := files(overlaidTree)
	for name, o := range overlays {
		t.Run(name, func(t *testing.T) {
			with, beside := writtenOut(t, fsys, "app", o)
			want, err := oracle(t, with, beside)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Build(context.Background(), fsys, "app", Options{Overlay: o})
			if err != nil {
				t.Fatal(err)
			}
			if g := yamlText(t, got); g != want {
				t.Errorf("got:\n%s\nwant:\n%s", g, want)
			}
			plain, err := Build(context.Background(), fsys, "app", Options{})
			if err != nil || printed(t, plain) == printed(t, got) {
				t.Errorf("the overlay changes nothing (%v)", err)
			}
		})
	}
}

// TestOverlayOverAFolderWithoutAKustomization has nothing below but a manifest.
func TestOverlayOverAFolderWithoutAKustomization(t *testing.T) {
	for _, dir := range []string{".", "deep/er"} {
		fsys := fstest.MapFS{path.Join(dir, "a.yaml"): {Data: []byte(oneObject)}}
		objects, err := Build(context.Background(), fsys, dir, Options{Overlay: Overlay{Namespace: "elsewhere"}})
		if err != nil || len(objects) != 1 || objects[0].GetNamespace() != "elsewhere" {
			t.Errorf("%s: %v, %v", dir, objects, err)
		}
	}
}

// TestOverlayKeepsWhatOnlyTheUppermostKustomizationSays sorts and annotates as the folder's kustomization asks for.
func TestOverlayKeepsWhatOnlyTheUppermostKustomizationSays(t *testing.T) {
	fsys := files(overlaidTree)
	fsys["app/kustomization.yaml"] = &fstest.MapFile{Data: []byte(
		"resources: [web.yaml, more.yaml]\nsortOptions: {order: fifo}\nbuildMetadata: [originAnnotations]\n")}
	objects, err := Build(context.Background(), fsys, "app", Options{Overlay: Overlay{Namespace: "elsewhere"}})
	if err != nil || objects[0].GetKind() != "Deployment" {
		t.Fatalf("%v, %v", objects, err)
	}
	const origin = "config.kubernetes.io/origin"
	if got := objects[0].GetAnnotations()[origin]; got != "path: web.yaml\n" {
		t.Errorf("its origin is %q", got)
	}
	fsys["app/kustomization.yaml"].Data = []byte("resources: [web.yaml, more.yaml]\nsortOptions: {order: legacy}\n")
	objects, err = Build(context.Background(), fsys, "app", Options{Overlay: Overlay{
		Namespace: "elsewhere", Components: []string{"../shared"}, BuildMetadata: []string{"originAnnotations", "transformerAnnotations"},
	}})
	if err != nil || objects[len(objects)-1].GetKind() != "Deployment" {
		t.Fatalf("%v, %v", objects, err)
	}
	notes := objects[0].GetAnnotations()
	if notes[origin] != "path: more.yaml\n" || !strings.Contains(notes["alpha.config.kubernetes.io/transformations"], "configuredIn: ../shared/kustomization.yaml") {
		t.Errorf("annotations: %v", notes)
	}
}

func TestMissingComponentsOfAnOverlay(t *testing.T) {
	fsys := files(overlaidTree)
	o := Overlay{Components: []string{"debug", "none"}}
	_, err := Build(context.Background(), fsys, "app", Options{Overlay: o})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `Options.Overlay: components: "none" does not exist`) {
		t.Errorf("got %v", err)
	}
	o.IgnoreMissingComponents = true
	objects, err := Build(context.Background(), fsys, "app", Options{Overlay: o})
	if err != nil || !strings.Contains(printed(t, objects), `"args":["-v"]`) {
		t.Errorf("%v, %v", objects, err)
	}
}

// TestOverlayErrorsSayThatTheyAreItsOwn breaks an overlay in several ways.
func TestOverlayErrorsSayThatTheyAreItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		overlay Overlay
		want    string
	}{
		"a patch for nobody":          {Overlay{Patches: []Patch{{Patch: "{apiVersion: v1, kind: Pod, metadata: {name: none}}"}}}, "no matches for Id Pod.v1"},
		"a patch that is not there":   {Overlay{Patches: []Patch{{Path: "none.yaml"}}}, `patches[0]: "none.yaml" does not exist`},
		"a patch from outside":        {Overlay{Patches: []Patch{{Path: "../../x.yaml"}}}, "path leaves the root"},
		"a component of another kind": {Overlay{Components: []string{"../plain"}}, "no kustomization.yaml in plain"},
		"a component from elsewhere":  {Overlay{Components: []string{"https://example.com/x"}}, "remote reference"},
	} {
		objects, err := Build(context.Background(), files(overlaidTree), "app", Options{Overlay: c.overlay})
		if err == nil || !strings.HasPrefix(err.Error(), "building app: Options.Overlay: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d objects, %v", name, len(objects), err)
		}
	}
	fsys := files(overlaidTree)
	fsys["app/web.yaml"].Data = []byte("kind: x")
	_, err := Build(context.Background(), fsys, "app", Options{Overlay: Overlay{Namespace: "elsewhere"}})
	if err == nil || !strings.HasPrefix(err.Error(), "building app: app/web.yaml:") {
		t.Errorf("an error below: %v", err)
	}
}

// TestOverlayIsNotChanged builds with an overlay whose slices have room.
func TestOverlayIsNotChanged(t *testing.T) {
	o := Overlay{Components: append(make([]string, 0, 9), "none", "debug"), IgnoreMissingComponents: true, BuildMetadata: append(make([]string, 0, 9), "managedByLabel")}
	before, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Build(context.Background(), files(overlaidTree), "app", Options{Overlay: o}); err != nil {
		t.Fatal(err)
	}
	if after, err := json.Marshal(o); err != nil || string(after) != string(before) {
		t.Errorf("it is %s and was %s", after, before)
	}
}
