package apply

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// definition is of a kind of this test alone, in the versions v1 and v2.
func (b *bench) definition(scope string, v1Served bool) (definition, object *unstructured.Unstructured) {
	name := strings.ReplaceAll(b.namespace, "-", "")
	definition = manifest(b.t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]ss.example.com}
spec:
  group: example.com
  scope: %[2]s
  names: {plural: %[1]ss, kind: Kind%[1]s}
  versions:
  - {name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - {name: v1, served: %[3]t, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`, name, scope, v1Served))
	return definition, manifest(b.t, fmt.Sprintf("apiVersion: example.com/v1\nkind: Kind%s\nmetadata: {name: one}", name))
}

func TestPruneReachesObjectsWhoseVersionIsNoLongerServed(t *testing.T) {
	b := newBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	b.apply(definition, object)
	definition, _ = b.definition("Namespaced", false)
	if _, err := b.Apply(t.Context(), b.set(definition, configMap(t, "a", "1"))); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/apis/example.com/v2/namespaces/%s/%ss/one", b.namespace, strings.ReplaceAll(b.namespace, "-", ""))
	if b.exists(path) {
		t.Error("the object is still there, and no inventory names it")
	}
}

func TestInventoryOutlivesARefusedDefinition(t *testing.T) {
	b := newBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	b.apply(definition, object)
	wrong, _ := b.definition("Cluster", true)
	result, err := b.Apply(t.Context(), b.set(wrong, object))
	if !apierrors.IsInvalid(err) || result.Changes[0].Action != Failed {
		t.Errorf("the definition's change is %v, %v, want the server's refusal", actions(result), err)
	}
	if result := b.apply(definition, object); result.Count(Failed) > 0 {
		t.Errorf("after the revert: %v", actions(result))
	}
	if _, err := b.Delete(t.Context(), b.set().ID); err != nil {
		t.Error(err)
	}
}

func TestParentKeepsItsFinalizersAndIsNotWrittenWhileItGoes(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"))
	parent := b.path("secrets", "the-set")
	if err := b.do("PATCH", parent, `{"metadata":{"finalizers":["example.com/hold"]}}`); err != nil {
		t.Fatal(err)
	}
	if err := b.do("DELETE", parent, ""); err != nil {
		t.Fatal(err)
	}
	b.Take()
	if _, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"), configMap(t, "b", "1"))); !errors.Is(err, ErrTerminating) {
		t.Errorf("the error is %v, want ErrTerminating", err)
	}
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1})
	if _, err := b.Delete(t.Context(), b.set().ID); err != nil {
		t.Error(err)
	}
	if left := b.members(); len(left) > 0 || !b.exists(parent) {
		t.Errorf("after Delete there are %v, and the parent is there: %v", left, b.exists(parent))
	}
	if err := b.do("PATCH", parent, `{"metadata":{"finalizers":null}}`); err != nil {
		t.Fatal(err)
	}
}

func TestConflictLeavesNothingUnnamed(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"))
	b.Before = func(r *http.Request) error { // another applier of the set, without b, comes in between
		if r.Method == "PATCH" {
			b.Before = nil
			_, err := newApplier(t, b.config, Options{}).Apply(t.Context(), b.set(configMap(t, "a", "2")))
			return err
		}
		return nil
	}
	if _, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"), configMap(t, "b", "1"))); !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v, want ErrConflict", err)
	}
	b.wantAllNamed(t, 0)
	b.apply(configMap(t, "a", "2"))
	if got, want := b.members(), []string{"configmaps a"}; !slices.Equal(got, want) {
		t.Errorf("then there are %v, want %v", got, want)
	}
}

func TestPruneLeavesTheNamespaceOfItsInventory(t *testing.T) {
	b := newBench(t, Options{})
	home := manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"}")
	b.apply(home, configMap(t, "a", "1"))
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a", "skipped Namespace "+b.namespace)
	if !b.exists("/api/v1/namespaces/" + b.namespace) {
		t.Error("the namespace is gone")
	}
	result, err := b.Delete(t.Context(), b.set().ID)
	if err != nil || len(result.Changes) != 2 || result.Changes[1].Ref.Kind != "Namespace" {
		t.Errorf("deleted %v, %v, want the namespace last", actions(result), err)
	}
}

func TestOddManifestsAreToldWithoutTheirSecrets(t *testing.T) {
	b := newBench(t, Options{})
	for text, says := range map[string]string{
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 86753091}":               `stringData["pin"] is not a string`,
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: planted86753091":                     "data is not a map",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s, labels: [a]}":                            "metadata.labels is a",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s, labels: {a: 1}}":                         `metadata.labels["a"] is not a string`,
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s, namespace: 2024}":                        "metadata.namespace is not a string",
		"apiVersion: v1\nkind: ConfigMapList\nmetadata: {name: s}\nitems: []":                          "it is a list",
		"apiVersion: v1\nkind: Deployment\nmetadata: {name: s}":                                        "Deployment in apps/v1",
		"apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: s}\nspec: {rules: []}": "Ingress in networking.k8s.io/v1",
	} {
		_, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), manifest(t, text)))
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "86753091") {
			t.Errorf("%s:\nthe error is %v, want one that says %s", text, err, says)
		}
	}
}

func TestUnknownKindsCostOneLook(t *testing.T) {
	b := newBench(t, Options{})
	var objects []*unstructured.Unstructured
	for i := range 10 {
		objects = append(objects, manifest(t, fmt.Sprintf("apiVersion: example.com/v1\nkind: Odd%d\nmetadata: {name: o}", i)))
	}
	if _, err := b.Apply(t.Context(), b.set(objects...)); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("the error is %v", err)
	}
	if n := testbed.Count(b.Take(), "GET /apis"); n > 2 {
		t.Errorf("%d looks at the kinds, want 2 at most", n)
	}
}

func TestForbiddenIsToldAsTheServerSaysIt(t *testing.T) {
	b := newBench(t, Options{})
	b.config.Impersonate.UserName = "nobody"
	_, err := newApplier(t, b.config, Options{}).Apply(t.Context(), b.set(configMap(t, "a", "1")))
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "nobody" cannot get resource "secrets"`) {
		t.Errorf("the error is %v", err)
	}
}
