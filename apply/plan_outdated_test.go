package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// byPlan applies by a plan that has been to JSON and back.
func (b *bench) byPlan(p *Plan, set Set) (*Result, error) {
	b.t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		b.t.Fatal(err)
	}
	set.Plan = &Plan{}
	if err := json.Unmarshal(text, set.Plan); err != nil {
		b.t.Fatal(err)
	}
	b.Take()
	return b.again().Apply(b.t.Context(), set)
}

func TestApplyDoesAsPlanned(t *testing.T) {
	b := newPlanBench(t, Options{})
	secret := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}")
	first := []*unstructured.Unstructured{configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web"), secret}
	if err := b.do("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"a"},"data":{"key":"0"}}`); err != nil {
		t.Fatal(err)
	}
	found := deployment(t, "web", "nginx:0")
	containers, _, _ := unstructured.NestedSlice(found.Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["env"] = []any{map[string]any{"name": "A<&B", "value": "1"}}
	_ = unstructured.SetNestedSlice(found.Object, containers, "spec", "template", "spec", "containers")
	body, err := found.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.do("POST", "/apis/apps/v1/namespaces/"+b.namespace+"/deployments", string(body)); err != nil {
		t.Fatal(err)
	}
	result, err := b.byPlan(b.mustPlan(first...), b.set(first[3], first[2], first[1], first[0])) // the order is none of a plan's
	if err != nil {
		t.Fatal(err)
	}
	wantActions(t, result, "created Secret s", "created Service web", "configured Deployment web", "configured ConfigMap a")

	second := []*unstructured.Unstructured{configMap(t, "a", "2"), deployment(t, "web", "nginx:1"), secret}
	p := b.mustPlan(second...)
	status := `{"status":{"observedGeneration":2,"replicas":1}}` // a status is no reason to plan again
	if err := b.do("PATCH", b.path("deployments", "web")+"/status", status); err != nil {
		t.Fatal(err)
	}
	if result, err = b.byPlan(p, b.set(second...)); err != nil {
		t.Fatal(err)
	}
	wantActions(t, result, "configured ConfigMap a", "unchanged Deployment web", "unchanged Secret s", "pruned Service web")
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 4, "PATCH": 1, "DELETE": 1, "PUT inventory": 2})
	for i, c := range result.Changes {
		if c.Action != p.Changes[i].Action {
			t.Errorf("%s was planned as %s and became %s", c.Ref, p.Changes[i].Action, c.Action)
		}
	}
}

func TestApplySendsNothingByAnOutdatedPlan(t *testing.T) {
	for _, test := range []struct {
		name string
		move func(b *planBench) error
		want []*unstructured.Unstructured // instead of what was planned
		says string
	}{
		{name: "a live change", says: "Deployment.apps",
			move: func(b *planBench) error {
				return b.do("PATCH", b.path("deployments", "web"), `{"spec":{"replicas":4}}`)
			}},
		{name: "a live change of what is to be pruned", says: "Service",
			move: func(b *planBench) error {
				return b.do("PATCH", b.path("services", "web"), `{"metadata":{"labels":{"a":"b"}}}`)
			}},
		{name: "an object deleted", says: "ConfigMap",
			move: func(b *planBench) error { return b.do("DELETE", b.path("configmaps", "a"), "") }},
		{name: "an object to be pruned deleted", says: "Service",
			move: func(b *planBench) error { return b.do("DELETE", b.path("services", "web"), "") }},
		{name: "an object created", says: "ConfigMap",
			move: func(b *planBench) error {
				return b.do("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", `{"metadata":{"name":"new"}}`)
			}},
		{name: "a drift of what was unchanged", says: "Secret",
			move: func(b *planBench) error { return b.do("PATCH", b.path("secrets", "s"), `{"data":{"a":"eA=="}}`) }},
		{name: "another apply", says: "inventory",
			move: func(b *planBench) error {
				_, err := newApplier(t, b.config, Options{}).Apply(t.Context(), b.set(outdatedSet(t, "3", "b")...))
				return err
			}},
		{name: "a changed manifest", want: outdatedSet(t, "3", "b"), says: "ConfigMap"},
		{name: "a changed Secret", want: outdatedSet(t, "2", "c"), says: "a Secret's manifest"},
		{name: "an object more", want: append(outdatedSet(t, "2", "b"), configMap(t, "more", "1")), says: "it was not in the set"},
		{name: "an object less", want: outdatedSet(t, "2", "b")[1:], says: "it was in the set"},
		{name: "a Secret less", want: outdatedSet(t, "2", "b")[:3], says: "it was in the set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newPlanBench(t, Options{})
			b.apply(append(outdatedSet(t, "1", "b")[1:], configMap(t, "a", "1"), service(t, "web"))[1:]...)
			planned := outdatedSet(t, "2", "b")
			p := b.mustPlan(planned...)
			if test.move != nil {
				if err := test.move(b); err != nil {
					t.Fatal(err)
				}
			}
			if test.want != nil {
				planned = test.want
			}
			result, err := b.byPlan(p, b.set(planned...))
			if !errors.Is(err, ErrPlanOutdated) || !strings.Contains(fmt.Sprint(err), test.says) || len(result.Changes) > 0 {
				t.Errorf("%v, %v, want ErrPlanOutdated that says %q", actions(result), err, test.says)
			}
			if requests := b.Take(); testbed.Count(requests, "GET") != len(requests) {
				t.Errorf("it wrote: %v", requests)
			}
		})
	}
	b := newBench(t, Options{})
	if _, err := b.byPlan(&Plan{ID: ID{Namespace: "other", Name: "x"}}, b.set()); !errors.Is(err, ErrInvalid) {
		t.Errorf("by the plan of another set: %v", err)
	}
}

// outdatedSet has an object to be created, two to be changed and a Secret that is as it was.
func outdatedSet(t *testing.T, value, secret string) []*unstructured.Unstructured {
	return []*unstructured.Unstructured{configMap(t, "a", value), configMap(t, "new", "1"), deployment(t, "web", "nginx:"+value),
		manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: "+secret+"}")}
}
