package fleet

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Folder is where the application with the number i is.
func Folder(i int) string { return fmt.Sprintf("apps/%04d", i) }

// Name is that of the application, and of each of its objects.
func Name(i int) string { return fmt.Sprintf("app-%04d", i) }

// ObjectsEach is how many objects an application has.
const ObjectsEach = 4

// Image is what the application's Deployment has at a version.
func Image(version int) string { return fmt.Sprintf("registry.example/app:1.%d.0", version) }

// App returns the files of the application by their paths in the repository. The objects are those of Flux's benchmark: a
// Deployment that is scaled to zero, a Service, a ServiceAccount and an Ingress.
func App(i, version int) map[string][]byte {
	files := make(map[string][]byte)
	for _, t := range templates {
		text := strings.NewReplacer("NAME", Name(i), "IMAGE", Image(version)).Replace(t.text)
		files[path.Join(Folder(i), t.file)] = []byte(text)
	}
	return files
}

// Apps returns the files of all of n applications.
func Apps(n int) map[string][]byte {
	files := map[string][]byte{"README.md": []byte("A fleet.\n")}
	for i := range n {
		maps.Copy(files, App(i, 0))
	}
	return files
}

var templates = [...]struct{ file, text string }{
	{"kustomization.yaml", `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml, ingress.yaml, service.yaml, serviceaccount.yaml]
labels:
- pairs: {app.kubernetes.io/name: NAME, app.kubernetes.io/part-of: fleet}
`},
	{"deployment.yaml", `apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 0
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      serviceAccountName: NAME
      containers:
      - name: app
        image: IMAGE
        ports: [{name: http, containerPort: 8080}]
        env: [{name: APP, value: NAME}]
        resources:
          requests: {cpu: 100m, memory: 64Mi}
          limits: {memory: 128Mi}
        readinessProbe: {httpGet: {path: /readyz, port: http}}
`},
	{"ingress.yaml", `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec:
  rules:
  - host: NAME.example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: NAME, port: {name: http}}}
`},
	{"service.yaml", `apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports: [{name: http, port: 80, targetPort: http}]
`},
	{"serviceaccount.yaml", `apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
automountServiceAccountToken: false
`},
}

// kinds are those of an application, with their paths on the server.
var kinds = map[string]string{
	"Deployment":     "/apis/apps/v1/namespaces/%s/deployments",
	"Ingress":        "/apis/networking.k8s.io/v1/namespaces/%s/ingresses",
	"Service":        "/api/v1/namespaces/%s/services",
	"ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts",
}

// Kinds are those of an application's objects.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Path is where the objects of a kind are.
func Path(kind, namespace string) (string, bool) {
	at, ok := kinds[kind]
	return fmt.Sprintf(at, namespace), ok
}
