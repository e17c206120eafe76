package work

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A Kind is one of those that the objects are of in turn.
type Kind struct {
	APIVersion, Name string
	path             string // of the API, up to the namespace
	plural           string
	fill             func(o map[string]any, name, revision, payload string)
}

// Path returns the path of the kind's objects in a namespace.
func (k Kind) Path(namespace string) string {
	return k.path + "/namespaces/" + namespace + "/" + k.plural
}

// Kinds are those of the objects. Each can be large by what it is for, and none has to be filled by annotations, which are
// metadata that no real object has 20 KB of.
var Kinds = []Kind{
	{"v1", "ConfigMap", "/api/v1", "configmaps", fillConfigMap}, // first: the object that changes
	{"v1", "Secret", "/api/v1", "secrets", fillSecret},
	{"rbac.authorization.k8s.io/v1", "Role", "/apis/rbac.authorization.k8s.io/v1", "roles", fillRole},
	{"networking.k8s.io/v1", "Ingress", "/apis/networking.k8s.io/v1", "ingresses", fillIngress},
	{"apps/v1", "Deployment", "/apis/apps/v1", "deployments", fillDeployment},
}

// All objects have this label, and nothing else has.
const (
	Label      = "app.kubernetes.io/part-of"
	LabelValue = "bench"
)

// KindOf returns the kind of the object with the number i.
func KindOf(i int) Kind { return Kinds[i%len(Kinds)] }

// NameOf returns the name of the object with the number i.
func NameOf(i int) string { return fmt.Sprintf("app-%05d", i) }

// PathOf returns the path of the object with the number i on the API server.
func PathOf(i int, namespace string) string { return KindOf(i).Path(namespace) + "/" + NameOf(i) }

// object makes the object with the number i, always the same one. Size is how many bytes are added to it; a changed one
// differs in a single value, if it is a ConfigMap.
func object(i, size int, namespace string, changed bool) *unstructured.Unstructured {
	k, name, revision := KindOf(i), NameOf(i), "1"
	if changed {
		revision = "2"
	}
	o := map[string]any{
		"apiVersion": k.APIVersion, "kind": k.Name,
		"metadata": map[string]any{"name": name, "namespace": namespace,
			"labels": map[string]any{Label: LabelValue, "app.kubernetes.io/name": name}},
	}
	k.fill(o, name, revision, payload(i, size))
	return &unstructured.Unstructured{Object: o}
}

// payload returns text that differs from object to object and does not compress to nothing.
func payload(i, size int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	random := rand.New(rand.NewPCG(uint64(i), 0))
	text := make([]byte, size)
	for j := range text {
		text[j] = letters[random.IntN(len(letters))]
	}
	return string(text)
}

func fillConfigMap(o map[string]any, name, revision, payload string) {
	data := map[string]any{"app.properties": "name=" + name + "\nlog.level=info\n", "revision": revision}
	if payload != "" {
		data["payload"] = payload
	}
	o["data"] = data
}

func fillSecret(o map[string]any, name, _, payload string) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	data := map[string]any{"password": encode("password of " + name)}
	if payload != "" {
		data["payload"] = encode(payload)
	}
	o["type"], o["data"] = "Opaque", data
}

func fillRole(o map[string]any, name, _, payload string) {
	names := []any{name}
	if payload != "" {
		names = append(names, payload)
	}
	o["rules"] = []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"get", "watch"},
		"resourceNames": names}}
}

func fillIngress(o map[string]any, name, _, payload string) {
	backend := map[string]any{"service": map[string]any{"name": name, "port": map[string]any{"name": "http"}}}
	o["spec"] = map[string]any{"rules": []any{map[string]any{"host": name + ".example.com", "http": map[string]any{"paths": []any{
		map[string]any{"path": "/" + payload, "pathType": "Prefix", "backend": backend}}}}}}
}

func fillDeployment(o map[string]any, name, _, payload string) {
	labels := func() map[string]any { return map[string]any{"app.kubernetes.io/name": name} }
	container := map[string]any{
		"name": "main", "image": "registry.example/app:v1.2.3",
		"args":  []any{"--port=8080", "--level=info"},
		"ports": []any{map[string]any{"name": "http", "containerPort": int64(8080), "protocol": "TCP"}},
		"env":   []any{map[string]any{"name": "NAME", "value": name}},
		"resources": map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "64Mi"},
			"limits": map[string]any{"memory": "128Mi"}},
		"readinessProbe": map[string]any{"httpGet": map[string]any{"path": "/ready", "port": "http"}},
	}
	o["spec"] = map[string]any{
		"replicas": int64(2),
		"selector": map[string]any{"matchLabels": labels()},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels()},
			"spec":     map[string]any{"containers": []any{container}},
		},
	}
	if payload != "" {
		container["env"] = append(container["env"].([]any), map[string]any{"name": "PAYLOAD", "value": payload})
	}
}
