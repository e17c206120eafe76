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
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

func in(namespace string, o *unstructured.Unstructured) *unstructured.Unstructured {
	o.SetNamespace(namespace)
	return o
}

// namespaces makes n of them, beside the bench's own.
func (b *bench) namespaces(n int) []string {
	b.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", b.namespace, i)
		if err := b.do("POST", "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, names[i])); err != nil {
			b.t.Fatal(err)
		}
	}
	return names
}

// looks returns what was read of the members, in order: "LIST all", "LIST -1" for the namespace with that end, "GET -1/name".
func (b *bench) looks(requests []string) []string {
	var looks []string
	for _, line := range requests {
		uri, found := strings.CutPrefix(line, "GET /api/v1/")
		if !found || strings.Contains(uri, "the-set") {
			continue
		}
		path, query, _ := strings.Cut(uri, "?")
		space, name := "all", ""
		if parts := strings.Split(path, "/"); parts[0] == "namespaces" {
			space = strings.TrimPrefix(parts[1], b.namespace)
			name = strings.Join(parts[3:], "/")
		}
		switch {
		case query != "":
			looks = append(looks, "LIST "+space)
		default:
			looks = append(looks, "GET "+space+"/"+name)
		}
	}
	slices.Sort(looks)
	return looks
}

func TestLooksAreFewAndNarrow(t *testing.T) {
	b := newBench(t, Options{})
	spaces := b.namespaces(5)
	for _, test := range []struct {
		name    string
		objects []*unstructured.Unstructured
		want    string
	}{
		{"two objects", []*unstructured.Unstructured{configMap(t, "a", "1"), in(spaces[0], configMap(t, "b", "1"))}, "GET -0/b GET /a"},
		{"one namespace", []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1")}, "LIST "},
		{"two namespaces and one object in a third", []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"),
			in(spaces[0], configMap(t, "a", "1")), in(spaces[0], configMap(t, "b", "1")), in(spaces[1], configMap(t, "c", "1"))},
			"GET -1/c LIST  LIST -0"},
		{"many namespaces", []*unstructured.Unstructured{in(spaces[0], configMap(t, "a", "1")), in(spaces[1], configMap(t, "a", "1")),
			in(spaces[2], configMap(t, "a", "1")), in(spaces[3], configMap(t, "a", "1")), in(spaces[4], configMap(t, "a", "1"))}, "LIST all"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.Take()
			b.apply(test.objects...)
			first := strings.Join(b.looks(b.Take()), " ")
			if result := b.again().apply(test.objects...); result.Count(Unchanged) != len(test.objects) {
				t.Errorf("again: %v", actions(result))
			}
			if got := strings.Join(b.looks(b.Take()), " "); got != test.want || first != test.want {
				t.Errorf("the looks are\n%q at first and\n%q again, want\n%q", first, got, test.want)
			}
			if _, err := b.Delete(t.Context(), b.set().ID); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// restricted is a bench whose applier is a user with just these rules of a ClusterRole, and the right to the inventory.
func (b *bench) restricted(t *testing.T, rules string) *bench {
	t.Helper()
	user := b.namespace + "-user"
	for path, body := range map[string]string{
		"/apis/rbac.authorization.k8s.io/v1/clusterroles": fmt.Sprintf(`{"metadata":{"name":%q},"rules":[%s,
			{"apiGroups":[""],"resources":["secrets"],"verbs":["get","create","update","delete"]}]}`, user, rules),
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings": fmt.Sprintf(`{"metadata":{"name":%[1]q},"subjects":[{"kind":"User","name":%[1]q}],
			"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%[1]q}}`, user),
	} {
		if err := b.do("POST", path, body); err != nil {
			t.Fatal(err)
		}
	}
	c := *b
	config := rest.CopyConfig(b.config)
	config.Impersonate.UserName = user
	config.Wrap(b.Recorder.Wrap)
	c.Applier = newApplier(t, config, b.opts)
	c.awaitAllowed(t)
	return &c
}

// awaitAllowed waits until the server's authorizer knows the user's rights.
func (b *bench) awaitAllowed(t *testing.T) {
	t.Helper()
	for {
		err := b.client.rest.Get().AbsPath(b.path("secrets", "the-set")).Do(t.Context()).Error()
		if err == nil || apierrors.IsNotFound(err) {
			b.Take()
			return
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutTheRightToListObjectsAreAskedForByName(t *testing.T) {
	b := newBench(t, Options{})
	spaces := b.namespaces(5)
	r := b.restricted(t, `{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","create","patch","delete"]}`)
	var objects []*unstructured.Unstructured
	for _, space := range spaces {
		objects = append(objects, in(space, configMap(t, "a", "1")), in(space, configMap(t, "b", "1")))
	}
	r.apply(objects...)
	if lists := testbed.Count(r.looks(r.Take()), "LIST"); lists != 6 {
		t.Errorf("%d LISTs were tried, want one for all and one for each of 5 namespaces", lists)
	}
	if result := r.apply(objects...); result.Count(Unchanged) != len(objects) {
		t.Errorf("again: %v", actions(result))
	}
	looks := r.looks(r.Take())
	if lists, gets := testbed.Count(looks, "LIST"), testbed.Count(looks, "GET"); lists != 0 || gets != 10 {
		t.Errorf("again: %d LISTs and %d GETs, want 10 GETs", lists, gets)
	}
}

func TestAnObjectOfAnotherSetIsLeftToIt(t *testing.T) {
	b := newBench(t, Options{})
	other := Set{ID: ID{Namespace: b.namespace, Name: "the-other"}, Objects: []*unstructured.Unstructured{
		configMap(t, "theirs", "1"), configMap(t, "x", "1"), configMap(t, "z", "1")}}
	if _, err := b.Apply(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, objects := range [][]*unstructured.Unstructured{
		{configMap(t, "theirs", "2"), configMap(t, "mine", "1")},                         // asked for by name
		{configMap(t, "theirs", "2"), configMap(t, "mine", "1"), configMap(t, "b", "1")}, // listed
	} {
		result, err := b.Apply(t.Context(), b.set(objects...))
		if !errors.Is(err, ErrOwned) || !strings.Contains(err.Error(), "the set "+b.namespace+"/the-other") {
			t.Errorf("the error is %v, want ErrOwned with the set's name", err)
		}
		if result.Changes[0].Action != Failed || result.Changes[1].Action == Failed {
			t.Errorf("changes are %v", actions(result))
		}
	}
	result, err := b.Apply(t.Context(), other)
	if err != nil || result.Count(Unchanged) != 3 {
		t.Errorf("the other set is now %v, %v", actions(result), err)
	}

	always := newBench(t, Options{Adopt: AdoptAlways})
	always.namespace = b.namespace
	wantActions(t, always.apply(configMap(t, "theirs", "2"), configMap(t, "mine", "1"), configMap(t, "b", "1")),
		"configured ConfigMap theirs", "unchanged ConfigMap mine", "unchanged ConfigMap b")
	if result, err = b.Apply(t.Context(), other); !errors.Is(err, ErrOwned) || result.Count(Unchanged) != 2 {
		t.Errorf("the set that lost it: %v, %v", actions(result), err)
	}
	other.Objects = other.Objects[1:]
	if result, err = b.Apply(t.Context(), other); err != nil || result.Count(Skipped) != 1 {
		t.Errorf("the set that lost it prunes it: %v, %v", actions(result), err)
	}
	if !b.exists(b.path("configmaps", "theirs")) {
		t.Error("the object was deleted by a set that no longer had it")
	}
}

func TestAdoptionOfWhatExists(t *testing.T) {
	for _, test := range []struct {
		adopt Adoption
		want  string
	}{{AdoptFree, "configured"}, {AdoptNone, "failed"}, {AdoptAlways, "configured"}} {
		t.Run(string(test.adopt), func(t *testing.T) {
			b := newBench(t, Options{Adopt: test.adopt})
			for i := range 3 {
				path := "/api/v1/namespaces/" + b.namespace + "/configmaps"
				if err := b.do("POST", path, fmt.Sprintf(`{"metadata":{"name":"there-%d"},"data":{"key":"0"}}`, i)); err != nil {
					t.Fatal(err)
				}
			}
			result, err := b.Apply(t.Context(), b.set(configMap(t, "there-0", "1"), configMap(t, "there-1", "1"), configMap(t, "there-2", "1"), configMap(t, "new", "1")))
			if failed := test.want == "failed"; errors.Is(err, ErrExists) != failed || (err != nil) != failed {
				t.Errorf("the error is %v", err)
			}
			wantActions(t, result, test.want+" ConfigMap there-0", test.want+" ConfigMap there-1", test.want+" ConfigMap there-2", "created ConfigMap new")
		})
	}
	b := newBench(t, Options{Adopt: AdoptAlways})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1"))
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "discovery": 1, "POST inventory": 1, "PATCH": 3, "PUT inventory": 1})
}

func TestFirstApplyOfManyIsWithinItsBudget(t *testing.T) {
	b := newBench(t, Options{})
	var objects []*unstructured.Unstructured
	for i := range 40 {
		objects = append(objects, configMap(t, fmt.Sprintf("c%d", i), "1"), deployment(t, fmt.Sprintf("d%d", i), "nginx:1"))
	}
	b.apply(objects...)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "discovery": 2, "LIST": 2, "POST inventory": 1, "PATCH": 80, "PUT inventory": 1})
	b.again().apply(objects...)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "LIST": 2})
	if err := b.do("PATCH", b.path("configmaps", "c7"), `{"data":{"key":"drifted"}}`); err != nil {
		t.Fatal(err)
	}
	b.apply(objects...)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "LIST": 2, "PATCH": 1, "PUT inventory": 1})
	if err := b.do("DELETE", b.path("configmaps", "c7"), ""); err != nil {
		t.Fatal(err)
	}
	b.apply(objects...)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "LIST": 2, "GET": 1, "PATCH": 1, "PUT inventory": 1})
	b.apply(objects[2:]...)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "LIST": 2, "DELETE": 2, "PUT inventory": 2})
}

func TestOfTwoAppliersAtOnceOneSendsNothing(t *testing.T) {
	for name, change := range map[string]func(b *bench) (mine, theirs []*unstructured.Unstructured){
		"another manifest": func(b *bench) (mine, theirs []*unstructured.Unstructured) {
			return []*unstructured.Unstructured{configMap(t, "a", "2"), configMap(t, "b", "1")},
				[]*unstructured.Unstructured{configMap(t, "a", "3"), configMap(t, "b", "1")}
		},
		"the same manifest": func(b *bench) (mine, theirs []*unstructured.Unstructured) {
			same := []*unstructured.Unstructured{configMap(t, "a", "2"), configMap(t, "b", "1")}
			return same, same
		},
		"a prune": func(b *bench) (mine, theirs []*unstructured.Unstructured) {
			return []*unstructured.Unstructured{configMap(t, "a", "1")}, []*unstructured.Unstructured{configMap(t, "b", "1")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Options{})
			b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"))
			mine, theirs := change(b)
			b.Before = func(r *http.Request) error { // the other one has read the same inventory, and writes first
				if r.Method != "PUT" {
					return nil
				}
				b.Before = nil
				_, err := newApplier(t, b.config, Options{}).Apply(t.Context(), b.set(theirs...))
				return err
			}
			b.Take()
			if _, err := b.Apply(t.Context(), b.set(mine...)); !errors.Is(err, ErrConflict) {
				t.Errorf("the error is %v, want ErrConflict", err)
			}
			sent := b.Take()
			if n := testbed.Count(sent, "PATCH") + testbed.Count(sent, "DELETE"); n > 0 {
				t.Errorf("%d changes were sent:\n%s", n, strings.Join(sent, "\n"))
			}
			b.apply(mine...)
		})
	}
}
