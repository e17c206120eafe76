package gitopskit_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/git"
)

const corpusVariable = "GITOPSKIT_CORPUS"

// applications are manifests that others wrote: where they lie in the corpus, how many objects they are, and a later
// version of them that has one object less.
var applications = []struct {
	name, path string
	objects    int
	dropped    string // kind and name
	drop       func(files map[string][]byte) map[string][]byte
}{
	{"podinfo", "kustomize", 3, "HorizontalPodAutoscaler podinfo", func(files map[string][]byte) map[string][]byte {
		k := strings.Replace(string(files["kustomize/kustomization.yaml"]), "  - hpa.yaml\n", "", 1)
		return map[string][]byte{"kustomize/kustomization.yaml": []byte(k), "kustomize/hpa.yaml": nil}
	}},
	{"sock-shop", "deploy/kubernetes/manifests", 29, "Service user-db", func(map[string][]byte) map[string][]byte {
		return map[string][]byte{"deploy/kubernetes/manifests/28-user-db-svc.yaml": nil}
	}},
	{"kube-prometheus", "manifests", 0, "ServiceMonitor grafana", func(map[string][]byte) map[string][]byte {
		return map[string][]byte{"manifests/grafana-serviceMonitor.yaml": nil}
	}},
}

func TestCorpusGoesTheWholeWay(t *testing.T) {
	corpus := os.Getenv(corpusVariable)
	if corpus == "" {
		t.Skip(corpusVariable + " does not name the folder of the corpus")
	}
	for _, app := range applications {
		if testbed.Race && app.name != "podinfo" {
			continue
		}
		files := readFiles(t, filepath.Join(corpus, app.name))
		for origin, connect := range map[string]func(*testing.T) (source.Source, func(map[string][]byte)){"git": fromGit, "bucket": fromBucket} {
			t.Run(app.name+" from "+origin, func(t *testing.T) {
				from, push := connect(t)
				w := newWay(t, from, app.path)
				push(files)
				first := w.round(source.Revision{})
				if n := len(first.Changes); n != first.Count(apply.Created) || app.objects > 0 && n != app.objects || n == 0 {
					t.Fatalf("first: %d changes, %d created, want %d", n, first.Count(apply.Created), app.objects)
				}
				if again := w.round(source.Revision{}); again.Count(apply.Unchanged) != len(first.Changes) {
					t.Errorf("again: %v", changed(again))
				}
				push(app.drop(files))
				if got := changed(w.round(w.revision)); !slices.Equal(got, []string{"pruned " + app.dropped}) {
					t.Errorf("after %s was dropped: %v", app.dropped, got)
				}
				w.delete(len(first.Changes) - 1)
			})
		}
	}
}

// A way is from one origin to a cluster of its own.
type way struct {
	t        *testing.T
	origin   source.Source
	path     string
	config   *rest.Config
	applier  *apply.Applier
	revision source.Revision
}

func newWay(t *testing.T, origin source.Source, path string) *way {
	t.Helper()
	server, err := testbed.StartKubernetes(t.Context(), testbed.KubernetesOptions{Controllers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	applier, err := apply.New(server.Config, apply.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &way{t: t, origin: origin, path: path, config: server.Config, applier: applier}
}

var corpusSet = apply.ID{Namespace: "default", Name: "corpus"}

func (w *way) round(known source.Revision) *apply.Result {
	w.t.Helper()
	snapshot, err := w.origin.Fetch(w.t.Context(), known)
	if err != nil {
		w.t.Fatal(err)
	}
	defer snapshot.Close()
	w.revision = snapshot.Revision
	objects, err := kustomize.Build(w.t.Context(), snapshot, w.path, kustomize.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	result, err := w.applier.Apply(w.t.Context(), apply.Set{ID: corpusSet, Objects: objects})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// delete deletes the set and waits until nothing that has the label of a set is there.
func (w *way) delete(want int) {
	w.t.Helper()
	result, err := w.applier.Delete(w.t.Context(), corpusSet)
	if err != nil || result.Count(apply.Deleted) != want {
		w.t.Fatalf("deleted %d, %v, want %d", result.Count(apply.Deleted), err, want)
	}
	client, err := metadata.NewForConfig(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	for _, gvr := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "namespaces"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
		definitions,
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	} {
		var left []string
		for n := 0; ; n++ {
			list, err := client.Resource(gvr).List(ctx, metav1.ListOptions{LabelSelector: "applyset.kubernetes.io/part-of"})
			if err != nil {
				w.t.Fatalf("waiting for the end of %s: %v; still there: %s", gvr.Resource, err, left)
			}
			if len(list.Items) == 0 {
				break
			}
			left = names(list.Items)
			if gvr == definitions && n%20 == 19 {
				touch(ctx, client.Resource(gvr), list.Items)
			}
			time.Sleep(100 * time.Millisecond) // polls a real server: what is awaited is its work
		}
	}
}

// touch changes definitions that are going. kube-apiserver 1.36 finds the storage of one that had no objects "(re)initializing",
// and where its next attempt then meets its own write as a conflict, it forgets the definition for up to five minutes, unless
// somebody changes it.
func touch(ctx context.Context, client metadata.ResourceInterface, going []metav1.PartialObjectMetadata) {
	for _, d := range going {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":%q}}}`, d.ResourceVersion)
		_, _ = client.Patch(ctx, d.Name, types.MergePatchType, patch, metav1.PatchOptions{}) // it may be gone by now
	}
}

// names returns names with the finalizers that still hold them.
func names(items []metav1.PartialObjectMetadata) []string {
	var names []string
	for _, item := range items {
		names = append(names, fmt.Sprintf("%s %v", item.Name, item.Finalizers))
	}
	return names
}

// changed returns what is not unchanged, as "action Kind name".
func changed(r *apply.Result) []string {
	var lines []string
	for _, c := range r.Changes {
		if c.Action != apply.Unchanged {
			lines = append(lines, string(c.Action)+" "+c.Ref.Kind+" "+c.Ref.Name)
		}
	}
	return lines
}

func readFiles(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	fsys := os.DirFS(folder)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(fsys, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func fromGit(t *testing.T) (source.Source, func(map[string][]byte)) {
	r := testbed.Git(t)
	from, err := git.New(r.URL(), git.Options{Branch: "main"})
	if err != nil {
		t.Fatal(err)
	}
	return from, func(files map[string][]byte) {
		if _, err := r.Commit(t.Context(), files); err != nil {
			t.Fatal(err)
		}
	}
}

func fromBucket(t *testing.T) (source.Source, func(map[string][]byte)) {
	b := testbed.S3(t)
	from, err := bucket.New(bucket.Options{Endpoint: b.Endpoint, Insecure: true, Bucket: b.Name, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	return from, func(files map[string][]byte) {
		for name, body := range files {
			var err error
			if body == nil {
				err = b.Remove(t.Context(), name)
			} else {
				err = b.Put(t.Context(), name, body)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
