package apply

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A faultBench is a bench with foreign objects beside the set's, and what it was told.
type faultBench struct {
	*bench
	admin *Applier
	kinds []resource // of which there may be members
	told  []Change
	alien map[string]string // to its resourceVersion
}

func newFaultBench(t *testing.T, opts Options) *faultBench {
	t.Helper()
	f := &faultBench{}
	opts.OnChange = func(_ ID, c Change) { f.told = append(f.told, c) }
	f.bench = newBench(t, opts)
	f.admin = newApplier(t, f.config, Options{})
	kind := func(group, plural string, namespaced bool) resource {
		r := resource{Plural: plural, Namespaced: namespaced}
		r.Group, r.Version = group, "v1"
		return r
	}
	f.kinds = []resource{kind("", "namespaces", false), kind("apiextensions.k8s.io", "customresourcedefinitions", false), configMaps,
		secretResource, kind("", "services", true), kind("apps", "deployments", true), f.thing("v2")}
	kinds := []string{"Namespace", "CustomResourceDefinition", "ConfigMap", "Secret", "Service", "Deployment", f.thing("v2").Kind}
	for i := range f.kinds {
		f.kinds[i].Kind = kinds[i]
	}
	other := ID{Namespace: f.namespace, Name: "the-other"}.label()
	for i, body := range []string{
		`{"metadata":{"name":"alien"}}`, `{"metadata":{"name":"alien"}}`, `{"metadata":{"name":"alien"},"spec":{"ports":[{"port":80}]}}`,
		`{"metadata":{"name":"alien-of-a-set","labels":{"` + partOfLabel + `":"` + other + `"}}}`,
	} {
		f.must("POST", "/"+strings.Join(f.kinds[2+i%3].path(f.namespace, ""), "/"), body)
	}
	f.alien = f.aliens()
	return f
}

// aliens are the objects that are none of the set's, and their resourceVersions.
func (b *faultBench) aliens() map[string]string {
	found := make(map[string]string)
	b.look(b.kinds[2:5], "", func(r resource, o *partialObject) {
		if strings.HasPrefix(o.Name, "alien") {
			found[r.Plural+" "+o.Name] = o.ResourceVersion
		}
	})
	return found
}

// look lists the kinds, all at once.
func (b *faultBench) look(kinds []resource, labels string, see func(resource, *partialObject)) {
	b.t.Helper()
	var turn sync.Mutex
	each(len(kinds), kinds, func(r resource) {
		namespace := ""
		if labels == "" {
			namespace = b.namespace
		}
		items, err := b.admin.client.listMetadata(context.WithoutCancel(b.t.Context()), r.path(namespace, ""), labels)
		turn.Lock()
		defer turn.Unlock()
		if err != nil && !apierrors.IsNotFound(err) {
			b.t.Error(err)
		}
		for i := range items {
			see(r, &items[i])
		}
	})
}

// there lists the objects on the cluster that have the set's label, and are not going.
func (b *faultBench) there() []string {
	b.t.Helper()
	names := []string{}
	b.look(b.kinds, partOfLabel+"="+b.set().ID.label(), func(r resource, o *partialObject) {
		if o.DeletionTimestamp == nil {
			names = append(names, Ref{Group: r.Group, Kind: r.Kind, Namespace: o.Namespace, Name: o.Name}.String())
		}
	})
	slices.Sort(names)
	return names
}

// wantNamed wants the inventory to name all that is there.
func (b *faultBench) wantNamed(t *testing.T, when string) {
	t.Helper()
	there := b.there() // before the inventory: what comes in between is of no harm
	_, inv, err := b.admin.readParent(context.WithoutCancel(t.Context()), b.set().ID)
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for ref := range inv.entries {
		named[ref.String()] = true
	}
	for _, name := range there {
		if !named[name] {
			t.Errorf("%s: %s is in no inventory", when, name)
		}
	}
}

// call applies the objects, or deletes the set where there are none, and wants a whole account of it.
func (b *faultBench) call(t *testing.T, ctx context.Context, objects []*unstructured.Unstructured, when string) (*Result, error) {
	t.Helper()
	b.told = nil
	var result *Result
	var err error
	if objects != nil {
		result, err = b.Apply(ctx, b.set(objects...))
	} else {
		result, err = b.Delete(ctx, b.set().ID)
	}
	wantWholeAccount(t, b.bench, objects, result, err, b.told, when)
	return result, err
}

// wantWholeAccount wants each object of the set once in the result, with an action, and told once with just that; or a
// result without changes, of which nothing was told.
func wantWholeAccount(t *testing.T, b *bench, objects []*unstructured.Unstructured, result *Result, err error, told []Change, when string) {
	t.Helper()
	if len(result.Changes) == 0 && err != nil {
		if len(told) > 0 {
			t.Errorf("%s: the result is empty, %v, and it told of %v", when, err, told)
		}
		return
	}
	for i, o := range objects {
		if i >= len(result.Changes) || result.Changes[i].Ref.Name != o.GetName() || result.Changes[i].Ref.Kind != o.GetKind() {
			t.Errorf("%s: the changes %v are not those of the set", when, actions(result))
			return
		}
	}
	tellings := make(map[Ref]Change)
	for _, c := range told {
		if _, twice := tellings[c.Ref]; twice {
			t.Errorf("%s: %s was told twice", when, c.Ref)
		}
		tellings[c.Ref] = c
	}
	seen := make(map[Ref]bool)
	for _, c := range result.Changes {
		var about *Error
		bad := c.Action == Failed || c.Action == Skipped
		switch {
		case seen[c.Ref]:
			t.Errorf("%s: %s is in the result twice", when, c.Ref)
		case c.Action == "" || bad != errors.As(c.Err, &about) || bad && about.Ref != c.Ref:
			t.Errorf("%s: %s has the action %q and the error %v", when, c.Ref, c.Action, c.Err)
		case tellings[c.Ref] != c:
			t.Errorf("%s: in the result %s is %q, %v, and it was told as %q", when, c.Ref, c.Action, c.Err, tellings[c.Ref].Action)
		case c.Action == Failed && !errors.Is(err, c.Err):
			t.Errorf("%s: the error %v is without that of %s", when, err, c.Ref)
		}
		seen[c.Ref] = true
	}
	if len(tellings) != len(result.Changes) {
		t.Errorf("%s: %d changes were told, of %d in the result", when, len(tellings), len(result.Changes))
	}
	if err == nil && result.unfinished() {
		t.Errorf("%s: no error, and the changes are %v", when, actions(result))
	}
}

// through is a new process on the same set, whose requests go through tamper, and with a ledger of its own.
func (b *faultBench) through(tamper func(*http.Request, http.RoundTripper) (*http.Response, error)) *faultBench {
	c := *b
	c.bench = b.tampered(tamper)
	c.opts.OnChange = func(_ ID, change Change) { c.told = append(c.told, change) }
	return &c
}

func untampered(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	return next.RoundTrip(r)
}

// wantConvergence wants a clean run to bring about what the objects say, another to change nothing, and what is foreign to
// be as it was.
func (b *faultBench) wantConvergence(t *testing.T, objects []*unstructured.Unstructured, when string) {
	t.Helper()
	result, err := b.call(t, t.Context(), objects, when+", a clean run")
	if err != nil {
		t.Errorf("%s: then a clean run ends in %v", when, err)
		return
	}
	want := []string{}
	for i := range objects {
		want = append(want, result.Changes[i].Ref.String())
	}
	slices.Sort(want)
	if got := b.there(); !slices.Equal(got, want) {
		t.Errorf("%s: a clean run leaves\n  %s\nwant\n  %s", when, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if objects == nil && b.exists(b.path("secrets", "the-set")) {
		t.Errorf("%s: the parent is left", when)
	}
	b.Take()
	if _, err := b.call(t, t.Context(), objects, when+", a second clean run"); err != nil {
		t.Errorf("%s: a second clean run ends in %v", when, err)
	}
	if sent := writes(b.Take()); len(sent) > 0 {
		t.Errorf("%s: a second clean run sends %v", when, sent)
	}
	if now := b.aliens(); !maps.Equal(now, b.alien) {
		t.Errorf("%s: foreign objects were %v and are %v", when, b.alien, now)
	}
}

// writes returns the requests that could change something.
func writes(requests []string) []string {
	return slices.DeleteFunc(requests, func(r string) bool { return strings.HasPrefix(r, "GET ") || strings.Contains(r, "dryRun=") })
}
