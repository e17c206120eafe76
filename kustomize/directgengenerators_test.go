package kustomize

import (
	"fmt"
	"path"
	"strings"
	"testing/fstest"
)

// generators are the entries of the field that generates objects of a kind. Patches aim at what they generate, and others
// refer to it.
func (g *treeGen) generators(dir, kind string) any {
	var all []any
	for i := range 1 + g.IntN(2) {
		entry := map[string]any{"name": g.newName()}
		if g.chance(20) {
			entry["namespace"] = g.namespace()
		}
		if g.chance(15) {
			entry["behavior"] = pick(g, "create", "create", "merge", "replace")
		}
		if generated := g.generatedBefore(kind); len(generated) > 0 && g.chance(40) {
			metadata := pick(g, generated...)["metadata"].(map[string]any)
			entry["name"], entry["behavior"] = metadata["name"], pick(g, "merge", "merge", "replace")
			delete(entry, "namespace")
			if namespace, ok := metadata["namespace"]; ok {
				entry["namespace"] = namespace
			}
		}
		if g.chance(25) {
			entry["options"] = g.generatorOptions()
			g.used["generator.options"] = true
		}
		if kind == "Secret" && g.chance(30) {
			entry["type"] = pick(g, "Opaque", "kubernetes.io/tls", "1")
		}
		if entry["behavior"] != nil {
			g.used["generator.behavior"] = true
		}
		g.sources(dir, fmt.Sprintf("%s%d", kind, i), entry)
		all = append(all, entry)
		metadata := map[string]any{"name": entry["name"]}
		if namespace, ok := entry["namespace"]; ok {
			metadata["namespace"] = namespace
		}
		o := map[string]any{"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": "generated"}
		g.objects = append(g.objects, o)
	}
	return all
}

func (g *treeGen) generatedBefore(kind string) []map[string]any {
	var found []map[string]any
	for _, o := range g.objects {
		if o["kind"] == kind && o["data"] == "generated" {
			found = append(found, o)
		}
	}
	return found
}

func (g *treeGen) sources(dir, name string, entry map[string]any) {
	value := func() string {
		text := pick(g, "x", "", "1", "true", "null", "a b: c", "é", "line\nline\n", "a\n b", "'q'", `"q"`, `"`, "0x10", "~",
			"k=v", "a,b", "{a: b}")
		if g.chance(10) {
			text = pick(g, " lead\nx", "end\n\n", "\ttab", "a\tb\n\tc", "a\r\nb\r\n", "\n", "trail \nx", "# no", "- a\n- b\n",
				"\u2028x\ny", "\ufeffbom", "\x01", strings.Repeat("long ", 30)+"line\nand another\n")
		}
		return text
	}
	if g.chance(70) {
		literals := []any{"app=" + value()}
		if g.chance(50) {
			literals = append(literals, pick(g, "b", "team", "1", "true", "A.b-c", "k")+"="+value())
		}
		entry["literals"] = literals
		g.used["generator.literals"] = true
	}
	if g.chance(40) {
		file := name + ".conf"
		content := value()
		if g.chance(15) {
			content = pick(g, "\xff\xfe\x00binary", "\xff"+fmt.Sprintf("%0100d", g.IntN(9)))
		}
		g.fsys[path.Join(dir, file)] = &fstest.MapFile{Data: []byte(content)}
		entry["files"] = []any{pick(g, "", "key.txt=", "f=", "app=") + file}
		g.used["generator.files"] = true
	}
	if g.chance(25) {
		file := name + ".env"
		content := pick(g, "E=1\n# no\n\nF=a=b", "\ufeffE=x", "E", "E='q'\r\nG=2", "  E=lead \n", "app=y\n")
		g.fsys[path.Join(dir, file)] = &fstest.MapFile{Data: []byte(content)}
		if g.chance(30) {
			entry["env"] = file
			g.used["generator.env"] = true
		} else {
			entry["envs"] = []any{file}
			g.used["generator.envs"] = true
		}
	}
}

func (g *treeGen) generatorOptions() any {
	options := map[string]any{}
	if g.chance(40) {
		options["disableNameSuffixHash"] = g.chance(70)
	}
	if g.chance(30) {
		options["immutable"] = g.chance(70)
	}
	if g.chance(40) {
		options["labels"] = g.texts()
	}
	if g.chance(40) {
		options["annotations"] = g.texts()
	}
	if g.chance(4) {
		options["annotations"] = map[string]any{pick(g, "config.kubernetes.io/local-config",
			"internal.config.kubernetes.io/needsHashSuffix", "kustomize.config.k8s.io/needs-hash"): "true"}
	}
	return options
}
