package apply

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestParseDependsOn(t *testing.T) {
	for _, test := range []struct {
		value string
		want  []Ref
		says  string
	}{
		{"apps/namespaces/web/Deployment/db", []Ref{{Group: "apps", Kind: "Deployment", Namespace: "web", Name: "db"}}, ""},
		{"/namespaces/web/Secret/token", []Ref{{Kind: "Secret", Namespace: "web", Name: "token"}}, ""},
		{"/Namespace/web", []Ref{{Kind: "Namespace", Name: "web"}}, ""},
		{" /Namespace/web ,\nrbac.authorization.k8s.io/ClusterRole/a:b ",
			[]Ref{{Kind: "Namespace", Name: "web"}, {Group: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: "a:b"}}, ""},
		{"", nil, `reference 1, ""`},
		{"/Namespace/web,", nil, `reference 2, ""`},
		{"Namespace/web", nil, "group/kind/name"},
		{"apps/v1/namespaces/web/Deployment/db", nil, "group/namespaces/namespace/kind/name"},
		{"apps/namespace/web/Deployment/db", nil, `"apps/namespace/web/Deployment/db"`},
		{"apps//db", nil, "empty kind"},
		{"apps/Deployment/", nil, "empty kind, name"},
		{"apps/namespaces//Deployment/db", nil, "namespace"},
	} {
		refs, err := parseDependsOn(test.value)
		if !slices.Equal(refs, test.want) || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q is %v, %v, want %v and an error that says %q", test.value, refs, err, test.want, test.says)
		}
	}
}

func FuzzParseDependsOn(f *testing.F) {
	for _, seed := range []string{"apps/namespaces/web/Deployment/db,/Namespace/web", "/namespaces/a/Secret/b", "//", "a/b/c , d/namespaces/e/f/g", "a/namespaces/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		refs, err := parseDependsOn(value)
		if err != nil {
			return
		}
		var texts []string
		for _, ref := range refs {
			texts = append(texts, formatDependsOn(ref))
		}
		again, err := parseDependsOn(strings.Join(texts, ","))
		if err != nil || !slices.Equal(again, refs) {
			t.Errorf("%q is %v, and written anew %v, %v", value, refs, again, err)
		}
	})
}

// nodesOf reads lines of "Kind [namespace/]name", an arrow, and the annotation; a definition is of a kind with its name.
func nodesOf(lines ...string) []node {
	var nodes []node
	for _, line := range lines {
		object, value, annotated := strings.Cut(line, " > ")
		kind, name, _ := strings.Cut(object, " ")
		n := node{ref: Ref{Version: "v1", Kind: kind, Name: name}}
		if namespace, rest, ok := strings.Cut(name, "/"); ok {
			n.ref.Namespace, n.ref.Name = namespace, rest
		}
		if kind == definitionKind.Kind {
			n.ref.Group, n.defines = definitionKind.Group, schema.GroupKind{Kind: name}
		}
		if annotated {
			n.annotations = map[string]string{dependsOn: value}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func TestDependenciesAreThoseOfAnnotationsAndOfWaitingNamespacesAndDefinitions(t *testing.T) {
	for name, test := range map[string]struct {
		nodes []node
		want  [][]int
	}{
		"none":                               {nodesOf("A a", "B b"), [][]int{nil, nil}},
		"two":                                {nodesOf("A a > /B/b, /namespaces/n/C/c", "B b", "C n/c"), [][]int{{1, 2}, nil, nil}},
		"a namespace that waits for nothing": {nodesOf("Namespace n", "A n/a"), [][]int{nil, nil}},
		"a namespace that waits": {nodesOf("A n/a > /B/b", "B b", "Namespace n > /B/b", "C n/c > /Namespace/n", "D other/d"),
			[][]int{{1, 2}, nil, {1}, {2}, nil}},
		"a definition that waits": {nodesOf("A n/a", "CustomResourceDefinition A > /B/b", "B b"), [][]int{{1}, {2}, nil}},
		"a diamond":               {nodesOf("A a > /B/b,/C/c", "B b > /D/d", "C c > /D/d", "D d"), [][]int{{1, 2}, {3}, {3}, nil}},
	} {
		if deps, err := dependencies(test.nodes); err != nil || !reflect.DeepEqual(deps, test.want) {
			t.Errorf("%s: %v, %v, want %v", name, deps, err, test.want)
		}
	}
}

func TestDependenciesTellAllThatCannotBeKept(t *testing.T) {
	const at = "reading the manifest of "
	for name, test := range map[string]struct {
		nodes []node
		says  []string
	}{
		"several": {nodesOf("A a > /B", "B n/b > /namespaces/n/B/b", "C c > /A/a,/A/a", "D d > /namespaces/n/A/a"), []string{
			at + "A a:", `reference 1, "/B"`, at + "B n/b:", "names itself", at + "C c:", "/A/a is named twice",
			at + "D d:", "/namespaces/n/A/a is not in the set"}},
		"a circle of three": {nodesOf("A a > /B/b", "B b > /C/c", "C c > /A/a"), []string{"a cycle: A a → B b → C c → A a; take"}},
		"a way into a circle": {nodesOf("A a > /B/b", "B b > /C/c", "C c > /B/b"), []string{
			at + "B b:", "a cycle: B b → C c → B b;"}},
		"two circles through one": {nodesOf("A a > /B/b, /C/c", "B b > /A/a", "C c > /A/a"), []string{
			"a cycle: A a → B b → A a;", "a cycle: A a → C c → A a;"}},
		"a circle through a namespace": {nodesOf("Namespace n > /namespaces/n/A/a", "A n/a"), []string{
			"a cycle: Namespace n → A n/a → Namespace n;", "objects also depend on their Namespace"}},
	} {
		_, err := dependencies(test.nodes)
		var one *Error
		if !errors.Is(err, ErrDependency) || !errors.As(err, &one) {
			t.Errorf("%s: the error is %v", name, err)
			continue
		}
		rest := err.Error()
		for _, says := range test.says {
			_, after, ok := strings.Cut(rest, says)
			if !ok {
				t.Errorf("%s: the error is\n%v\nwant one that says %q, in this order", name, err, says)
				break
			}
			rest = after
		}
		if n := strings.Count(err.Error(), "a cycle:"); strings.HasPrefix(name, "a ") && n != 1 {
			t.Errorf("%s: %d cycles are told:\n%v", name, n, err)
		}
	}
}

func TestLevelsDeleteDependentsFirstAndComeToTheirEnd(t *testing.T) {
	for name, test := range map[string]struct {
		nodes []node
		want  [][]int
	}{
		"nothing":       {nil, nil},
		"independent":   {nodesOf("A a", "B b"), [][]int{{0, 1}}},
		"a chain":       {nodesOf("A a", "B b > /C/c", "C c > /A/a"), [][]int{{1}, {2}, {0}}},
		"a diamond":     {nodesOf("D d", "C c > /D/d", "B b > /D/d", "A a > /B/b,/C/c"), [][]int{{3}, {1, 2}, {0}}},
		"not there":     {nodesOf("A a > /X/x", "B b > /A/a,/A/a,/B/b", "C c > nonsense"), [][]int{{1, 2}, {0}}},
		"a circle":      {nodesOf("A a > /B/b", "B b > /C/c", "C c > /A/a"), [][]int{{0}, {1}, {2}}},
		"two and a way": {nodesOf("A a > /B/b", "B b > /A/a", "C c > /B/b"), [][]int{{0, 2}, {1}}},
		"a namespace":   {nodesOf("Namespace n > /B/b", "B b", "A n/a"), [][]int{{2}, {0}, {1}}},
	} {
		for range 3 {
			if got := levels(test.nodes); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
		}
	}
}

func TestDependenciesOfLongChainsAndLargeCircles(t *testing.T) {
	const n = 20000
	var nodes []node
	for i := range n {
		nodes = append(nodes, nodesOf(fmt.Sprintf("A a%d > /A/a%d", i, i+1))...)
	}
	nodes = append(nodes, nodesOf(fmt.Sprintf("A a%d", n))...)
	if deps, err := dependencies(nodes); err != nil || len(deps) != n+1 || len(levels(nodes)) != n+1 {
		t.Errorf("the chain: %d nodes, %v", len(deps), err)
	}
	nodes[n].annotations = map[string]string{dependsOn: "/A/a0"}
	_, err := dependencies(nodes)
	if err == nil || strings.Count(err.Error(), "→") != 101 || !strings.Contains(err.Error(), "19901 more → A a0;") {
		t.Errorf("the circle: %.300v", err)
	}
	if got := len(levels(nodes)); got != n+1 {
		t.Errorf("the circle has %d levels, want %d", got, n+1)
	}
}
