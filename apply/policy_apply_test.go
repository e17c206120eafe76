package apply

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

func annotated1(o *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	o.SetAnnotations(map[string]string{key: value})
	return o
}

func TestAnnotationsKeepApplyFromObjects(t *testing.T) {
	b := newBench(t, Options{})
	ignored := func(value string) *unstructured.Unstructured {
		return annotated1(configMap(t, "ignored", value), "kustomize.toolkit.fluxcd.io/reconcile", "disabled")
	}
	once := func(value string) *unstructured.Unstructured {
		return annotated1(configMap(t, "once", value), "kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent")
	}
	if err := b.do("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"there"}}`); err != nil {
		t.Fatal(err)
	}
	there := annotated1(configMap(t, "there", "1"), "kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent")
	result := b.apply(ignored("1"), once("1"), there, configMap(t, "other", "1"))
	wantActions(t, result, "skipped ConfigMap ignored", "created ConfigMap once", "skipped ConfigMap there", "created ConfigMap other")
	if err := result.Changes[0].Err; !errors.Is(err, ErrProtected) || !strings.Contains(err.Error(), "kustomize.toolkit.fluxcd.io/reconcile: disabled") {
		t.Errorf("the ignored object's error is %v", err)
	}
	if b.exists(b.path("configmaps", "ignored")) {
		t.Error("the ignored object was applied")
	}
	// What is skipped at its own wish does not keep others from being pruned.
	wantActions(t, b.apply(ignored("2"), once("2"), there), "skipped ConfigMap ignored", "unchanged ConfigMap once", "skipped ConfigMap there", "pruned ConfigMap other")
	if n := testbed.Count(b.Take(), "PATCH"); n != 2 {
		t.Errorf("%d PATCHes, want those of the two objects created", n)
	}
	if err := b.do("DELETE", b.path("configmaps", "once"), ""); err != nil {
		t.Fatal(err)
	}
	wantActions(t, b.apply(once("2")), "created ConfigMap once")
}

func TestAnAnnotationOnTheClusterKeepsApplyFromAnObject(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"))
	patch := `{"metadata":{"annotations":{"kustomize.toolkit.fluxcd.io/reconcile":"disabled"}},"data":{"key":"by hand"}}`
	if err := b.do("PATCH", b.path("configmaps", "a"), patch); err != nil {
		t.Fatal(err)
	}
	wantActions(t, b.apply(configMap(t, "a", "2"), configMap(t, "b", "2")), "skipped ConfigMap a", "configured ConfigMap b")
	if err := b.do("PATCH", b.path("configmaps", "a"), `{"metadata":{"annotations":null}}`); err != nil {
		t.Fatal(err)
	}
	wantActions(t, b.apply(configMap(t, "a", "2"), configMap(t, "b", "2")), "configured ConfigMap a", "unchanged ConfigMap b")
}

func TestProtectedObjectsStayAndAreDetached(t *testing.T) {
	for _, annotation := range [][2]string{
		{"kustomize.toolkit.fluxcd.io/prune", "disabled"}, {"client.lifecycle.config.k8s.io/deletion", "detach"},
		{"cli-utils.sigs.k8s.io/on-remove", "keep"}, {"helm.sh/resource-policy", "keep"},
		{"argocd.argoproj.io/sync-options", "Validate=false,Prune=false"},
	} {
		t.Run(annotation[0], func(t *testing.T) {
			b := newBench(t, Options{})
			keep := annotated1(configMap(t, "keep", "1"), annotation[0], annotation[1])
			b.apply(keep, configMap(t, "a", "1"), configMap(t, "b", "1"))
			result := b.apply(configMap(t, "a", "1"))
			wantActions(t, result, "unchanged ConfigMap a", "pruned ConfigMap b", "skipped ConfigMap keep")
			if err := result.Changes[2].Err; !errors.Is(err, ErrProtected) || !strings.Contains(err.Error(), annotation[0]) {
				t.Errorf("the error is %v", err)
			}
			if got := b.members(); !slices.Equal(got, []string{"configmaps a"}) || !b.exists(b.path("configmaps", "keep")) {
				t.Errorf("members are %v", got)
			}
			wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a")
			b.apply(keep, configMap(t, "a", "1"))
			result, err := b.Delete(t.Context(), b.set().ID)
			if err != nil || result.Count(Deleted) != 1 || result.Count(Skipped) != 1 || !b.exists(b.path("configmaps", "keep")) {
				t.Errorf("Delete: %v, %v", actions(result), err)
			}
		})
	}
}

func TestANamespaceWithObjectsOutsideTheSetStays(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprintf("allowed %v", allowed), func(t *testing.T) {
			b := newBench(t, Options{DeleteOccupied: allowed})
			space := b.namespace + "-pruned"
			namespace := manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+space+"}")
			b.apply(namespace, in(space, configMap(t, "member", "1")), configMap(t, "a", "1"))
			if err := b.do("POST", "/api/v1/namespaces/"+space+"/secrets", `{"metadata":{"name":"foreign"}}`); err != nil {
				t.Fatal(err)
			}
			result, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1")))
			if allowed {
				if err != nil || result.Count(Pruned) != 2 {
					t.Errorf("%v, %v", actions(result), err)
				}
				return
			}
			if !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), "Secret "+space+"/foreign") {
				t.Errorf("the error is %v, want ErrOccupied that names the Secret", err)
			}
			wantActions(t, result, "unchanged ConfigMap a", "pruned ConfigMap member", "failed Namespace "+space)
			result, err = b.Delete(t.Context(), b.set().ID)
			if !errors.Is(err, ErrOccupied) || result.Count(Deleted) != 1 || !b.exists(b.path("secrets", "the-set")) {
				t.Errorf("Delete: %v, %v", actions(result), err)
			}
			if err := b.do("DELETE", "/api/v1/namespaces/"+space+"/secrets/foreign", ""); err != nil {
				t.Fatal(err)
			}
			if result, err = b.Delete(t.Context(), b.set().ID); err != nil || result.Count(Deleted) != 1 {
				t.Errorf("Delete once it is empty: %v, %v", actions(result), err)
			}
		})
	}
}

func TestADefinitionWithObjectsOutsideTheSetStays(t *testing.T) {
	b := newBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	b.apply(definition, object, configMap(t, "a", "1"))
	plural := strings.ReplaceAll(b.namespace, "-", "") + "s"
	foreign := fmt.Sprintf("/apis/example.com/v2/namespaces/%s/%s", b.namespace, plural)
	if err := b.do("POST", foreign, fmt.Sprintf(`{"apiVersion":"example.com/v2","kind":%q,"metadata":{"name":"foreign"}}`, object.GetKind())); err != nil {
		t.Fatal(err)
	}
	result, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1")))
	if !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), b.namespace+"/foreign") || result.Count(Pruned) != 1 {
		t.Errorf("%v, %v, want ErrOccupied that names the object", actions(result), err)
	}
	if err := b.do("DELETE", foreign+"/foreign", ""); err != nil {
		t.Fatal(err)
	}
	if result, err = b.Apply(t.Context(), b.set(configMap(t, "a", "1"))); err != nil || result.Count(Pruned) != 1 {
		t.Errorf("once there is none: %v, %v", actions(result), err)
	}
}

func TestWhatMayNotBeDeletedStaysInTheInventory(t *testing.T) {
	b := newBench(t, Options{})
	r := b.restricted(t, `{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","list","create","patch"]}`)
	r.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1"))
	for range 2 {
		result, err := r.Apply(t.Context(), r.set(configMap(t, "a", "1")))
		if !apierrors.IsForbidden(err) || result.Count(Failed) != 2 {
			t.Errorf("%v, %v", actions(result), err)
		}
	}
	b.wantAllNamed(t, 0)
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a", "pruned ConfigMap b", "pruned ConfigMap c")
}

func TestImmutableFieldsAreReplacedWhereAskedAndProven(t *testing.T) {
	secret := func(kind string) *unstructured.Unstructured {
		return manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: "+kind)
	}
	force := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		return annotated1(o, "kustomize.toolkit.fluxcd.io/force", "enabled")
	}
	t.Run("not asked", func(t *testing.T) {
		b := newBench(t, Options{})
		b.apply(secret("example.com/a"))
		if result, err := b.Apply(t.Context(), b.set(secret("example.com/b"))); !apierrors.IsInvalid(err) || result.Count(Failed) != 1 {
			t.Errorf("%v, %v", actions(result), err)
		}
	})
	t.Run("by option", func(t *testing.T) {
		b := newBench(t, Options{Replace: true})
		b.apply(secret("example.com/a"))
		wantActions(t, b.apply(secret("example.com/b")), "replaced Secret s")
		wantActions(t, b.apply(secret("example.com/b")), "unchanged Secret s")
	})
	t.Run("by annotation", func(t *testing.T) {
		b := newBench(t, Options{})
		b.apply(force(secret("example.com/a")))
		wantActions(t, b.apply(force(secret("example.com/b"))), "replaced Secret s")
	})
	t.Run("protected", func(t *testing.T) {
		b := newBench(t, Options{Replace: true})
		b.apply(annotated1(secret("example.com/a"), "helm.sh/resource-policy", "keep"))
		if _, err := b.Apply(t.Context(), b.set(annotated1(secret("example.com/b"), "helm.sh/resource-policy", "keep"))); !apierrors.IsInvalid(err) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("protected by hand", func(t *testing.T) {
		b := newBench(t, Options{Replace: true})
		b.apply(secret("example.com/a"))
		b.must("PATCH", b.path("secrets", "s"), `{"metadata":{"annotations":{"helm.sh/resource-policy":"keep"}}}`)
		b.Take()
		if _, err := b.Apply(t.Context(), b.set(secret("example.com/b"))); !apierrors.IsInvalid(err) {
			t.Errorf("the error is %v", err)
		}
		if n := testbed.Count(b.Take(), "DELETE"); n > 0 {
			t.Errorf("%d DELETEs", n)
		}
	})
	t.Run("an invalid manifest deletes nothing", func(t *testing.T) {
		b := newBench(t, Options{Replace: true})
		b.apply(service(t, "web"))
		b.Take()
		bad := service(t, "web")
		_ = unstructured.SetNestedSlice(bad.Object, []any{map[string]any{"port": int64(99999)}}, "spec", "ports")
		result, err := b.Apply(t.Context(), b.set(bad))
		if !apierrors.IsInvalid(err) || result.Count(Failed) != 1 || !strings.Contains(err.Error(), "it is not replaced") {
			t.Errorf("%v, %v", actions(result), err)
		}
		if n := testbed.Count(b.Take(), "DELETE"); n > 0 || !b.exists(b.path("services", "web")) {
			t.Errorf("%d DELETEs", n)
		}
	})
	t.Run("finalizers are waited for", func(t *testing.T) {
		b := newBench(t, Options{Replace: true})
		b.apply(secret("example.com/a"))
		if err := b.do("PATCH", b.path("secrets", "s"), `{"metadata":{"finalizers":["example.com/hold"]}}`); err != nil {
			t.Fatal(err)
		}
		deleted := make(chan struct{})
		b.Before = func(r *http.Request) error {
			if r.Method == "GET" && strings.Contains(r.URL.RawQuery, "watch=true") {
				b.Before = nil
				close(deleted)
			}
			return nil
		}
		go func() {
			<-deleted
			if err := b.do("PATCH", b.path("secrets", "s"), `{"metadata":{"finalizers":null}}`); err != nil {
				t.Error(err)
			}
		}()
		wantActions(t, b.apply(secret("example.com/b")), "replaced Secret s")
	})
}

func TestAFinalizerThatStaysIsTold(t *testing.T) {
	b := newBench(t, Options{Replace: true, ReplaceTimeout: 2 * time.Second})
	secret := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: example.com/a")
	b.apply(secret)
	if err := b.do("PATCH", b.path("secrets", "s"), `{"metadata":{"finalizers":["example.com/hold"]}}`); err != nil {
		t.Fatal(err)
	}
	other := secret.DeepCopy()
	other.Object["type"] = "example.com/b"
	if _, err := b.Apply(t.Context(), b.set(other)); err == nil || !strings.Contains(err.Error(), "example.com/hold") {
		t.Errorf("the error is %v, want one that names the finalizer", err)
	}
	if err := b.do("PATCH", b.path("secrets", "s"), `{"metadata":{"finalizers":null}}`); err != nil {
		t.Fatal(err)
	}
	wantActions(t, b.apply(other), "created Secret s")
}

func TestValidationComesBeforeAnyChange(t *testing.T) {
	b := newBench(t, Options{Validate: true})
	bad := configMap(t, "bad", "1")
	bad.Object["data"] = "no map"
	namespace := manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"-new}")
	definition, object := b.definition("Namespaced", true)
	good := []*unstructured.Unstructured{namespace, in(b.namespace+"-new", configMap(t, "x", "1")), definition, object, configMap(t, "a", "1")}
	result, err := b.Apply(t.Context(), b.set(append(good, bad)...))
	if err == nil || result.Count(Failed) != 1 || result.Count(Skipped) != 5 {
		t.Errorf("%v, %v", actions(result), err)
	}
	for _, line := range b.Take() {
		if !strings.HasPrefix(line, "GET ") && !strings.Contains(line, "dryRun=All") {
			t.Errorf("sent: %s", line)
		}
	}
	if result = b.apply(good...); result.Count(Created) != 5 {
		t.Errorf("%v", actions(result))
	}
	b.Take()
	b.apply(good...)
	if n := testbed.Count(b.Take(), "PATCH"); n > 0 {
		t.Errorf("%d PATCHes where nothing was to be done", n)
	}
}

func TestOnChangeTellsEachObjectOnce(t *testing.T) {
	var told []string // without a lock: the hook is called by one goroutine at a time
	b := newBench(t, Options{OnChange: func(id ID, c Change) { told = append(told, fmt.Sprintf("%s %s %s", id.Name, c.Action, c.Ref.Name)) }})
	bad := configMap(t, "bad", "1")
	bad.Object["data"] = "no map"
	definition, object := b.definition("Namespaced", true)
	b.apply(definition, object, configMap(t, "a", "1"), configMap(t, "b", "1"))
	want := []string{"the-set created " + definition.GetName(), "the-set created a", "the-set created b", "the-set created one"}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	told = nil
	_, _ = b.Apply(t.Context(), b.set(definition, object, configMap(t, "a", "1"), bad, deployment(t, "web", "nginx:1")))
	want = []string{"the-set unchanged " + definition.GetName(), "the-set unchanged a", "the-set failed bad", "the-set unchanged one", "the-set skipped web"}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	told = nil
	if _, err := b.Delete(t.Context(), b.set().ID); err != nil || len(told) != 6 { // what failed and what was skipped were written ahead
		t.Errorf("deleting: %v, told %v", err, told)
	}
}

func TestFieldsThatOthersOwn(t *testing.T) {
	theirs := func(b *bench) {
		b.must("PATCH", b.path("deployments", "web"), `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"theirs"}]}}}}`)
	}
	b := newBench(t, Options{Conflicts: FailFields})
	b.apply(deployment(t, "web", "nginx:1"))
	theirs(b)
	result, err := b.Apply(t.Context(), b.set(deployment(t, "web", "nginx:1")))
	var conflict *ConflictError
	if !errors.As(err, &conflict) || len(conflict.Fields) == 0 || result.Count(Failed) != 1 {
		t.Fatalf("%v, %v, want a ConflictError", actions(result), err)
	}
	taking := newBench(t, Options{})
	taking.namespace = b.namespace
	wantActions(t, taking.apply(deployment(t, "web", "nginx:1")), "configured Deployment web")
}

func TestIgnoredFieldsAreNoDrift(t *testing.T) {
	b := newBench(t, Options{Ignore: []IgnoreRule{{Kind: "Deployment", Pointers: []string{"/spec/replicas"}}}})
	web := deployment(t, "web", "nginx:1")
	_ = unstructured.SetNestedField(web.Object, int64(2), "spec", "replicas")
	b.apply(web)
	for _, replicas := range []int{5, 7} {
		b.must("PATCH", b.path("deployments", "web"), fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
		b.apply(web) // gives the field up, at first
		b.Take()
		wantActions(t, b.apply(web), "unchanged Deployment web")
		wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 1})
		if got := b.replicas(t, "web"); got != replicas {
			t.Errorf("%d replicas, want those %d of the other manager", got, replicas)
		}
	}
	b.must("PATCH", b.path("deployments", "web"), `{"spec":{"minReadySeconds":5,"template":{"spec":{"containers":[{"name":"main","image":"evil"}]}}}}`)
	wantActions(t, b.apply(web), "configured Deployment web")
	if got := b.replicas(t, "web"); got != 7 {
		t.Errorf("%d replicas after the drift of another field, want 7", got)
	}
	_, err := New(b.config, Options{Ignore: []IgnoreRule{{Pointers: []string{"spec"}}}})
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("the error of a bad pointer is %v", err)
	}
}

func (b *bench) replicas(t *testing.T, name string) int {
	t.Helper()
	var o struct{ Spec struct{ Replicas int } }
	if err := newApplier(t, b.config, Options{}).client.getJSON(t.Context(), strings.Split(b.path("deployments", name)[1:], "/"), "application/json", &o); err != nil {
		t.Fatal(err)
	}
	return o.Spec.Replicas
}

func TestApplyTakesOverFromClientSideApply(t *testing.T) {
	for _, test := range []struct {
		manager string
		opts    Options
		left    bool // a field that the manifest does not name
	}{
		{"kubectl-client-side-apply", Options{}, false},
		{"old-tool", Options{}, true},
		{"old-tool", Options{TakeOver: []string{"old-tool"}}, false},
	} {
		t.Run(fmt.Sprintf("%s %v", test.manager, test.opts.TakeOver), func(t *testing.T) {
			b := newBench(t, test.opts)
			b.tool(test.manager, "POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", "application/json",
				map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a"}, "data": map[string]any{"key": "0", "old": "x"}})
			wantActions(t, b.apply(configMap(t, "a", "1")), "configured ConfigMap a")
			var o struct{ Data map[string]string }
			if err := b.client.getJSON(t.Context(), strings.Split(b.path("configmaps", "a")[1:], "/"), "application/json", &o); err != nil {
				t.Fatal(err)
			}
			if _, left := o.Data["old"]; left != test.left || o.Data["key"] != "1" {
				t.Errorf("data is %v", o.Data)
			}
			b.Take()
			wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a")
			wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 1})
		})
	}
}

func TestApplyMigratesManagersOfAVersionThatIsGone(t *testing.T) {
	b := newBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	b.apply(definition, object)
	definition, _ = b.definition("Namespaced", true)
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	_ = unstructured.SetNestedSlice(definition.Object, versions[:1], "spec", "versions") // without v1
	object.SetAPIVersion("example.com/v2")
	_ = unstructured.SetNestedField(object.Object, "y", "spec", "x")
	wantActions(t, b.apply(definition, object), "configured CustomResourceDefinition "+definition.GetName(), "configured "+object.GetKind()+" one")
	if result := b.apply(definition, object); result.Count(Unchanged) != 2 {
		t.Errorf("again: %v", actions(result))
	}
}
