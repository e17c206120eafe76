package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/bench/work"
	"github.com/gitopskit/gitopskit/internal/testbed"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	kubectlapply "k8s.io/kubectl/pkg/cmd/apply"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// TestKubectlReadsTheSetAsAnApplySet has kubectl's own code read what an Applier left on the cluster.
func TestKubectlReadsTheSetAsAnApplySet(t *testing.T) {
	k := newKubectl(t)
	home, other := k.namespace(t), k.namespace(t)
	role := testbed.UniqueName("role")
	set := apply.Set{ID: apply.ID{Namespace: home, Name: "shop"}, Objects: []*unstructured.Unstructured{
		manifest("v1", "ConfigMap", home, "settings"), manifest("v1", "ConfigMap", other, "settings"),
		manifest("v1", "ServiceAccount", other, "shop"), manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "", role),
		manifest("batch/v1", "CronJob", home, "report", "spec", map[string]any{"schedule": "@daily", "jobTemplate": map[string]any{
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"restartPolicy": "Never",
				"containers": []any{map[string]any{"name": "main", "image": "registry.example/report:v1"}}}}}}}),
	}}
	k.apply(t, set)
	k.create(t, manifest("v1", "ConfigMap", home, "of-nobody"))

	got := k.applySet(t, set.ID, "gitopskit")
	if err := got.BeforeApply(nil, cmdutil.DryRunClient, ""); err != nil { // with nothing to apply it reads, and writes nothing
		t.Fatalf("kubectl refuses the parent: %v", err)
	}
	if spaces := sets.New(got.AllPrunableNamespaces()...); !spaces.Equal(sets.New(home, other)) {
		t.Errorf("kubectl knows the namespaces %v, want %s and %s", sets.List(spaces), home, other)
	}
	if n := len(got.AllPrunableResources()); n != 4 {
		t.Errorf("kubectl knows %d kinds, want 4", n)
	}
	want := []string{"ClusterRole.rbac.authorization.k8s.io " + role, "ConfigMap " + home + "/settings",
		"ConfigMap " + other + "/settings", "CronJob.batch " + home + "/report", "ServiceAccount " + other + "/shop"}
	k.wantMembers(t, got, nil, want)
	k.wantMembers(t, got, k.uids(t, set.Objects), nil) // those that it has just applied itself are not to be pruned

	set.Objects = set.Objects[:1]
	k.apply(t, set)
	got = k.applySet(t, set.ID, "gitopskit")
	if err := got.BeforeApply(nil, cmdutil.DryRunClient, ""); err != nil {
		t.Fatalf("kubectl refuses the parent after a prune: %v", err)
	}
	if spaces := got.AllPrunableNamespaces(); !slices.Equal(spaces, []string{home}) || len(got.AllPrunableResources()) != 1 {
		t.Errorf("after a prune kubectl knows %d kinds in the namespaces %v, want 1 in %s", len(got.AllPrunableResources()), spaces, home)
	}
	k.wantMembers(t, got, nil, []string{"ConfigMap " + home + "/settings"})
}

// TestKubectlLeavesTheSetToItsTooling shows by what words kubectl apply --applyset keeps its hands off.
func TestKubectlLeavesTheSetToItsTooling(t *testing.T) {
	k := newKubectl(t)
	home := k.namespace(t)
	id := apply.ID{Namespace: home, Name: "shop"}
	k.apply(t, apply.Set{ID: id, Objects: []*unstructured.Unstructured{manifest("v1", "ConfigMap", home, "settings")}})
	err := k.applySet(t, id, "kubectl").BeforeApply(nil, cmdutil.DryRunNone, "")
	want := `ApplySet parent object "secrets./shop" already exists and is managed by tooling "gitopskit" instead of "kubectl"`
	if err == nil || err.Error() != want {
		t.Errorf("kubectl says %v\nwant %s", err, want)
	}
	k.wantUnchanged(t, id)
}

// A kubectl is what its commands are made with.
type kubectl struct {
	cmdutil.Factory
	dynamic dynamic.Interface
	applier *apply.Applier
}

func newKubectl(t *testing.T) *kubectl {
	config := testbed.Kubernetes(t)
	job := work.Job{Host: config.Host, Token: config.BearerToken, CA: config.CAData}
	kubeconfig, cache := filepath.Join(t.TempDir(), "kubeconfig"), t.TempDir()
	if err := job.WriteKubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(true).WithDiscoveryQPS(-1).
		WithWrapConfigFn(func(*rest.Config) *rest.Config { return rest.CopyConfig(config) })
	flags.KubeConfig, flags.CacheDir = &kubeconfig, &cache
	k := &kubectl{Factory: cmdutil.NewFactory(flags)}
	var err error
	if k.dynamic, err = k.DynamicClient(); err != nil {
		t.Fatal(err)
	}
	if k.applier, err = apply.New(config, apply.Options{}); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kubectl) apply(t *testing.T, set apply.Set) {
	t.Helper()
	if _, err := k.applier.Apply(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := k.applier.Delete(context.WithoutCancel(t.Context()), set.ID); err != nil {
			t.Error(err)
		}
	})
}

// applySet makes kubectl's view of the set, as its apply command does for --applyset=name.
func (k *kubectl) applySet(t *testing.T, id apply.ID, tooling string) *kubectlapply.ApplySet {
	t.Helper()
	mapper, err := k.ToRESTMapper()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := kubectlapply.ParseApplySetParentRef(id.Name, mapper)
	if err != nil {
		t.Fatal(err)
	}
	parent.Namespace = id.Namespace
	client, err := k.UnstructuredClientForMapping(parent.RESTMapping)
	if err != nil {
		t.Fatal(err)
	}
	set := kubectlapply.NewApplySet(parent, kubectlapply.ApplySetTooling{Name: tooling, Version: "v1"}, mapper, client)
	if err := set.Validate(t.Context(), k.dynamic); err != nil {
		t.Fatal(err)
	}
	return set
}

// wantMembers compares what kubectl would prune, had it applied the objects with these UIDs.
func (k *kubectl) wantMembers(t *testing.T, set *kubectlapply.ApplySet, applied sets.Set[types.UID], want []string) {
	t.Helper()
	objects, err := set.FindAllObjectsToPrune(t.Context(), k.dynamic, applied)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objects {
		got = append(got, o.String())
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("kubectl finds the members\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// wantUnchanged looks that the parent is as its Applier wrote it.
func (k *kubectl) wantUnchanged(t *testing.T, id apply.ID) {
	t.Helper()
	secret, err := k.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace(id.Namespace).
		Get(t.Context(), id.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if by := secret.GetAnnotations()[kubectlapply.ApplySetToolingAnnotation]; by != "gitopskit/v1" {
		t.Errorf("the parent's tooling is now %q", by)
	}
	for _, f := range secret.GetManagedFields() {
		if f.Manager != "gitopskit" {
			t.Errorf("%s wrote the parent", f.Manager)
		}
	}
}

// uids returns those that the objects have on the server.
func (k *kubectl) uids(t *testing.T, objects []*unstructured.Unstructured) sets.Set[types.UID] {
	t.Helper()
	uids := sets.New[types.UID]()
	for _, o := range objects {
		live, err := k.resource(t, o).Get(t.Context(), o.GetName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		uids.Insert(live.GetUID())
	}
	return uids
}

func (k *kubectl) create(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	if _, err := k.resource(t, o).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (k *kubectl) resource(t *testing.T, o *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	mapper, err := k.ToRESTMapper()
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
	if err != nil {
		t.Fatal(err)
	}
	return k.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace())
}

func (k *kubectl) namespace(t *testing.T) string {
	t.Helper()
	name := testbed.UniqueName("bench")
	k.create(t, manifest("v1", "Namespace", "", name))
	return name
}

// manifest makes one, with a field beside its metadata where a name and a value are given.
func manifest(apiVersion, kind, namespace, name string, field ...any) *unstructured.Unstructured {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": metadata}
	if len(field) == 2 {
		o[fmt.Sprint(field[0])] = field[1]
	}
	return &unstructured.Unstructured{Object: o}
}
