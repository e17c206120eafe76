package kustomize

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing/fstest"
)

// grower makes whole trees of choices. Equal choices make equal trees; where they run out, the first of what there is to choose
// is taken, which is the simplest.
type grower struct {
	choices []byte
	fsys    fstest.MapFS
	folders int
	objects []grownObject
}

type grownObject struct{ apiVersion, kind, name string }

// growTree makes a tree and says which folder of it to build.
func growTree(choices []byte) (fstest.MapFS, string) {
	g := &grower{choices: choices, fsys: fstest.MapFS{}}
	return g.fsys, g.kustomization(g.pick(4), false)
}

// pick chooses one of n.
func (g *grower) pick(n int) int {
	if len(g.choices) == 0 || n < 2 {
		return 0
	}
	c := int(g.choices[0])
	g.choices = g.choices[1:]
	return c % n
}

// seldom is true once in n times, and never where choices ran out.
func (g *grower) seldom(n int) bool { return g.pick(n) == n-1 }

func (g *grower) of(words ...string) string { return words[g.pick(len(words))] }

func (g *grower) write(name, text string) {
	if g.seldom(12) {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	g.fsys[name] = &fstest.MapFile{Data: []byte(text)}
}

func (g *grower) folder(kind string) string {
	g.folders++
	if g.seldom(4) {
		return fmt.Sprintf("deep/er/%s%d", kind, g.folders)
	}
	return fmt.Sprintf("%s%d", kind, g.folders)
}

// relative is the path from one folder to another.
func relative(from, to string) string {
	return strings.Repeat("../", strings.Count(from, "/")+1) + to
}

var growNames = []string{"web", "db", "settings", "a-rather-long-name", "web-2"}

func (g *grower) name() string { return g.of(growNames...) }

// known is an object that has grown already, of a kind if that is not empty, or at times one that has not.
func (g *grower) known(kind string) grownObject {
	var fitting []grownObject
	for _, o := range g.objects {
		if kind == "" || o.kind == kind {
			fitting = append(fitting, o)
		}
	}
	if len(fitting) == 0 || g.seldom(20) {
		return grownObject{"apps/v1", "Deployment", "web"}
	}
	return fitting[g.pick(len(fitting))]
}

// scalar is a value in one of the many ways of YAML.
func (g *grower) scalar() string {
	return g.of("plain", "1", `"quoted"`, "'single ''quotes'''", `"1"`, "true", "'true'", "1.50", "0x1F", "017", "1e3", "~", "null",
		`""`, "2001-12-14", "yes", "on", `"with \"escapes\" \u00e9\n"`, "é", "-1", "9007199254740993", "1_000",
		"12345678901234567890", "1.0", ".5", "0o17", "0b11", "+1", "!!str 12", "1:30", "a#b", "[1, two]", "{k: v}", "1e400")
}

func (g *grower) text() string {
	return g.of("plain", `"quoted"`, "'true'", `"1"`, "two words", "'a: b'", `"a\nb"`, "~x", "a#b")
}

func (g *grower) block(indent string) string {
	lines := []string{"first line"}
	for range g.pick(5) {
		lines = append(lines, g.of("next", "  indented", "", "last: 1", "\ttab", "# no comment", "trailing ", "---"))
	}
	return g.of("|", "|-", "|+", ">", ">-", ">+") + "\n" + indent + strings.Join(lines, "\n"+indent) + "\n"
}

// manifestFiles writes files of objects into a folder and returns their names.
func (g *grower) manifestFiles(dir string) []string {
	var names []string
	for i := range 1 + g.pick(3) {
		name := fmt.Sprintf("%s%d.%s", g.of("m", "z", "sub/m"), i, g.of("yaml", "yml"))
		var docs []string
		for range 1 + g.pick(3) {
			docs = append(docs, g.document())
		}
		text := strings.Join(docs, g.of("---\n", "---\n", "--- # comment\n", "---\n---\n", "\n---\n\n"))
		g.write(path.Join(dir, name), g.of("", "", "---\n", "# comment\n", "\n")+text+g.of("", "", "---\n", "# end\n"))
		names = append(names, name)
	}
	return names
}

func (g *grower) document() string {
	if !g.seldom(8) {
		return g.object()
	}
	if g.seldom(3) {
		return "# nothing but a comment\n"
	}
	text := g.of("apiVersion: v1\nkind: List\nitems:\n", "apiVersion: v1\nkind: ConfigMapList\nitems:\n")
	for range 1 + g.pick(3) {
		text += "- " + strings.TrimSuffix(strings.ReplaceAll(g.object(), "\n", "\n  "), "  ")
	}
	return text
}

// growKinds are templates of objects. NAME, TEXT, SCALAR, BLOCK and REF are chosen each time that they stand there.
var growKinds = []struct{ apiVersion, kind, body string }{
	{"v1", "ConfigMap", "data:\n  key: TEXT\n  file: BLOCK  other: \"x\"\n"},
	{"apps/v1", "Deployment", growWorkload},
	{"v1", "Service", "spec:\n  selector: {app: NAME}\n  ports:\n  - {port: 80, targetPort: http}\n  - port: 81\n    name: NAME\n"},
	{"v1", "Secret", "stringData: {password: TEXT}\n"},
	{"apps/v1", "StatefulSet", growWorkload},
	{"networking.k8s.io/v1", "Ingress", "spec:\n  rules:\n  - host: example.com\n    http:\n      paths:\n" +
		"      - path: /\n        pathType: Prefix\n        backend: {service: {name: REF, port: {number: 80}}}\n"},
	{"v1", "ServiceAccount", "secrets:\n- name: REF\n"},
	{"rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: REF}\n" +
		"subjects:\n- {kind: ServiceAccount, name: REF, namespace: default}\n"},
	{"rbac.authorization.k8s.io/v1", "Role", "rules:\n- {apiGroups: [\"\"], resources: [secrets], resourceNames: [REF], verbs: [get]}\n"},
	{"autoscaling/v2", "HorizontalPodAutoscaler", "spec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: REF}\n"},
	{"v1", "Namespace", ""},
	{"example.com/v1", "Widget", "spec: &s\n  a: SCALAR\n  b: SCALAR\n  list: [SCALAR, SCALAR]\nother: *s\n"},
	{"example.com/v1", "Widget", "base: &b {x: SCALAR, y: TEXT}\nmerged:\n  <<: *b\n  x: TEXT\n"},
	{"batch/v1", "CronJob", "spec:\n  schedule: '* * * * *'\n  jobTemplate:\n    spec:\n      template:\n        spec:\n" +
		"          containers:\n          - {name: NAME, image: example.com/web}\n"},
	{"v1", "PersistentVolumeClaim", "spec: {resources: {requests: {storage: 1Gi}}}\n"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole", "rules: []\n"},
}

const growWorkload = `spec:
  replicas: 1   # a comment
  selector: {matchLabels: {app: NAME}}
  template:
    metadata:
      labels: {app: web}
    spec:
      serviceAccountName: REF
      initContainers: []
      containers:
      - name: web
        image: example.com/web:1.0
        args: [TEXT, $(SOME_VAR), "--flag=$(SOME_VAR)"]
        env:
        - name: A
          value: TEXT
        - name: B
          valueFrom: {configMapKeyRef: {name: REF, key: a}}
        envFrom:
        - secretRef:
            name: REF
      - {name: side, image: "side@sha256:0123456789012345678901234567890123456789012345678901234567890123"}
      volumes:
      - {name: v, configMap: {name: REF}}
      - {name: s, secret: {secretName: REF}}
`

func (g *grower) object() string {
	k := growKinds[g.pick(len(growKinds))]
	name, metadata := g.name(), ""
	if g.seldom(5) {
		metadata += "  namespace: " + g.of("default", "there") + "\n"
	}
	if slices.Contains(g.objects, grownObject{k.apiVersion, k.kind, name}) && !g.seldom(20) {
		name += fmt.Sprintf("-%d", len(g.objects))
	}
	g.objects = append(g.objects, grownObject{k.apiVersion, k.kind, name})
	if g.seldom(3) {
		metadata += "  labels: {app: " + g.text() + ", tier: " + g.of("front", "back") + "}\n"
	}
	if g.seldom(4) {
		metadata += "  annotations:\n    note: " + g.of(g.text(), g.block("      "), g.scalar()) + "\n"
	}
	if g.seldom(10) {
		metadata += "  creationTimestamp: null\n"
	}
	head := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n%s", k.apiVersion, k.kind, g.quoted(name), metadata)
	if g.seldom(6) {
		return g.filled(k.body) + head
	}
	return head + g.filled(k.body)
}

func (g *grower) quoted(word string) string {
	return g.of(word, word, `"`+word+`"`, "'"+word+"'", word+" # why")
}

// filled replaces the words in capitals of a template.
func (g *grower) filled(body string) string {
	var b strings.Builder
	for body != "" {
		at, word := len(body), ""
		for _, w := range []string{"NAME", "TEXT", "SCALAR", "BLOCK", "REF"} {
			if i := strings.Index(body, w); i >= 0 && i < at {
				at, word = i, w
			}
		}
		b.WriteString(body[:at])
		body = body[at+len(word):]
		switch word {
		case "NAME", "REF":
			b.WriteString(g.name())
		case "TEXT":
			b.WriteString(g.text())
		case "SCALAR":
			b.WriteString(g.scalar())
		case "BLOCK":
			b.WriteString(g.block("    "))
		}
	}
	return b.String()
}
