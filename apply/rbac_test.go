package apply

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// A grant is the right to do one thing with one resource, of one name where it has one.
type grant struct{ Group, Resource, Name, Verb string }

func (g grant) String() string { return strings.Trim(g.Verb+" "+g.Resource+" "+g.Name, " ") }

// rule is the grant as a rule of a Role.
func (g grant) rule() map[string]any {
	rule := map[string]any{"apiGroups": []string{g.Group}, "resources": []string{g.Resource}, "verbs": []string{g.Verb}}
	if g.Name != "" {
		rule["resourceNames"] = []string{g.Name}
	}
	return rule
}

// documented returns the text of the Role that is in the documentation of the package.
func documented(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	const first = "apiVersion: rbac.authorization.k8s.io/v1\n"
	_, rest, found := strings.Cut(string(doc), "//\t"+first)
	if !found {
		t.Fatal("there is no Role in doc.go")
	}
	role := first
	for line := range strings.Lines(rest) {
		text, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			break
		}
		role += text
	}
	return role
}

// documentedGrants takes the documented Role apart.
func documentedGrants(t *testing.T) (grants []grant) {
	t.Helper()
	var role struct {
		Rules []struct{ APIGroups, Resources, ResourceNames, Verbs []string }
	}
	if err := yaml.Unmarshal([]byte(documented(t)), &role); err != nil {
		t.Fatal(err)
	}
	for _, r := range role.Rules {
		if len(r.ResourceNames) == 0 {
			r.ResourceNames = []string{""}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, name := range r.ResourceNames {
					for _, verb := range r.Verbs {
						grants = append(grants, grant{group, resource, name, verb})
					}
				}
			}
		}
	}
	return grants
}

// granted is a bench whose applier is a user with just these rights in the bench's namespace.
func (b *bench) granted(grants []grant) *bench {
	b.t.Helper()
	var rules []map[string]any
	for _, g := range grants {
		rules = append(rules, g.rule())
	}
	text, err := json.Marshal(rules)
	if err != nil {
		b.t.Fatal(err)
	}
	user, path := b.namespace+"-user", "/apis/rbac.authorization.k8s.io/v1/namespaces/"+b.namespace
	b.must("POST", path+"/roles", fmt.Sprintf(`{"metadata":{"name":"applier"},"rules":%s}`, text))
	b.must("POST", path+"/rolebindings", fmt.Sprintf(`{"metadata":{"name":"applier"},"subjects":[{"kind":"User","name":%q,
		"apiGroup":"rbac.authorization.k8s.io"}],"roleRef":{"kind":"Role","name":"applier","apiGroup":"rbac.authorization.k8s.io"}}`, user))
	b.awaitGrant(user, grants[0])
	return b.as(user)
}

// awaitGrant waits until the server's authorizer has heard of a right, and so of the Role that it is of.
func (b *bench) awaitGrant(user string, g grant) {
	b.t.Helper()
	question := fmt.Sprintf(`{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":%q,"resourceAttributes":
		{"namespace":%q,"group":%q,"resource":%q,"name":%q,"verb":%q}}}`, user, b.namespace, g.Group, g.Resource, g.Name, g.Verb)
	admin := newApplier(b.t, b.config, Options{}).client.rest
	for {
		body, err := admin.Post().AbsPath("/apis/authorization.k8s.io/v1/subjectaccessreviews").
			SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body([]byte(question)).Do(b.t.Context()).Raw()
		var answer struct{ Status struct{ Allowed bool } }
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err != nil {
			b.t.Fatal(err)
		}
		if answer.Status.Allowed {
			return
		}
	}
}

// life has a user with these rights do all that the documentation promises of the Role, and returns the first error.
func (b *bench) life(grants []grant) error {
	var watches atomic.Int32
	user := b.granted(grants).tampered(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		// Only what is not healthy yet is watched, so the Deployment is not before all three kinds are.
		if isWatch(r) && err == nil && answer.StatusCode == http.StatusOK && watches.Add(1) == 3 {
			status := `{"status":{"observedGeneration":2,"conditions":[{"type":"Available","status":"True"},
				{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}}`
			if err := b.do("PATCH", b.path("deployments", "stays")+"/status", status); err != nil {
				b.t.Error(err)
			}
		}
		return answer, err
	})
	ctx, id := b.t.Context(), ID{Namespace: b.namespace, Name: "podinfo"}
	for _, step := range []struct {
		objects []*unstructured.Unstructured
		want    string
	}{
		{slices.Concat(b.three("stays", "1"), b.three("goes", "1")), "6 created"},
		{slices.Concat(b.three("stays", "1"), b.three("goes", "1")), "6 unchanged"},
		{b.three("stays", "2"), "2 configured, 1 unchanged, 3 pruned"},
	} {
		plan, err := user.Plan(ctx, Set{ID: id, Objects: step.objects})
		if err != nil {
			return err
		}
		result, err := user.Apply(ctx, Set{ID: id, Objects: step.objects})
		if err != nil {
			return err
		}
		if result.Counts() != step.want || plan.Counts() != step.want {
			return fmt.Errorf("planned %s, done %s, want %s", plan.Counts(), result.Counts(), step.want)
		}
	}
	if _, err := user.Wait(ctx, id, WaitOptions{}); err != nil {
		return err
	}
	result, err := user.Delete(ctx, id)
	if err == nil && (result.Counts() != "3 deleted" || b.exists(b.path("secrets", id.Name))) {
		err = fmt.Errorf("deleted: %v", actions(result))
	}
	return err
}

// three are an object of each kind that the Role is for; the Deployment has no Pods.
func (b *bench) three(name, version string) []*unstructured.Unstructured {
	d := deployment(b.t, name, "nginx:"+version)
	if err := unstructured.SetNestedField(d.Object, int64(0), "spec", "replicas"); err != nil {
		b.t.Fatal(err)
	}
	return []*unstructured.Unstructured{configMap(b.t, name, version), service(b.t, name), d}
}

func TestTheDocumentedRoleIsEnoughAndHasNoVerbTooMany(t *testing.T) {
	all := documentedGrants(t)
	if len(all) != 22 {
		t.Fatalf("the Role has %d rights: %v", len(all), all)
	}
	t.Run("as it is", func(t *testing.T) {
		if err := newBench(t, Options{}).life(all); err != nil {
			t.Error(err)
		}
	})
	for i, missing := range all {
		t.Run("without "+missing.String(), func(t *testing.T) {
			if err := newBench(t, Options{}).life(slices.Delete(slices.Clone(all), i, i+1)); !apierrors.IsForbidden(err) {
				t.Errorf("the error is %v, and nothing was forbidden", err)
			}
		})
	}
}

func TestTheReadmeHasTheDocumentedRole(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```yaml\n"+documented(t)+"```") {
		t.Errorf("README.md has not the Role of doc.go:\n%s", documented(t))
	}
}

// Without the right to list, Apply goes on object by object.
func TestToListIsNotNeededToApplyAndDelete(t *testing.T) {
	b := newBench(t, Options{})
	r := b.granted(slices.DeleteFunc(documentedGrants(t), func(g grant) bool { return g.Verb == "list" || g.Verb == "watch" }))
	set := Set{ID: ID{Namespace: b.namespace, Name: "podinfo"}}
	for i := range 4 {
		set.Objects = append(set.Objects, configMap(t, fmt.Sprintf("a-%d", i), "1"))
	}
	for _, want := range []string{"4 created", "4 unchanged"} {
		result, err := r.Apply(t.Context(), set)
		if err != nil || result.Counts() != want {
			t.Errorf("%v, %v, want %s", actions(result), err, want)
		}
	}
	if result, err := r.Delete(t.Context(), set.ID); err != nil || result.Count(Deleted) != 4 {
		t.Errorf("%v, %v", actions(result), err)
	}
}
