package kustomize

import (
	"fmt"
	"path"
	"strings"
)

// kustomization grows a folder with a kustomization, with up to depth levels of others below it, and returns the folder.
func (g *grower) kustomization(depth int, component bool) string {
	kind, head := "k", ""
	if component {
		kind, head = "c", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	} else if g.seldom(3) {
		head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
	}
	dir := g.folder(kind)
	var resources, components []string
	if depth > 0 {
		for range 1 + g.pick(2) {
			resources = append(resources, relative(dir, g.kustomization(depth-1-g.pick(depth), false)))
		}
		if g.seldom(3) {
			components = append(components, relative(dir, g.kustomization(0, true)))
		}
	}
	if depth == 0 && !component || g.seldom(3) {
		resources = append(resources, g.manifestFiles(dir)...)
	}
	fields := []string{listed("resources", resources), listed("components", components)}
	for range g.pick(6) {
		fields = append(fields, growFields[g.pick(len(growFields))](g, dir))
	}
	g.write(path.Join(dir, g.of("kustomization.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization")),
		head+once(fields))
	return dir
}

// once joins fields, of those that are there twice only the first.
func once(fields []string) string {
	seen, text := map[string]bool{}, ""
	for _, f := range fields {
		key, _, _ := strings.Cut(f, ":")
		if !seen[key] {
			text += f
		}
		seen[key] = true
	}
	if text == "" {
		return "nameSuffix: \"\"\n"
	}
	return text
}

func listed(field string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	return field + ":\n- " + strings.Join(values, "\n- ") + "\n"
}

// growFields each return one field of a kustomization, and write the files that it names.
var growFields = []func(g *grower, dir string) string{
	func(g *grower, _ string) string { return "namePrefix: " + g.of("pre-", "p2-") + "\n" },
	func(g *grower, _ string) string { return "nameSuffix: " + g.of("-suf", "'-2'") + "\n" },
	func(g *grower, _ string) string { return "namespace: " + g.of("ns", "default", "web") + "\n" },
	func(g *grower, _ string) string { return "commonLabels: {app: all, env: " + g.text() + "}\n" },
	func(g *grower, _ string) string { return "commonAnnotations: {note: " + g.text() + "}\n" },
	func(g *grower, _ string) string {
		return fmt.Sprintf("labels:\n- pairs: {team: %s}\n  includeSelectors: %s\n  includeTemplates: %s\n",
			g.text(), g.of("false", "true"), g.of("false", "true"))
	},
	func(g *grower, _ string) string {
		return "images:\n- name: example.com/web\n  " + g.of("newTag: v2", "newName: other/web", "newTag: '1.0'",
			"digest: sha256:abc", "newName: x\n  newTag: y", "tagSuffix: -z") + "\n"
	},
	func(g *grower, _ string) string {
		return fmt.Sprintf("replicas:\n- {name: %s, count: %d}\n", g.known("Deployment").name, g.pick(5))
	},
	(*grower).patchesField, (*grower).patchesField, (*grower).oldPatchesField, (*grower).jsonPatchesField,
	(*grower).configMapsField, (*grower).configMapsField, (*grower).secretsField,
	func(g *grower, _ string) string {
		return "generatorOptions: {disableNameSuffixHash: " + g.of("true", "false") + ", labels: {gen: 'yes'}}\n"
	},
	(*grower).replacementsField, (*grower).varsField,
	func(g *grower, _ string) string {
		return "buildMetadata: [" + g.of("originAnnotations", "managedByLabel") + "]\n"
	},
	func(g *grower, _ string) string { return "sortOptions: {order: " + g.of("fifo", "legacy") + "}\n" },
	(*grower).transformersField,
}

var growPatches = []string{
	"spec:\n  replicas: 3\n",
	"metadata:\n  labels: {patched: TEXT}\n  annotations: {gone: null, note: TEXT}\n",
	"spec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: patched\n        env: [{name: A, value: TEXT}]\n",
	"spec:\n  template:\n    spec:\n      containers:\n      - {name: side, $patch: delete}\n      volumes:\n      - {name: v, configMap: {name: REF}}\n",
	"$patch: delete\n",
	"data: {added: TEXT, key: null}\n",
	"spec:\n  $patch: replace\n  a: SCALAR\n",
	"spec:\n  ports: [{port: 80, name: NAME}]\n",
}

func (g *grower) mergePatch() string {
	o := g.known(g.of("", "Deployment", "Widget", "ConfigMap"))
	patch := g.filled(growPatches[g.pick(len(growPatches))])
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n", o.apiVersion, o.kind, o.name) +
		strings.TrimPrefix(patch, "metadata:\n")
}

func (g *grower) jsonPatch() string {
	return "- " + strings.Join([]string{g.operation(), g.operation()}[:1+g.pick(2)], "\n- ") + "\n"
}

func (g *grower) operation() string {
	return g.of(
		"{op: add, path: /metadata/labels, value: {json: patched}}",
		"{op: replace, path: /metadata/name, value: renamed}",
		"{op: add, path: /added, value: "+g.scalar()+"}",
		"{op: copy, from: /metadata, path: /copied}",
		"{op: add, path: /spec, value: {a: [1, 2]}}",
		"{op: test, path: /apiVersion, value: v1}",
		"{op: move, from: /kind, path: /moved}",
		"op: add\n  path: /metadata/annotations\n  value:\n    a/b: "+g.text())
}

func (g *grower) target() string {
	return "target: {" + g.of("kind: Deployment", "kind: ConfigMap, name: web", "labelSelector: tier=front", "name: .*",
		"kind: Service", "version: v1", "annotationSelector: note", "group: apps", "namespace: there", "kind: Widget") + "}\n"
}

func indent(text, by string) string {
	return by + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n"+by), by)
}

func (g *grower) patchFile(dir, text string) string {
	g.folders++
	name := fmt.Sprintf("patch%d.yaml", g.folders)
	g.write(path.Join(dir, name), text)
	return name
}

func (g *grower) patchesField(dir string) string {
	text := "patches:\n"
	for range 1 + g.pick(2) {
		target, patch := "  "+g.target(), g.jsonPatch()
		if g.pick(2) == 0 {
			patch = g.mergePatch()
			if g.pick(2) == 0 {
				target = ""
			}
		}
		if g.seldom(4) {
			target += "  options: {" + g.of("allowNameChange", "allowKindChange") + ": true}\n"
		}
		if g.pick(2) == 0 {
			text += "- patch: |-\n" + indent(patch, "    ") + target
		} else {
			text += "- path: " + g.patchFile(dir, patch) + "\n" + target
		}
	}
	return text
}

func (g *grower) oldPatchesField(dir string) string {
	if g.pick(2) == 0 {
		return "patchesStrategicMerge:\n- " + g.patchFile(dir, g.mergePatch()) + "\n"
	}
	return "patchesStrategicMerge:\n- |-\n" + indent(g.mergePatch(), "  ")
}

func (g *grower) jsonPatchesField(dir string) string {
	o := g.known("")
	group, version, found := strings.Cut(o.apiVersion, "/")
	if !found {
		group, version = "", group
	}
	return fmt.Sprintf("patchesJson6902:\n- target: {group: %q, version: %s, kind: %s, name: %s}\n  path: %s\n",
		group, version, o.kind, o.name, g.patchFile(dir, g.jsonPatch()))
}

func (g *grower) generated(dir string) string {
	text := "- name: " + g.name() + "\n"
	if g.seldom(3) {
		text += "  behavior: " + g.of("merge", "replace", "create") + "\n"
	}
	if g.seldom(4) {
		text += "  namespace: there\n"
	}
	if g.seldom(4) {
		text += "  options: {disableNameSuffixHash: true, immutable: true, annotations: {gen: TEXT}}\n"
	}
	text += g.of("", "  literals: [a=b, 'c=d=e', \"f=g\\nh\"]\n", "  literals: ['a=\"quoted\"']\n")
	if g.seldom(2) {
		g.write(path.Join(dir, "values.env"), g.of("A=1\n# comment\n\nB=two words \n", "A=1", "\ufeffA=1\n"))
		text += "  envs: [values.env]\n"
	}
	if g.seldom(2) {
		g.write(path.Join(dir, "conf.txt"), g.of("text\n", "", "a\r\nb\n", "\x00\xff", "  lead\ntrail  \n", "\ttab"))
		text += "  files: [" + g.of("conf.txt", "renamed=conf.txt") + "]\n"
	}
	return text
}

func (g *grower) configMapsField(dir string) string {
	return "configMapGenerator:\n" + g.filled(g.generated(dir))
}

func (g *grower) secretsField(dir string) string {
	return "secretGenerator:\n" + g.filled(g.generated(dir)) + g.of("", "  type: Opaque\n")
}

func (g *grower) replacementsField(dir string) string {
	o := g.known(g.of("", "Deployment"))
	source := fmt.Sprintf("{kind: %s, name: %s%s}", o.kind, o.name, g.of("", ", fieldPath: kind",
		", fieldPath: metadata.name, options: {delimiter: '-', index: 0}", ", fieldPath: apiVersion", ", fieldPath: spec.replicas"))
	target := g.of("fieldPaths: [metadata.labels.copied]\n    options: {create: true}",
		"fieldPaths: ['spec.template.spec.containers.[name=web].image']\n    options: {delimiter: ':', index: 1}",
		"fieldPaths: [spec.template.spec.containers.*.image]", "fieldPaths: [metadata.name]")
	text := fmt.Sprintf("- source: %s\n  targets:\n  - select: {kind: %s}\n    %s\n", source, g.known("").kind, target)
	if g.seldom(3) {
		return "replacements:\n- path: " + g.patchFile(dir, text) + "\n"
	}
	return "replacements:\n" + text
}

func (g *grower) varsField(string) string {
	o := g.known(g.of("Service", "ConfigMap", ""))
	return fmt.Sprintf("vars:\n- name: SOME_VAR\n  objref: {apiVersion: %s, kind: %s, name: %s}\n%s",
		o.apiVersion, o.kind, o.name, g.of("", "  fieldref: {fieldpath: kind}\n"))
}

func (g *grower) transformersField(string) string {
	return "transformers:\n- |-\n  apiVersion: builtin\n  kind: " + g.of("PrefixTransformer\n  metadata: {name: t}\n  prefix: t-\n"+
		"  fieldSpecs: [{path: metadata/name}]\n", "LabelTransformer\n  metadata: {name: t}\n  labels: {t: t}\n"+
		"  fieldSpecs: [{path: metadata/labels, create: true}]\n", "HashTransformer\n  metadata: {name: t}\n")
}
