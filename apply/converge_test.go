package apply

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// oneOfEach reads the manifests of testdata/converge, of all kinds that need nothing else, in odd notations. In their names
// UNIQUE stands for what no other test has.
func oneOfEach(t *testing.T, unique string, files ...string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join("testdata", "converge", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split(strings.ReplaceAll(string(text), "UNIQUE", unique), "\n---\n") {
			objects = append(objects, manifest(t, document))
		}
	}
	return objects
}

// versions are the resourceVersions of the objects, after what they are of.
func (b *bench) versions(t *testing.T, result *Result) map[string]string {
	t.Helper()
	a := newApplier(t, b.config, Options{})
	found := make(map[string]string)
	for _, c := range result.Changes {
		r, err := a.mapper.find(t.Context(), c.Ref.groupKind().WithVersion(c.Ref.Version), false)
		if err != nil {
			t.Fatal(err)
		}
		o, err := a.client.getMetadata(t.Context(), r.path(c.Ref.Namespace, c.Ref.Name))
		if err != nil {
			t.Fatal(err)
		}
		found[c.Ref.String()] = o.ResourceVersion
	}
	return found
}

func wantSameVersions(t *testing.T, before, now map[string]string, when string) {
	t.Helper()
	for name, version := range before {
		if now[name] != version {
			t.Errorf("%s: %s was written", when, name)
		}
	}
}

// dropAll deletes the set's objects also where they are of the whole cluster.
func (b *bench) dropAll(t *testing.T) {
	result, err := b.Delete(t.Context(), b.set().ID)
	if err != nil {
		t.Errorf("deleting %v: %v", actions(result), err)
	}
}

func TestASecondApplyOfAnyKindChangesNothing(t *testing.T) {
	b := newBench(t, Options{})
	objects := oneOfEach(t, b.namespace, "workloads.yaml", "network.yaml", "access.yaml", "cluster.yaml")
	result := b.apply(objects...)
	if result.Count(Created) != len(objects) {
		t.Errorf("first: %v", actions(result))
	}
	defer b.dropAll(t)
	before := b.versions(t, result)
	b.Take()
	for _, again := range []*bench{b, b.again()} {
		if result := again.apply(objects...); result.Count(Unchanged) != len(objects) {
			t.Errorf("again: %v", changedOnly(result))
		}
		if sent := writes(b.Take()); len(sent) > 0 {
			t.Errorf("again: it sent\n  %s", strings.Join(sent, "\n  "))
		}
	}
	wantSameVersions(t, before, b.versions(t, result), "again")
	b.opts.RevalidateAfter = 1 // all is sent, and makes no difference to the server
	changed := changedOnly(b.apply(objects...))
	slices.Sort(changed)
	// Of these the server does not keep what it is sent, an empty list and half a Gi, and writes each time.
	if want := []string{"configured NetworkPolicy nobody", "configured PersistentVolumeClaim claim"}; !slices.Equal(changed, want) {
		t.Errorf("revalidated: %v, want %v", changed, want)
	}
	p, err := b.Plan(t.Context(), b.set(objects...))
	if err != nil || p.Count(Unchanged) != len(objects) {
		t.Errorf("the plan is %v, %v", p.Counts(), err)
	}
}

func changedOnly(r *Result) []string {
	return slices.DeleteFunc(actions(r), func(a string) bool { return strings.HasPrefix(a, "unchanged") })
}

// TestASecondApplyChangesNothingOnceControllersAreDone is of a cluster where others write too.
func TestASecondApplyChangesNothingOnceControllersAreDone(t *testing.T) {
	b := newLiveBench(t, Options{})
	objects := oneOfEach(t, b.namespace, "workloads.yaml", "network.yaml", "access.yaml")
	b.apply(objects...)
	defer b.dropAll(t)
	for quiet := false; !quiet; { // each write of a controller to a kind without a generation costs one PATCH
		b.Take()
		b.apply(objects...)
		quiet = len(writes(b.Take())) == 0
	}
	result := b.again().apply(objects...)
	if sent := writes(b.Take()); len(sent) > 0 || result.Count(Unchanged) != len(objects) {
		t.Errorf("once they are done: %v, by\n  %s", changedOnly(result), strings.Join(sent, "\n  "))
	}
}

// TestWhatAManifestNoLongerNamesGoes is of fields in odd places.
func TestWhatAManifestNoLongerNamesGoes(t *testing.T) {
	b := newBench(t, Options{})
	secretOf := func(data string) *unstructured.Unstructured {
		return manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {"+data+"}")
	}
	deploymentOf := func(env string) *unstructured.Unstructured {
		return manifest(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: nginx, env: [%s]}]}
`, env))
	}
	b.apply(secretOf("a: '1', b: '2'"), deploymentOf("{name: A, value: '1'}, {name: B, value: $(A)}"))
	wantActions(t, b.apply(secretOf("a: '1'"), deploymentOf("{name: B, value: '2'}")), "configured Secret s", "configured Deployment web")
	s := b.tool("reader", "GET", b.path("secrets", "s"), "application/json", nil)
	if data := nested(s, "data"); fmt.Sprint(data) != "map[a:MQ==]" {
		t.Errorf("the Secret's data are %v", data)
	}
	web := b.tool("reader", "GET", b.path("deployments", "web"), "application/json", nil)
	containers, _, _ := unstructured.NestedSlice(web.Object, "spec", "template", "spec", "containers")
	if env := containers[0].(map[string]any)["env"]; fmt.Sprint(env) != "[map[name:B value:2]]" {
		t.Errorf("the Deployment's env is %v", env)
	}
}
