package main

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A kind is one of those that the objects are of in turn.
type kind struct {
	apiVersion, name string
	path             string // of the API, up to the namespace
	plural           string
	fill             func(o map[string]any, name, revision, payload string)
}

var kinds = []kind{
	{"v1", "ConfigMap", "/api/v1", "configmaps", fillConfigMap}, // first: the object that changes
	{"v1", "Secret", "/api/v1", "secrets", fillSecret},
	{"v1", "ServiceAccount", "/api/v1", "serviceaccounts", fillServiceAccount},
	{"v1", "Service", "/api/v1", "services", fillService},
	{"apps/v1", "Deployment", "/apis/apps/v1", "deployments", fillDeployment},
}

const (
	// partOf is the label of all objects; bare-list asks by it.
	partOf      = "app.kubernetes.io/part-of"
	partOfValue = "bench"
)

func kindOf(i int) kind { return kinds[i%len(kinds)] }

func nameOf(i int) string { return fmt.Sprintf("app-%05d", i) }

// pathOf returns the path of an object on the API server.
func pathOf(i int, namespace string) string {
	k := kindOf(i)
	return k.path + "/namespaces/" + namespace + "/" + k.plural + "/" + nameOf(i)
}

// object makes the object with the number i, always the same one. Size is how many bytes are added to it; a changed one
// differs in a single value, if it is a ConfigMap.
func object(i, size int, namespace string, changed bool) *unstructured.Unstructured {
	k, name, revision := kindOf(i), nameOf(i), "1"
	if changed {
		revision = "2"
	}
	o := map[string]any{
		"apiVersion": k.apiVersion, "kind": k.name,
		"metadata": map[string]any{"name": name, "namespace": namespace,
			"labels": map[string]any{partOf: partOfValue, "app.kubernetes.io/name": name}},
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

func fillServiceAccount(o map[string]any, _, _, payload string) {
	o["automountServiceAccountToken"] = false
	annotate(o, payload)
}

func fillService(o map[string]any, name, _, payload string) {
	o["spec"] = map[string]any{
		"selector": map[string]any{"app.kubernetes.io/name": name},
		"ports":    []any{map[string]any{"name": "http", "port": int64(80), "targetPort": "http", "protocol": "TCP"}},
	}
	annotate(o, payload)
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
	annotate(o, payload)
}

func annotate(o map[string]any, payload string) {
	if payload != "" {
		o["metadata"].(map[string]any)["annotations"] = map[string]any{"example.com/payload": payload}
	}
}
