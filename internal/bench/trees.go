package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gitopskit/gitopskit/internal/bench/build"
)

// variables are those of the trees with substitution, alike for all contenders.
var variables = map[string]string{"suffix": "-blue", "region": "eu-west-1", "environment": "production"}

// trees makes the trees of the works in a folder, each once.
type trees struct {
	folder string
	corpus string // folder with real manifests; empty: there is none
}

// deploymentOf is the manifest of the Deployment with the number i, of about the size that people have.
func deploymentOf(i int, suffix, note, region string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-%05[1]d%[2]s
  namespace: bench
  labels:
    app.kubernetes.io/name: app-%05[1]d
    app.kubernetes.io/part-of: bench
  annotations:
    bench.example/note: %[3]s
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-%05[1]d
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-%05[1]d
    spec:
      containers:
      - name: main
        image: registry.example/app:v1.2.3
        args: ["--port=8080", "--level=info"]
        ports:
        - containerPort: 8080
          name: http
          protocol: TCP
        env:
        - name: NAME
          value: app-%05[1]d
        - name: REGION
          value: %[4]s
        - name: NOTE
          value: "it is for %[3]s"
        resources:
          requests:
            cpu: 100m
            memory: 64Mi
          limits:
            memory: 128Mi
        readinessProbe:
          httpGet:
            path: /ready
            port: http
`, i, suffix, note, region)
}

const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: elsewhere
labels:
- pairs:
    team: blue
images:
- name: registry.example/app
  newTag: v2.0.0
patches:
- target:
    kind: Deployment
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: any
    spec:
      template:
        spec:
          containers:
          - name: main
            env:
            - name: TEAM
              value: blue
resources:
- ../base
`

// make returns a tree of one of the kinds that are made, with n objects.
func (t *trees) make(name string, n int) (build.Tree, error) {
	root := filepath.Join(t.folder, fmt.Sprintf("%s-%d", name, n))
	tree := build.Tree{Root: root, Dir: "base"}
	if name == treeSubstitution {
		tree.Variables = variables
	}
	if name == treeOverlay || name == treeWarm {
		tree.Dir = "overlay"
	}
	if _, err := os.Stat(root); err == nil {
		return tree, nil
	}
	files := map[string]string{}
	if tree.Dir == "overlay" {
		files["overlay/kustomization.yaml"] = overlay
	}
	var names strings.Builder
	for i := range n {
		file := fmt.Sprintf("app-%05d.yaml", i)
		fmt.Fprintf(&names, "- %s\n", file)
		files["base/"+file] = deploymentOf(i, "", "production", "eu-west-1")
		if name == treeSubstitution {
			files["base/"+file] = deploymentOf(i, "${suffix}", "${environment}", "${region}")
		}
	}
	files["base/kustomization.yaml"] = header + names.String()
	return tree, write(root, files)
}

const header = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"

// The trees that are made, and those of the corpus.
const (
	treeWarm         = "warm"
	treePlain        = "plain"
	treeOverlay      = "overlay"
	treeSubstitution = "substitution"
	treePodinfo      = "podinfo"
	treePrometheus   = "kube-prometheus"
)

// copied are the folders that are built of the corpus's trees.
var copied = map[string]string{treePodinfo: "kustomize", treePrometheus: "manifests"}

// look is an error if the corpus does not have a tree.
func (t *trees) look(name string) error {
	if t.corpus == "" {
		return errors.New("there is no corpus: GITOPSKIT_CORPUS or -corpus names its folder")
	}
	_, err := os.Stat(filepath.Join(t.corpus, name, copied[name]))
	return err
}

// copy returns a tree of the corpus: a copy, for the folder may be on another kind of disk. With listed it has a
// kustomization that lists all its manifests, if it had none.
func (t *trees) copy(name string, listed bool) (build.Tree, error) {
	tree := build.Tree{Root: filepath.Join(t.folder, fmt.Sprintf("%s-%t", name, listed)), Dir: copied[name]}
	if _, err := os.Stat(tree.Root); err == nil {
		return tree, nil
	}
	from := filepath.Join(t.corpus, name, tree.Dir)
	to := filepath.Join(tree.Root, tree.Dir)
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return tree, err
	}
	if !listed {
		return tree, nil
	}
	return tree, list(to)
}

// list writes a kustomization with all manifests of a folder and below, if it has none.
func list(folder string) error {
	var names []string
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if ext := path.Ext(name); err == nil && !d.IsDir() && (ext == ".yaml" || ext == ".yml") {
			names = append(names, name)
		}
		return err
	})
	if err != nil || slices.Contains(names, "kustomization.yaml") {
		return err
	}
	return write(folder, map[string]string{"kustomization.yaml": header + "- " + strings.Join(names, "\n- ") + "\n"})
}

func write(root string, files map[string]string) error {
	for name, content := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
