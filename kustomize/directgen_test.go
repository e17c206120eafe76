package kustomize

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing/fstest"

	"sigs.k8s.io/yaml"
)

// treeGen makes small trees of kustomizations at random: mostly what people write, and some of what nobody should.
type treeGen struct {
	*rand.Rand
	fsys    fstest.MapFS
	objects []map[string]any // all that were made, for patches to aim at
	used    map[string]bool  // fields of kustomizations
	folders int
	tame    bool // no odd values, so that builds seldom fail
}

func generateTree(seed uint64) (fstest.MapFS, map[string]bool) {
	g := &treeGen{Rand: rand.New(rand.NewPCG(seed, 4)), fsys: fstest.MapFS{}, used: map[string]bool{}}
	g.tame = g.IntN(10) > 0
	g.folder("app", 0, false)
	return g.fsys, g.used
}

func (g *treeGen) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *treeGen, values ...T) T { return values[g.IntN(len(values))] }

// folder makes a kustomization and what it lists.
func (g *treeGen) folder(dir string, depth int, component bool) {
	k := map[string]any{}
	if component {
		k["apiVersion"], k["kind"] = "kustomize.config.k8s.io/v1alpha1", "Component"
	}
	var resources, components []any
	for i := range g.IntN(3) + min(1, max(0, 1-depth)) {
		name := fmt.Sprintf("m%d.yaml", i)
		g.manifest(path.Join(dir, name))
		resources = append(resources, name)
	}
	if depth < 2 && g.chance(60) {
		for range 1 + g.IntN(2) {
			resources = append(resources, g.sub(dir, depth, false))
		}
	}
	if depth < 2 && g.chance(20) {
		components = append(components, g.sub(dir, depth, true))
		g.used["components"] = true
	}
	if resources != nil {
		k["resources"] = resources
	}
	if components != nil {
		k["components"] = components
	}
	g.fields(dir, k)
	if len(k) == 0 {
		k["commonAnnotations"] = map[string]any{"was": "empty"}
	}
	g.write(path.Join(dir, "kustomization.yaml"), k)
}

func (g *treeGen) sub(dir string, depth int, component bool) string {
	g.folders++
	name := fmt.Sprintf("f%d", g.folders)
	g.folder(name, depth+1, component)
	return "../" + name
}

func (g *treeGen) write(name string, values ...map[string]any) {
	var b strings.Builder
	for i, v := range values {
		text, err := yaml.Marshal(v)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(text)
	}
	g.fsys[name] = &fstest.MapFile{Data: []byte(b.String())}
}

func (g *treeGen) manifest(name string) {
	var objects []map[string]any
	for range 1 + g.IntN(3) {
		o := g.object()
		objects = append(objects, o)
		g.objects = append(g.objects, o)
	}
	if g.chance(5) {
		list := map[string]any{"apiVersion": "v1", "kind": pick(g, "List", "ConfigMapList"), "items": []any{g.object()}}
		objects = append(objects, list)
	}
	g.write(name, objects...)
	if text := string(g.fsys[name].Data); g.chance(15) { // other spellings
		text = strings.ReplaceAll(text, pick(g, "replicas: 2", "containerPort: 80", "port: 80"), pick(g, "replicas: 0x2", "containerPort: 0x50"))
		text = strings.ReplaceAll(text, ": null", pick(g, ":", ": ~", ": null"))
		text = strings.Replace(text, "\nspec:", "\nspec: # {\"a\": \"b\"}", 1)
		text = strings.Replace(text, "mode: 420", "mode: 0644", 1)
		g.fsys[name].Data = []byte(text)
	}
}

// name is that of an object there is, or may be.
func (g *treeGen) name() string {
	if len(g.objects) > 0 && g.chance(60) {
		return pick(g, g.objects...)["metadata"].(map[string]any)["name"].(string)
	}
	return pick(g, "a", "b", "c", "web", "default", "x-y")
}

// newName is mostly one that there is not yet.
func (g *treeGen) newName() string {
	if g.chance(25) {
		return g.name()
	}
	return fmt.Sprintf("n%d", len(g.objects))
}

func (g *treeGen) namespace() string { return pick(g, "one", "two", "default", "prod") }
func (g *treeGen) image() any {
	if !g.tame && g.chance(5) {
		return pick[any](g, 12, nil, 1.5, true, map[string]any{"a": "b"})
	}
	return pick(g, "nginx", "nginx:1.0", "example.com/web:1.0", "example.com:5000/web", "web@sha256:0123", "web:1@sha256:01",
		"12", "{x}", "a/b/c:t", "")
}

func (g *treeGen) text() any {
	if !g.tame && g.chance(10) {
		return pick[any](g, 1, true, nil, 1.5, []any{"a"}, map[string]any{"a": "b"})
	}
	return pick(g, "x", "y", "1", "true", "null", "", "1.5", "a b: c", "é", "line\nline\n", " lead", "2020-01-01", "0x10", "~")
}

func (g *treeGen) labels() map[string]any {
	m := map[string]any{}
	for range g.IntN(3) {
		m[pick(g, "app", "team", "tier", "app.kubernetes.io/name", "1")] = g.text()
	}
	return m
}

func (g *treeGen) maybe(m map[string]any, key string, percent int, value func() any) {
	if !g.tame && g.chance(2) {
		m[key] = g.text()
	} else if !g.tame && g.chance(2) {
		m[key] = nil
	} else if g.chance(percent) {
		m[key] = value()
	}
}

func (g *treeGen) container() map[string]any {
	c := map[string]any{"name": pick(g, "web", "side", "init"), "image": g.image()}
	g.maybe(c, "ports", 40, func() any {
		if g.chance(50) {
			return []any{
				map[string]any{"containerPort": pick(g, 80, 443), "protocol": "TCP"}, map[string]any{"containerPort": 80, "protocol": "UDP"},
				map[string]any{"containerPort": 8080, "protocol": "TCP"},
			}
		}
		return []any{map[string]any{"containerPort": pick(g, 80, 443, 8080)}, map[string]any{"containerPort": 53, "protocol": pick(g, "UDP", "TCP")}}
	})
	g.maybe(c, "env", 40, func() any {
		return []any{
			map[string]any{"name": pick(g, "A", "B"), "value": pick(g, "1", "x")},
			map[string]any{"name": "REF", "valueFrom": map[string]any{pick(g, "configMapKeyRef", "secretKeyRef"): map[string]any{"name": g.name(), "key": "k"}}},
		}
	})
	g.maybe(c, "envFrom", 20, func() any {
		return []any{map[string]any{pick(g, "configMapRef", "secretRef"): map[string]any{"name": g.name()}}}
	})
	g.maybe(c, "args", 20, func() any { return []any{"-a", "b"} })
	g.maybe(c, "resources", 20, func() any { return map[string]any{"limits": map[string]any{"cpu": pick[any](g, 0.5, 1, "100m", nil)}} })
	return c
}

func (g *treeGen) podSpec() any {
	containers := []any{g.container()}
	if g.chance(30) {
		containers = append(containers, g.container())
	}
	spec := map[string]any{"containers": containers}
	g.maybe(spec, "initContainers", 20, func() any { return []any{g.container()} })
	g.maybe(spec, "serviceAccountName", 20, func() any { return g.name() })
	g.maybe(spec, "imagePullSecrets", 20, func() any { return []any{map[string]any{"name": g.name()}} })
	g.maybe(spec, "volumes", 30, func() any {
		return []any{
			map[string]any{"name": "v", "configMap": map[string]any{"name": g.name(), "mode": 420}},
			map[string]any{"name": "s", "secret": map[string]any{"secretName": g.name()}},
			map[string]any{"name": "p", "projected": map[string]any{"sources": []any{map[string]any{"configMap": map[string]any{"name": g.name()}}}}},
			map[string]any{"name": "i", "image": map[string]any{"reference": g.image()}},
		}
	})
	g.maybe(spec, "topologySpreadConstraints", 10, func() any {
		return []any{map[string]any{"topologyKey": "zone", "maxSkew": 1, "labelSelector": map[string]any{"matchLabels": g.labels()}}}
	})
	return spec
}

func (g *treeGen) template() any {
	t := map[string]any{"spec": g.podSpec()}
	g.maybe(t, "metadata", 60, func() any {
		m := map[string]any{}
		g.maybe(m, "labels", 70, func() any { return g.labels() })
		g.maybe(m, "annotations", 30, func() any { return g.labels() })
		return m
	})
	return t
}

func (g *treeGen) object() map[string]any {
	kind := pick(g, objectKinds...)
	metadata := map[string]any{"name": g.newName()}
	o := map[string]any{"apiVersion": kind.apiVersion, "kind": kind.kind, "metadata": metadata}
	if g.chance(40) {
		metadata["namespace"] = g.namespace()
	}
	if g.chance(30) {
		metadata["labels"] = g.labels()
	}
	if g.chance(30) {
		metadata["annotations"] = map[string]any{
			pick(g, "note", "config.kubernetes.io/local-config", "config.kubernetes.io/depends-on", "nginx.ingress.kubernetes.io/auth-secret"): pick(g, "a", "b", "false", "1"),
		}
	}
	if !g.tame && g.chance(5) {
		metadata["annotations"] = pick[any](g, nil, map[string]any{}, map[string]any{"a": true}, map[string]any{"config.kubernetes.io/origin": "x"},
			map[string]any{"internal.config.kubernetes.io/previousNames": "a,b"}, map[string]any{"internal.config.kubernetes.io/needsHashSuffix": "enabled"})
	}
	if kind.fill != nil {
		kind.fill(g, o)
	}
	return o
}
