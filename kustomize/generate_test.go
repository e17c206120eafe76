package kustomize

import (
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// generatedBase has a workload that refers to what is generated beside it, in every way there is.
const generatedBase = `
-- base/kustomization.yaml --
resources: [web.yaml]
namePrefix: base-
generatorOptions: {labels: {from: base}, annotations: {note: all}}
configMapGenerator:
- name: settings
  literals: [mode=fast, 'quoted="two words"', number=1, 'empty=']
  files: [nginx.conf, other.conf=nginx.conf]
- {name: plain, env: settings.env, options: {disableNameSuffixHash: true, immutable: true, labels: {from: plain}}}
secretGenerator:
- {name: keys, type: kubernetes.io/tls, files: [tls.key=binary], envs: [settings.env]}
-- base/nginx.conf --
server {
	listen 80;
}
-- base/binary --
here comes what no text is
-- base/settings.env --
# comment
A=1
B=x=y
-- base/web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      imagePullSecrets: [{name: keys}]
      containers:
      - name: web
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}, {configMapRef: {name: plain}}]
        env:
        - {name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}
        - {name: KEY, valueFrom: {secretKeyRef: {name: keys, key: A}}}
      volumes:
      - {name: a, configMap: {name: settings}}
      - {name: b, secret: {secretName: keys}}
      - {name: c, projected: {sources: [{configMap: {name: settings}}, {secret: {name: keys}}]}}
`

func generatedTree(app string) fstest.MapFS {
	fsys := files(generatedBase + app)
	fsys["base/binary"].Data = []byte("\x00\xff" + strings.Repeat("binary", 30))
	return fsys
}

// TestDirectGeneratesAsKustomize has trees with generators in which the hash depends on what else is done.
func TestDirectGeneratesAsKustomize(t *testing.T) {
	for name, app := range map[string]string{
		"under two levels of names": `
-- middle/kustomization.yaml --
resources: [../base]
nameSuffix: -middle
configMapGenerator: [{name: more, literals: [mode=middle]}]
-- app/kustomization.yaml --
resources: [../middle]
namePrefix: app-
namespace: spot
labels: [{pairs: {team: blue}, includeSelectors: true, fields: [{path: data, create: true}]}]
`,
		"patched": `
-- app/kustomization.yaml --
resources: [../base]
patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {mode: slow, number: null}
- target: {kind: Secret}
  patch: |-
    - {op: add, path: /data/more, value: bW9yZQ==}
    - {op: add, path: /metadata/annotations/x, value: "y"}
`,
		"patched to have no annotations": `
-- app/kustomization.yaml --
resources: [../base]
patches:
- target: {name: settings}
  patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: any, annotations: null}
`,
		"merged and replaced": `
-- component/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
secretGenerator: [{name: base-keys, behavior: replace, literals: [only=this]}]
-- app/kustomization.yaml --
resources: [../base]
components: [../component]
nameSuffix: -app
configMapGenerator:
- {name: settings, behavior: merge, literals: [mode=merged, new=1], options: {labels: {from: app}}}
- {name: base-plain, behavior: merge, literals: [new=1], options: {disableNameSuffixHash: true}}
`,
		"listed by two": `
-- one/kustomization.yaml --
resources: [../base]
namePrefix: one-
-- two/kustomization.yaml --
resources: [../base]
namePrefix: two-
-- app/kustomization.yaml --
resources: [../one, ../two]
generatorOptions: {disableNameSuffixHash: true, labels: {from: app}}
secretGenerator: [{name: own, namespace: else, literals: [a=b]}]
`,
		"called needy or local": `
-- app/kustomization.yaml --
resources: [../base, listed.yaml]
configMapGenerator:
- {name: needy, options: {disableNameSuffixHash: true, annotations: {kustomize.config.k8s.io/needs-hash: "true"}}}
- {name: local, options: {annotations: {config.kubernetes.io/local-config: "true"}}}
-- app/listed.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: listed, annotations: {kustomize.config.k8s.io/needs-hash: "true"}}
`,
	} {
		t.Run(name, func(t *testing.T) {
			if built, direct := checkDirect(t, generatedTree(app)); !built || !direct {
				t.Errorf("built: %v, direct: %v", built, direct)
			}
		})
	}
}

// TestDirectLeavesGeneratorsToKustomize has what kustomize refuses, and what depends on how it prints a text.
func TestDirectLeavesGeneratorsToKustomize(t *testing.T) {
	const listed = `
-- app/listed.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: listed}
data: {number: "16"}
`
	for name, c := range map[string]struct {
		app   string
		built bool
	}{
		"an object that is listed is merged into": {listed + `
-- app/kustomization.yaml --
resources: [../base, listed.yaml]
configMapGenerator: [{name: listed, behavior: merge, literals: [a=b]}]
`, true},
		"the data are no texts": {`
-- app/kustomization.yaml --
resources: [../base]
patches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {number: 0x10}}'}]
`, true},
		"a text has blank lines at its end": {`
-- app/kustomization.yaml --
resources: [../base]
configMapGenerator: [{name: blank, literals: ["a=b\nc\n\n\n"]}]
`, true},
		"a patch has a folded text": {`
-- app/kustomization.yaml --
resources: [../base]
patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data:
      mode: >
        one line

          and another
`, true},
		"one is there already": {listed + `
-- app/kustomization.yaml --
resources: [../base, listed.yaml]
configMapGenerator: [{name: listed, literals: [a=b]}]
`, false},
		"one was there under that name": {`
-- app/kustomization.yaml --
resources: [../base]
configMapGenerator: [{name: settings, literals: [a=b]}]
`, false},
		"nothing is there to merge into": {`
-- app/kustomization.yaml --
resources: [../base]
configMapGenerator: [{name: other, behavior: merge, literals: [a=b]}]
`, false},
		"a key is there twice": {`
-- app/kustomization.yaml --
resources: [../base]
configMapGenerator: [{name: other, literals: [a=b, a=c]}]
`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if built, direct := checkDirect(t, generatedTree(c.app)); built != c.built || direct {
				t.Errorf("built: %v, direct: %v", built, direct)
			}
		})
	}
}

// TestDirectGeneratesFromRemoteFiles has keys that are the names of files in addresses.
func TestDirectGeneratesFromRemoteFiles(t *testing.T) {
	fsys := files(`
-- app/kustomization.yaml --
namespace: spot
configMapGenerator:
- name: settings
  files: ["https://h/files/data.txt", "other=https://h/files/data.txt"]
  envs: ["https://h/files/settings.env"]
`)
	serve := &remotes{by: map[string]fs.FS{
		"https://h/files/data.txt":     fstest.MapFS{"data.txt": &fstest.MapFile{Data: []byte("text\n")}},
		"https://h/files/settings.env": fstest.MapFS{"settings.env": &fstest.MapFile{Data: []byte("A=1\n")}},
	}}
	scanned, err := scanTree(t.Context(), fsys, "app", Options{Remote: serve.get}.withDefaults(), newRecord(fsys, false))
	if err != nil {
		t.Fatal(err)
	}
	got, err := scanned.direct(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := scanned.kustomize(t.Context())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v, %v", got, want, err)
	}
	if data, ok := got[0]["data"].(map[string]any); !ok || data["data.txt"] != "text\n" {
		t.Errorf("generated %v", got[0])
	}
}
