package kustomize

import (
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/yaml"
)

// fields puts transformers into a kustomization.
func (g *treeGen) fields(dir string, k map[string]any) {
	for _, f := range []struct {
		name    string
		percent int
		value   func(dir string) any
	}{
		{"namespace", 30, func(string) any { return g.namespace() }},
		{"labels", 25, func(string) any { return g.labelEntries() }},
		{"commonLabels", 15, func(string) any { return g.texts() }},
		{"commonAnnotations", 20, func(string) any { return g.texts() }},
		{"images", 25, func(string) any { return g.images() }},
		{"replicas", 10, func(string) any { return g.replicas() }},
		{"patches", 30, g.patches},
		{"namePrefix", 7, func(string) any { return pick(g, "pre-", "q") }},
		{"nameSuffix", 7, func(string) any { return pick(g, "-suf", "-1") }},
		{"metadata", 6, func(string) any { return map[string]any{"name": "k"} }},
		{"configMapGenerator", 15, func(dir string) any { return g.generators(dir, "ConfigMap") }},
		{"secretGenerator", 10, func(dir string) any { return g.generators(dir, "Secret") }},
		{"generatorOptions", 7, func(string) any { return g.generatorOptions() }},
		{"buildMetadata", 1, func(string) any { return []any{"originAnnotations"} }},
		{"sortOptions", 1, func(string) any { return map[string]any{"order": "legacy"} }},
	} {
		if !g.chance(f.percent) {
			continue
		}
		if value := f.value(dir); value != nil {
			k[f.name], g.used[f.name] = value, true
		}
	}
}

func (g *treeGen) texts() map[string]any {
	m := map[string]any{}
	for range 1 + g.IntN(2) {
		m[pick(g, "app", "team", "tier", "app.kubernetes.io/name", "note")] = pick(g, "x", "y", "1", "true", "null", "", "line\nline\n", "a: b")
	}
	return m
}

func (g *treeGen) labelEntries() any {
	var all []any
	for range 1 + g.IntN(2) {
		l := map[string]any{"pairs": g.texts()}
		for _, option := range []string{"includeSelectors", "includeTemplates", "includeVolumeClaimTemplates"} {
			if g.chance(30) {
				l[option] = true
				g.used[option] = true
			}
		}
		if g.chance(15) {
			l["fields"] = []any{map[string]any{
				"path": pick(g, "spec/extra/labels", "spec/containers[]/labels", "spec/containers/labels", "metadata/labels", "spec/replicas", "data"),
				"kind": pick(g, "", "Deployment", "ConfigMap"), "create": g.chance(50),
			}}
			g.used["labels.fields"] = true
		}
		all = append(all, l)
	}
	return all
}

func (g *treeGen) images() any {
	var all []any
	for range 1 + g.IntN(2) {
		image := map[string]any{"name": pick(g, "nginx", "example.com/web", "web", "example.com:5000/web", "n.*", "[", "{x}", "12", "")}
		for field, values := range map[string][]string{
			"newName": {"other", "example.org/x", "7"}, "newTag": {"2.0", "latest", "1"}, "digest": {"sha256:abcd"}, "tagSuffix": {"-s"},
		} {
			if g.chance(40) {
				image[field] = pick(g, values...)
			}
		}
		all = append(all, image)
	}
	return all
}

func (g *treeGen) replicas() any {
	name := g.name()
	if g.tame {
		name = ""
	}
	for _, o := range g.objects {
		if kind := o["kind"]; kind == "Deployment" || kind == "StatefulSet" {
			name = o["metadata"].(map[string]any)["name"].(string)
		}
	}
	if name == "" {
		return nil
	}
	return []any{map[string]any{"name": name, "count": g.IntN(9)}}
}

// patches aims at objects that may be below, or elsewhere.
func (g *treeGen) patches(dir string) any {
	var all []any
	for i := range 1 + g.IntN(2) {
		if len(g.objects) == 0 {
			break
		}
		entry, aim := map[string]any{}, pick(g, g.objects...)
		text, targeted := "", g.chance(50)
		if g.chance(40) {
			text, targeted = g.jsonPatch(aim), true
			g.used["patches.json"] = true
		} else {
			text = g.strategicPatch(aim)
			g.used["patches.strategic"] = true
		}
		if targeted {
			entry["target"] = g.target(aim)
			g.used["patches.target"] = true
		}
		if g.chance(30) {
			name := fmt.Sprintf("p%d.yaml", i)
			g.write(path.Join(dir, name))
			g.fsys[path.Join(dir, name)].Data = []byte(text)
			entry["path"] = name
			g.used["patches.path"] = true
		} else {
			entry["patch"] = text
		}
		if g.chance(3) {
			entry["options"] = map[string]any{"allowNameChange": true}
		}
		all = append(all, entry)
	}
	return all
}

func (g *treeGen) target(o map[string]any) any {
	target := map[string]any{}
	if g.chance(80) {
		target["kind"] = o["kind"]
	}
	if g.chance(40) {
		target["name"] = pick(g, o["metadata"].(map[string]any)["name"].(string), ".*", "a|b", "[")
	}
	if g.chance(20) {
		target["namespace"] = pick(g, g.namespace(), "default", ".*")
	}
	if g.chance(15) {
		target["labelSelector"] = pick(g, "app=x", "team", "app in (x, y)", "!tier", "a b")
	}
	if g.chance(10) {
		target["annotationSelector"] = pick(g, "note=a", "note")
	}
	if g.chance(15) {
		target["group"] = pick(g, "apps", "batch", ".*")
	}
	return target
}

func (g *treeGen) jsonPatch(o map[string]any) string {
	var ops []any
	if g.chance(60) {
		return `[{"op": "add", "path": "/metadata/annotations/x", "value": "y"}, {"op": "replace", "path": "/kind", "value": "` + o["kind"].(string) + `"}]`
	}
	for range 1 + g.IntN(2) {
		op := map[string]any{"op": pick(g, "add", "replace", "add", "remove", "test", "copy", "move"), "path": pick(g,
			"/metadata/annotations/x", "/metadata/labels/app", "/spec/replicas", "/spec/template/spec/containers/0/image",
			"/spec/template/spec/containers/-", "/metadata/annotations", "/spec/extra", "/data/app", "/metadata/name", "/metadata/namespace")}
		op["value"] = pick[any](g, "v", 7, nil, map[string]any{"name": "n"}, 1.5, []any{"a"}, "1", 2000000)
		if op["op"] == "copy" || op["op"] == "move" {
			delete(op, "value")
			op["from"] = pick(g, "/metadata/name", "/spec/replicas", "/kind", "/metadata/labels")
		}
		ops = append(ops, op)
	}
	text, err := yaml.Marshal(ops)
	if err != nil {
		panic(err)
	}
	if g.chance(30) {
		text, _ = yaml.YAMLToJSON(text)
	}
	return string(text)
}

func (g *treeGen) strategicPatch(o map[string]any) string {
	metadata := map[string]any{"name": o["metadata"].(map[string]any)["name"]}
	if ns, ok := o["metadata"].(map[string]any)["namespace"]; ok && g.chance(80) {
		metadata["namespace"] = ns
	}
	p := map[string]any{"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": metadata}
	if g.chance(30) {
		metadata["labels"] = pick[any](g, g.texts(), map[string]any{"app": nil}, nil)
	}
	if g.chance(30) {
		metadata["annotations"] = pick[any](g, g.texts(), map[string]any{"note": nil}, nil, map[string]any{})
	}
	if g.chance(30) {
		p["data"] = pick[any](g, g.texts(), map[string]any{"app": nil}, nil)
	}
	if g.chance(50) {
		spec := map[string]any{}
		if g.chance(40) {
			spec["replicas"] = pick[any](g, 5, nil)
		}
		if g.chance(70) {
			c := map[string]any{"name": pick(g, "web", "side", "new")}
			if g.chance(50) {
				c["env"] = []any{map[string]any{"name": pick(g, "A", "N"), "value": "p"}}
			}
			if g.chance(30) {
				c["ports"] = []any{map[string]any{"containerPort": pick(g, 80, 99), "protocol": "TCP"}}
			}
			if g.chance(10) {
				c["$patch"] = pick(g, "delete", "replace", "merge", "bad")
			}
			if g.chance(20) {
				c["args"] = []any{"-z"}
			}
			spec["template"] = map[string]any{"spec": map[string]any{"containers": []any{c}}}
		}
		if g.chance(20) {
			spec["ports"] = []any{map[string]any{"port": 80, "name": "patched"}}
		}
		p["spec"] = spec
	}
	if g.chance(7) {
		p["$patch"] = pick(g, "delete", "replace")
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		panic(err)
	}
	if g.chance(5) {
		return string(text) + "---\n" + strings.ReplaceAll(string(text), "-z", "-y")
	}
	return string(text)
}
