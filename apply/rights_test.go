package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A allowance is a resource and what a user may do with it.
type allowance struct{ group, plural, verbs string }

var allRights = []allowance{{"", "configmaps", "get list create patch delete"}, {"", "secrets", "get list create patch delete update"},
	{"apps", "deployments", "get list create patch delete"}}

// without are the rights but some verbs with one resource.
func without(plural string, verbs ...string) []allowance {
	allowances := slices.Clone(allRights)
	for i, g := range allowances {
		if g.plural == plural {
			allowances[i].verbs = strings.Join(slices.DeleteFunc(strings.Fields(g.verbs), func(v string) bool { return slices.Contains(verbs, v) }), " ")
		}
	}
	return allowances
}

// by is a new process of a user who has just these rights, in the bench's namespace.
func (b *faultBench) by(user string, allowances []allowance) *faultBench {
	b.t.Helper()
	path, user := "/apis/rbac.authorization.k8s.io/v1/namespaces/"+b.namespace, b.namespace+"-"+user
	rules := []string{`{"apiGroups":["coordination.k8s.io"],"resources":["leases"],"resourceNames":["marker"],"verbs":["get"]}`}
	for _, g := range allowances {
		verbs := `"` + strings.Join(strings.Fields(g.verbs), `","`) + `"`
		rules = append(rules, fmt.Sprintf(`{"apiGroups":[%q],"resources":[%q],"verbs":[%s]}`, g.group, g.plural, verbs))
	}
	b.must("POST", path+"/roles", fmt.Sprintf(`{"metadata":{"name":%q},"rules":[%s]}`, user, strings.Join(rules, ",")))
	b.must("POST", path+"/rolebindings", fmt.Sprintf(`{"metadata":{"name":%[1]q},"subjects":[{"kind":"User","name":%[1]q,"apiGroup":"rbac.authorization.k8s.io"}],
		"roleRef":{"kind":"Role","name":%[1]q,"apiGroup":"rbac.authorization.k8s.io"}}`, user))
	theirs := *b
	theirs.bench = b.as(user)
	c := theirs.through(untampered)
	for { // until the authorizer has heard of it
		err := c.client.rest.Get().AbsPath("/apis/coordination.k8s.io/v1/namespaces", b.namespace, "leases/marker").Do(b.t.Context()).Error()
		if apierrors.IsNotFound(err) {
			return c
		}
		if !apierrors.IsForbidden(err) {
			b.t.Fatal(err)
		}
	}
}

// A limit is what a user may not do, and whether an Apply, and a Delete, can do without.
type limit struct {
	plural, verb  string
	apply, delete bool
}

func (l limit) String() string { return l.verb + " " + l.plural }

func TestAMissingRightIsNamedAndLosesNothing(t *testing.T) {
	limits := []limit{
		{"configmaps", "get", true, true}, {"configmaps", "list", true, true}, {"configmaps", "get and list", false, false},
		{"configmaps", "create", false, true}, {"configmaps", "patch", false, true}, {"configmaps", "delete", false, false},
		{"secrets", "get", false, false}, {"secrets", "list", true, true}, {"secrets", "create", false, true},
		{"secrets", "patch", false, true}, {"secrets", "delete", false, false}, {"secrets", "update", false, true},
		{"deployments", "get", true, true}, {"deployments", "list", true, true}, {"deployments", "create", false, true},
		{"deployments", "patch", false, true}, {"deployments", "delete", false, false},
	}
	newBench(t, Options{})
	each(8, limits, func(l limit) { t.Run(l.String(), func(t *testing.T) { l.test(t) }) })
	wantNoGoroutines(t)
}

func (l limit) test(t *testing.T) {
	b := newFaultBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "old", "1"), secret(t, "s", "Opaque", "1"), secret(t, "old", "Opaque", "1"),
		deployment(t, "web", "nginx:1"), deployment(t, "old", "nginx:1"), deployment(t, "same", "nginx:1"))
	before := b.there()
	user := b.by("user", without(l.plural, strings.Split(l.verb, " and ")...))
	objects := []*unstructured.Unstructured{configMap(t, "a", "2"), configMap(t, "b", "1"), configMap(t, "new", "1"),
		secret(t, "s", "Opaque", "2"), secret(t, "new", "Opaque", "1"), secret(t, "newer", "Opaque", "1"),
		deployment(t, "web", "nginx:2"), deployment(t, "new", "nginx:1"), deployment(t, "same", "nginx:1")}
	result, err := user.call(t, t.Context(), objects, "with a right missing")
	l.want(t, err, l.apply)
	for _, name := range before {
		gone := !slices.Contains(b.there(), name)
		switch old := strings.HasSuffix(name, "/old"); {
		case gone && !old, gone && l.verb != "delete" && !l.apply: // it has failed before there was anything to prune
			t.Errorf("%s is gone, after %v", name, actions(result))
		}
	}
	b.wantNamed(t, "with a right missing")
	b.wantConvergence(t, objects, "with all rights")

	_, err = user.call(t, t.Context(), nil, "Delete with a right missing")
	l.want(t, err, l.delete)
	b.wantNamed(t, "Delete with a right missing")
	b.wantConvergence(t, nil, "Delete with all rights")
}

// want wants an error that names what is forbidden, and on what, unless it can be done without.
func (l limit) want(t *testing.T, err error, needless bool) {
	t.Helper()
	if needless {
		if err != nil {
			t.Errorf("the error is %v, want none: it can be done without", err)
		}
		return
	}
	verb, _, _ := strings.Cut(l.verb, " and ")
	if says := fmt.Sprintf("cannot %s resource %q", verb, l.plural); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), says) {
		t.Errorf("the error is %v, want one that says %s", err, says)
	}
	var about *Error
	if errors.As(err, &about) && about.Ref.Kind == "" {
		t.Errorf("the error is about %v", about.Ref)
	}
}
