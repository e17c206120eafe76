package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A planBench is a bench that remembers what the last plan sent.
type planBench struct {
	*bench
	planned []string
}

func newPlanBench(t *testing.T, opts Options) *planBench {
	t.Helper()
	return &planBench{bench: newBench(t, opts)}
}

// plan plans, and fails the test where that sent anything but reads and dry runs or changed a state.
func (b *planBench) plan(set Set) (*Plan, error) {
	b.t.Helper()
	before := b.states()
	b.Take()
	p, err := b.Plan(b.t.Context(), set)
	b.planned = b.Take()
	for _, line := range b.planned {
		verb, uri, _ := strings.Cut(line, " ")
		if verb != "GET" && (verb != "PATCH" || !strings.Contains(uri, "dryRun=All")) {
			b.t.Errorf("a plan sent %s", line)
		}
	}
	if after := b.states(); !maps.Equal(before, after) {
		b.t.Errorf("a plan changed states:\n%v\n%v", before, after)
	}
	return p, err
}

func (b *planBench) mustPlan(objects ...*unstructured.Unstructured) *Plan {
	b.t.Helper()
	p, err := b.plan(b.set(objects...))
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// states has the resourceVersions of what is in the namespace.
func (b *planBench) states() map[string]string {
	b.t.Helper()
	c := newApplier(b.t, b.config, Options{}).client
	states := make(map[string]string)
	for _, path := range []string{"/api/v1/namespaces/%s/configmaps", "/api/v1/namespaces/%s/secrets",
		"/api/v1/namespaces/%s/services", "/apis/apps/v1/namespaces/%s/deployments"} {
		path := strings.Split(strings.TrimPrefix(fmt.Sprintf(path, b.namespace), "/"), "/")
		items, err := c.listMetadata(b.t.Context(), path, "")
		if err != nil {
			b.t.Fatal(err)
		}
		for _, o := range items {
			states[path[len(path)-1]+"/"+o.Name] = o.ResourceVersion
		}
	}
	return states
}

// wantPlan compares "action Kind name" of each change and under it "origin path: was → will" of each difference.
func wantPlan(t *testing.T, p *Plan, want ...string) {
	t.Helper()
	var got []string
	for _, c := range p.Changes {
		line := fmt.Sprintf("%s %s %s", c.Action, c.Ref.Kind, c.Ref.Name)
		if c.Note != "" {
			line += " (" + c.Note + ")"
		}
		got = append(got, line)
		for _, d := range c.Differences {
			if c.Action == Created && d.Origin == FromServer {
				continue
			}
			was, _ := json.Marshal(d.Was)
			will, _ := json.Marshal(d.Will)
			got = append(got, fmt.Sprintf("  %s %s: %s → %s", d.Origin, d.Path, was, will))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the plan is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPlanTellsWhatApplyDoesAndWritesNothing(t *testing.T) {
	b := newPlanBench(t, Options{})
	a, web, svc := configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web")
	p := b.mustPlan(a, web)
	wantPlan(t, p, "created ConfigMap a", `  manifest data: null → {"key":"1"}`,
		"created Deployment web", `  manifest metadata.labels: null → {"app":"web"}`,
		`  manifest spec: null → {"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"image":"nginx:1","name":"main"}]}}}`)
	if n := p.Changes[1].count(FromServer); n < 5 {
		t.Errorf("the server brings %d defaults, want more: %+v", n, p.Changes[1].Differences)
	}
	wantRequests(t, b.planned, map[string]int{"GET inventory": 1, "discovery": 2, "GET": 4, "PATCH": 2})

	b.apply(a, web, svc)
	wantPlan(t, b.mustPlan(a, web, svc), "unchanged ConfigMap a", "unchanged Deployment web", "unchanged Service web")
	wantRequests(t, b.planned, map[string]int{"GET inventory": 1, "GET": 3})

	wantPlan(t, b.mustPlan(configMap(t, "a", "2"), deployment(t, "web", "nginx:2")),
		"configured ConfigMap a", `  manifest data.key: "1" → "2"`,
		"configured Deployment web", `  manifest spec.template.spec.containers[name=main].image: "nginx:1" → "nginx:2"`,
		"pruned Service web")
	wantRequests(t, b.planned, map[string]int{"GET inventory": 1, "GET": 5, "PATCH": 2})
}

func TestPlanSaysWhatSendingAllAgainWouldChange(t *testing.T) {
	b := newPlanBench(t, Options{RevalidateAfter: 1})
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), deployment(t, "web", "nginx:1"), service(t, "web"),
		manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}")}
	b.apply(objects...)
	wantPlan(t, b.mustPlan(objects...), "unchanged ConfigMap a", "unchanged Deployment web", "unchanged Service web", "unchanged Secret s")
	if n := testbed.Count(b.planned, "PATCH"); n != 4 {
		t.Errorf("%d dry runs, want 4", n)
	}
}

func TestPlanTellsDriftAdoptionAndOwnershipApart(t *testing.T) {
	b := newPlanBench(t, Options{Adopt: AdoptAlways})
	b.apply(deployment(t, "web", "nginx:1"), configMap(t, "gone", "1"))
	if err := b.do("PATCH", b.path("deployments", "web"), `{"spec":{"replicas":3},"metadata":{"labels":{"app":"x"}}}`); err != nil {
		t.Fatal(err)
	}
	for name, labels := range map[string]string{"same": `{}`, "other": `{"applyset.kubernetes.io/part-of":"x"}`} {
		body := fmt.Sprintf(`{"metadata":{"name":%q,"labels":%s},"data":{"key":%q,"extra":"1"}}`, name, labels, name)
		if err := b.do("POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", body); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.do("DELETE", b.path("configmaps", "gone"), ""); err != nil {
		t.Fatal(err)
	}
	p := b.mustPlan(deployment(t, "web", "nginx:1"), configMap(t, "same", "same"), configMap(t, "other", "1"))
	wantPlan(t, p, "configured Deployment web", `  manifest metadata.labels.app: "x" → "web"`,
		"configured ConfigMap same (it becomes one of the set; nothing else changes)",
		"configured ConfigMap other (it becomes one of the set, and is one of another)", `  manifest data.key: "other" → "1"`,
		"pruned ConfigMap gone (it is gone already)")
	if p.Changes[0].Adopted || !p.Changes[1].Adopted || !p.Changes[2].Adopted {
		t.Errorf("adopted: %+v", p.Changes)
	}
	other := newApplier(t, b.config, Options{FieldManager: "another"})
	p, err := other.Plan(t.Context(), Set{ID: b.set().ID, Objects: []*unstructured.Unstructured{configMap(t, "gone", "1"), deployment(t, "web", "nginx:1")}})
	if err != nil || p.Changes[0].Action != Created {
		t.Errorf("%+v, %v", p.Changes, err)
	}
	if err := b.do("PATCH", b.path("deployments", "web"), `{"metadata":{"labels":{"app":"web"}}}`); err != nil {
		t.Fatal(err)
	}
	wantPlan(t, b.mustPlan(deployment(t, "web", "nginx:1"), configMap(t, "gone", "1")),
		"configured Deployment web (nothing changes but who manages which fields)", "created ConfigMap gone", `  manifest data: null → {"key":"1"}`)
}

func TestPlanMatchesItemsOfLists(t *testing.T) {
	b := newPlanBench(t, Options{})
	pod := func(containers string) *unstructured.Unstructured {
		o := deployment(t, "web", "x")
		list := manifest(t, "apiVersion: v1\nkind: X\nlist: "+containers).Object["list"]
		_ = unstructured.SetNestedField(o.Object, list, "spec", "template", "spec", "containers")
		return o
	}
	b.apply(pod(`[{name: a, image: a, env: [{name: P, value: "1"}, {name: Q, value: "2"}], args: [one, two], ports: [{containerPort: 80}, {containerPort: 443}]}, {name: b, image: b}]`))
	const path = "spec.template.spec.containers"
	for _, test := range []struct {
		name, containers string
		want             []string
	}{
		{"added ahead", `[{name: new, image: new}, {name: a, image: a, env: [{name: P, value: "1"}, {name: Q, value: "2"}], args: [one, two], ports: [{containerPort: 80}, {containerPort: 443}]}, {name: b, image: b}]`,
			[]string{`manifest ` + path + `[name=new]: null → {"image":"new","name":"new"}`,
				`server ` + path + `[name=new].imagePullPolicy: null → "Always"`,
				`server ` + path + `[name=new].resources: null → {}`,
				`server ` + path + `[name=new].terminationMessagePath: null → "/dev/termination-log"`,
				`server ` + path + `[name=new].terminationMessagePolicy: null → "File"`}},
		{"removed, with what the server put there", `[{name: a, image: a, env: [{name: P, value: "1"}, {name: Q, value: "2"}], args: [one, two], ports: [{containerPort: 80}, {containerPort: 443}]}]`,
			[]string{`manifest ` + path + `[name=b]: {"image":"b","imagePullPolicy":"Always","name":"b","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"} → null`}},
		{"inside of items", `[{name: a, image: a, env: [{name: Q, value: "3"}, {name: R, value: "4"}], args: [two], ports: [{containerPort: 80, name: http}, {containerPort: 443}]}, {name: b, image: b}]`,
			[]string{`manifest ` + path + `[name=a].args: ["one","two"] → ["two"]`,
				`manifest ` + path + `[name=a].env[name=P]: {"name":"P","value":"1"} → null`,
				`manifest ` + path + `[name=a].env[name=Q].value: "2" → "3"`,
				`manifest ` + path + `[name=a].env[name=R]: null → {"name":"R","value":"4"}`,
				`manifest ` + path + `[name=a].ports[containerPort=80,protocol=TCP].name: null → "http"`}},
		{"in another order", `[{name: a, image: a, env: [{name: Q, value: "2"}, {name: P, value: "1"}], args: [one, two], ports: [{containerPort: 80}, {containerPort: 443}]}, {name: b, image: b}]`,
			[]string{`manifest ` + path + `[name=a].env: [{"name":"P","value":"1"},{"name":"Q","value":"2"}] → [{"name":"Q","value":"2"},{"name":"P","value":"1"}]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := []string{"configured Deployment web"}
			for _, line := range test.want {
				want = append(want, "  "+line)
			}
			wantPlan(t, b.mustPlan(pod(test.containers)), want...)
		})
	}
}

func TestPlanTellsWhatTheServerTakesAway(t *testing.T) {
	b := newPlanBench(t, Options{})
	svc := service(t, "web")
	_ = unstructured.SetNestedField(svc.Object, "NodePort", "spec", "type")
	b.apply(svc)
	p := b.mustPlan(service(t, "web"))
	var server, ours []string
	for _, d := range p.Changes[0].Differences {
		if d.Origin == FromServer {
			server = append(server, d.Path)
		} else {
			ours = append(ours, d.Path)
		}
	}
	if !slices.Equal(ours, []string{"spec.type"}) || !slices.Equal(server, []string{"spec.externalTrafficPolicy", "spec.ports[port=80,protocol=TCP].nodePort"}) {
		t.Errorf("of the manifest are %v, of the server %v", ours, server)
	}
}

func TestPlanGoesOnWhereTheSetBringsNamespaceAndDefinition(t *testing.T) {
	b := newPlanBench(t, Options{})
	definition, object := b.definition("Namespaced", true)
	_ = unstructured.SetNestedField(object.Object, "it", "spec", "is")
	space := manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"-new}")
	in := configMap(t, "in", "1")
	in.SetNamespace(b.namespace + "-new")
	p := b.mustPlan(in, object, definition, space)
	for i, want := range []string{"namespace", "definition"} {
		if c := p.Changes[i]; c.Action != Created || !strings.Contains(c.Note, want) || len(c.Differences) != 1 {
			t.Errorf("%v: %s %q %+v", c.Ref, c.Action, c.Note, c.Differences)
		}
	}
	if n := testbed.Count(b.planned, "PATCH"); n != 2 || p.Count(Created) != 4 {
		t.Errorf("%d dry runs, %s", n, p.Counts())
	}
	refused, _ := b.definition("Namespaced", true)
	refused.SetName("other.example.com")
	p, err := b.plan(b.set(in, object, refused, space))
	if !apierrors.IsInvalid(err) || p.Changes[1].Action != Skipped || !errors.Is(p.Changes[1].Err, ErrNotReached) {
		t.Errorf("%+v, %v", p.Changes, err)
	}
	set := b.set(in, space)
	set.ID.Namespace = space.GetName()
	if _, err := b.plan(set); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "create the namespace") {
		t.Errorf("the inventory's own namespace: %v", err)
	}
	b.apply(definition, object)
	changed, _ := b.definition("Namespaced", true)
	versions, _, _ := unstructured.NestedSlice(changed.Object, "spec", "versions")
	version := versions[1].(map[string]any)
	version = maps.Clone(version)
	version["name"] = "v3"
	_ = unstructured.SetNestedSlice(changed.Object, append(versions, version), "spec", "versions")
	object.SetAPIVersion("example.com/v3")
	p = b.mustPlan(changed, object)
	if c := p.Changes[1]; c.Action != Configured || c.Note != noteUnserved {
		t.Errorf("%+v", c)
	}
}

func TestPlanTellsWhatAWebhookBrings(t *testing.T) {
	b := newPlanBench(t, Options{RevalidateAfter: 1})
	b.apply(configMap(t, "a", "1"))
	policies := "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
	policy := manifest(t, fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: 'Object{metadata: Object.metadata{annotations: {"hook": "was here"}}}'}}]
`, b.namespace))
	binding := manifest(t, fmt.Sprintf("apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicyBinding\n"+
		"metadata: {name: %[1]s}\nspec: {policyName: %[1]s}", b.namespace))
	for path, o := range map[string]*unstructured.Unstructured{policies: policy, strings.Replace(policies, "policies", "policybindings", 1): binding} {
		body, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.do("POST", path, string(body)); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = b.do("DELETE", path+"/"+b.namespace, "") }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := b.mustPlan(configMap(t, "a", "1"))
	for p.Changes[0].Action == Unchanged && sleep(ctx, 20*time.Millisecond) == nil { // until the server has seen it
		p = b.mustPlan(configMap(t, "a", "1"))
	}
	wantPlan(t, p, "configured ConfigMap a", `  server metadata.annotations: null → {"hook":"was here"}`)
	var out strings.Builder
	if err := p.WriteDiff(&out, View{}); err != nil || !strings.Contains(out.String(), "# and 1 field that only the server brings") {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestPlanTellsReplacementsTakeoversAndWhatStays(t *testing.T) {
	b := newPlanBench(t, Options{Replace: true})
	secret := func(kind string) *unstructured.Unstructured {
		return manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: "+kind)
	}
	keep := annotated1(configMap(t, "keep", "1"), "helm.sh/resource-policy", "keep")
	b.apply(secret("example.com/a"), keep, configMap(t, "goes", "1"))
	b.tool("kubectl-client-side-apply", "POST", "/api/v1/namespaces/"+b.namespace+"/configmaps", "application/json",
		map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "taken"}, "data": map[string]any{"key": "1", "old": "x"}})
	other := newApplier(t, b.config, Options{})
	foreign := Set{ID: ID{Namespace: b.namespace, Name: "the-other"}, Objects: []*unstructured.Unstructured{configMap(t, "theirs", "1")}}
	if _, err := other.Apply(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	p, err := b.plan(b.set(secret("example.com/b"), configMap(t, "taken", "1"), configMap(t, "theirs", "1")))
	if !errors.Is(err, ErrOwned) {
		t.Errorf("the error is %v, want ErrOwned", err)
	}
	var got []string
	for _, c := range p.Changes {
		got = append(got, string(c.Action)+" "+c.Ref.Name)
	}
	want := []string{"replaced s", "configured taken", "failed theirs", "pruned goes", "skipped keep"}
	if !slices.Equal(got, want) {
		t.Errorf("the plan is %v, want %v", got, want)
	}
	if p.Changes[1].Note != noteTakeover || !strings.Contains(p.Changes[0].Note, "immutable") || !errors.Is(p.Changes[4].Err, ErrProtected) {
		t.Errorf("notes are %q, %q; what stays: %v", p.Changes[0].Note, p.Changes[1].Note, p.Changes[4].Err)
	}
}
