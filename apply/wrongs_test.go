package apply

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestWhatChangesAtEachDeletionStaysInTheInventory(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "busy", "1"))
	n := 0
	b.Before = func(r *http.Request) error {
		if r.Method == "DELETE" {
			n++
			return b.do("PATCH", b.path("configmaps", "busy"), fmt.Sprintf(`{"metadata":{"annotations":{"n":"%d"}}}`, n))
		}
		return nil
	}
	result, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1")))
	b.Before = nil
	if err == nil {
		t.Error("no error")
	}
	wantActions(t, result, "unchanged ConfigMap a", "failed ConfigMap busy")
	b.wantAllNamed(t, 0)
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a", "pruned ConfigMap busy")
}

func TestPruneKeepsTheNamespaceAndTheDefinitionOfWhatTheSetStillHas(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		b := newBench(t, Options{DeleteOccupied: allowed})
		space := b.namespace + "-pruned"
		namespace := manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+space+"}")
		definition, object := b.definition("Namespaced", true)
		b.apply(namespace, definition, object, in(space, configMap(t, "member", "1")))
		set := b.set(object, in(space, configMap(t, "member", "1")))
		if plan, err := b.Plan(t.Context(), set); err == nil {
			t.Errorf("the plan does not fail: %v", plan)
		}
		result, err := b.Apply(t.Context(), set)
		if !errors.Is(err, ErrOccupied) || result.Count(Failed) != 2 || result.Count(Unchanged) != 2 {
			t.Errorf("%v, %v, want ErrOccupied", actions(result), err)
		}
		if result := b.apply(namespace, definition, object, in(space, configMap(t, "member", "1"))); result.Count(Unchanged) != 4 {
			t.Errorf("put back: %v", actions(result))
		}
		if result, err := b.Delete(t.Context(), b.set().ID); err != nil || result.Count(Deleted) != 4 {
			t.Errorf("Delete: %v, %v", actions(result), err)
		}
	}
}

func TestAKindThatIsGoneIsForgotten(t *testing.T) {
	b := newBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	other := b.set(definition)
	other.ID.Name = "definitions"
	if _, err := b.again().Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for served := false; !served && t.Context().Err() == nil; { // nothing of that set waited for it
		_, err := b.again().mapper.find(t.Context(), object.GroupVersionKind(), true)
		served = err == nil
	}
	b.apply(object, configMap(t, "a", "1"))
	b.must("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+definition.GetName(), "")
	path := "/apis/example.com/v1/namespaces/" + b.namespace + "/" + strings.ReplaceAll(b.namespace, "-", "") + "s"
	for b.exists(path) {
	}
	wantActions(t, b.apply(configMap(t, "a", "1")), "unchanged ConfigMap a", "pruned "+object.GetKind()+" one")
}

func TestReplacingGoesOnWhereTheObjectChangedMeanwhile(t *testing.T) {
	b := newBench(t, Options{Replace: true})
	secret := func(kind string) *unstructured.Unstructured {
		return manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: "+kind)
	}
	b.apply(secret("one"))
	b.Before = func(r *http.Request) error {
		if r.Method == "DELETE" {
			b.Before = nil
			return b.do("PATCH", b.path("secrets", "s"), `{"metadata":{"annotations":{"n":"1"}}}`)
		}
		return nil
	}
	wantActions(t, b.apply(secret("two")), "replaced Secret s")
}

func (b *bench) definitionWith(fields ...string) (definition, object *unstructured.Unstructured) {
	definition, object = b.definition("Namespaced", true)
	properties, spec := map[string]any{}, map[string]any{}
	for _, f := range fields {
		properties[f], spec[f] = map[string]any{"type": "string"}, "x"
	}
	schema := map[string]any{"type": "object", "properties": map[string]any{"spec": map[string]any{"type": "object", "properties": properties}}}
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, v := range versions {
		v.(map[string]any)["schema"] = map[string]any{"openAPIV3Schema": schema}
	}
	_ = unstructured.SetNestedSlice(definition.Object, versions, "spec", "versions")
	object.Object["spec"] = spec
	return definition, object
}

func (b *bench) both(fields ...string) []*unstructured.Unstructured {
	definition, object := b.definitionWith(fields...)
	return []*unstructured.Unstructured{definition, object}
}

func TestADefinitionMayGainAFieldThatTheSetUses(t *testing.T) {
	for _, validate := range []bool{false, true} {
		b := newBench(t, Options{Validate: validate})
		var fields []string
		for i := range 8 {
			fields = append(fields, fmt.Sprintf("f%d", i))
			result, err := b.Apply(t.Context(), b.set(b.both(fields...)...))
			if err != nil {
				t.Errorf("validate %v, the change %d: %v, %v", validate, i, actions(result), err)
				break
			}
		}
	}
}

func TestConflictNamesWhatMayHaveBeenApplied(t *testing.T) {
	b := newBench(t, Options{})
	b.apply(configMap(t, "a", "1"))
	b.Before = func(r *http.Request) error { // another applier of the set, without b, comes in between, and the answer is lost
		if r.Method == "PATCH" && strings.HasSuffix(r.URL.Path, "/b") {
			b.Before = nil
			if _, err := newApplier(t, b.config, Options{}).Apply(t.Context(), b.set(configMap(t, "a", "1"))); err != nil {
				return err
			}
			label := b.set().ID.label()
			if err := b.do("POST", b.path("configmaps", "")[:len(b.path("configmaps", ""))-1], fmt.Sprintf(`{"metadata":{"name":"b","labels":{%q:%q}}}`, partOfLabel, label)); err != nil {
				return err
			}
			return errors.New("the answer was lost")
		}
		return nil
	}
	if _, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"), configMap(t, "b", "1"))); !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v, want ErrConflict", err)
	}
	b.wantAllNamed(t, 0)
}

func TestWhatLostTheSetsLabelIsStillCreatedOnlyOnce(t *testing.T) {
	b := newBench(t, Options{})
	once := func(name string) *unstructured.Unstructured {
		return annotated1(configMap(t, name, "1"), "kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent")
	}
	b.apply(once("one"), once("two"), once("three"))
	for _, name := range []string{"one", "two", "three"} {
		b.must("PATCH", b.path("configmaps", name), `{"metadata":{"labels":null},"data":{"key":"theirs"}}`)
	}
	wantActions(t, b.apply(once("one"), once("two"), once("three")), "unchanged ConfigMap one", "unchanged ConfigMap two", "unchanged ConfigMap three")
}

func TestAManagerIsTakenOverAlsoFromWhatIsUnchanged(t *testing.T) {
	b := newBench(t, Options{})
	if _, err := b.tries("old-tool", "PATCH", b.path("deployments", "web"), applyPatch, deployment(t, "web", "nginx:1").Object); err != nil {
		t.Fatal(err)
	}
	b.apply(deployment(t, "web", "nginx:1"))
	b.opts.TakeOver = []string{"old-tool"}
	wantActions(t, b.again().apply(deployment(t, "web", "nginx:1")), "configured Deployment web")
	b.Take()
	wantActions(t, b.again().apply(deployment(t, "web", "nginx:1")), "unchanged Deployment web")
}

func TestWavesEndWhereADependentIsAnothers(t *testing.T) {
	b := newBench(t, Options{})
	other := b.set(configMap(t, "theirs", "1"))
	other.ID.Name = "other"
	if _, err := b.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	result, err := b.Apply(t.Context(), b.set(configMap(t, "a", "1"), needs(configMap(t, "theirs", "1"), "/namespaces/"+b.namespace+"/ConfigMap/a"), service(t, "web")))
	if !errors.Is(err, ErrOwned) {
		t.Errorf("the error is %v, want ErrOwned", err)
	}
	wantActions(t, result, "created ConfigMap a", "failed ConfigMap theirs", "skipped Service web")
}
