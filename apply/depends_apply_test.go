package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// release lets the Pods of the bench's namespace run.
func (b *bench) release(t *testing.T) {
	t.Helper()
	pods, err := newApplier(t, b.config, Options{}).client.listMetadata(t.Context(), []string{"api", "v1", "namespaces", b.namespace, "pods"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods {
		b.must("PATCH", b.path("pods", pod.Name), `{"metadata":{"annotations":{"testbed.gitopskit.io/hold":null}}}`)
	}
}

func needs(o *unstructured.Unstructured, references ...string) *unstructured.Unstructured {
	return annotated1(o, dependsOn, strings.Join(references, ","))
}

func TestADependentWaitsForWhatItNeedsAndOthersDoNot(t *testing.T) {
	var told []string
	changed := make(chan string, 100)
	b := newBenchOn(t, testbed.KubernetesWith(t, testbed.KubernetesOptions{Controllers: true}), Options{OnChange: func(_ ID, c Change) {
		told = append(told, string(c.Action)+" "+c.Ref.Name)
		changed <- c.Ref.Name
	}})
	web := "apps/namespaces/" + b.namespace + "/Deployment/web"
	objects := []*unstructured.Unstructured{
		needs(configMap(t, "late", "1"), web),
		needs(configMap(t, "later", "1"), "/namespaces/"+b.namespace+"/ConfigMap/late"),
		held(t, "web"), service(t, "svc"), configMap(t, "early", "1"),
	}
	done := make(chan *Result)
	go func() {
		result, err := b.Apply(t.Context(), b.set(objects...))
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	first := []string{<-changed, <-changed, <-changed}
	if slices.Sort(first); !slices.Equal(first, []string{"early", "svc", "web"}) {
		t.Errorf("the first to be done are %v", first)
	}
	if b.exists(b.path("configmaps", "late")) {
		t.Error("the dependent is there before what it needs is healthy")
	}
	for pods := 0; pods == 0; { // made by the controllers
		list, err := newApplier(t, b.config, Options{}).client.listMetadata(t.Context(), []string{"api", "v1", "namespaces", b.namespace, "pods"}, "")
		if err != nil {
			t.Fatal(err)
		}
		pods = len(list)
	}
	b.release(t)
	result := <-done
	wantActions(t, result, "created ConfigMap late", "created ConfigMap later", "created Deployment web", "created Service svc", "created ConfigMap early")
	if !slices.Equal(told[3:], []string{"created late", "created later"}) {
		t.Errorf("told %v", told)
	}
	b.Take()
	if result := b.apply(objects...); result.Count(Unchanged) != 5 {
		t.Errorf("again: %v", actions(result))
	}
	if requests := b.Take(); slices.ContainsFunc(requests, func(l string) bool { return strings.Contains(l, "watch=true") }) {
		t.Errorf("nothing was to be waited for: %v", requests)
	}
	result, err := b.Delete(t.Context(), b.set().ID)
	if err != nil {
		t.Fatal(err)
	}
	order := make(map[string]int)
	for i, c := range result.Changes {
		order[c.Ref.Name] = i
	}
	if order["later"] > order["late"] || order["late"] > order["web"] {
		t.Errorf("deleted in the order %v", actions(result))
	}
}

func TestADependentIsNotSentWhereWhatItNeedsFails(t *testing.T) {
	b := newBench(t, Options{DependencyTimeout: 1})
	bad := configMap(t, "bad", "1")
	bad.Object["data"] = "no map"
	b.apply(configMap(t, "old", "1"))
	result, err := b.Apply(t.Context(), b.set(bad, needs(configMap(t, "a", "1"), "/namespaces/"+b.namespace+"/ConfigMap/bad"),
		needs(configMap(t, "b", "1"), "/namespaces/"+b.namespace+"/ConfigMap/a"), configMap(t, "c", "1")))
	if err == nil {
		t.Error("no error")
	}
	wantActions(t, result, "failed ConfigMap bad", "skipped ConfigMap a", "skipped ConfigMap b", "created ConfigMap c")
	if e := result.Changes[1].Err; !errors.Is(e, ErrNotReached) || !strings.Contains(e.Error(), "ConfigMap "+b.namespace+"/bad") {
		t.Errorf("the dependent's error is %v", e)
	}
	result, err = b.Apply(t.Context(), b.set(deployment(t, "web", "nginx:1"), needs(service(t, "svc"), "apps/namespaces/"+b.namespace+"/Deployment/web")))
	wantActions(t, result, "created Deployment web", "skipped Service svc")
	if !errors.Is(err, ErrUnhealthy) {
		t.Errorf("the error is %v, want ErrUnhealthy", err)
	}
	if e := result.Changes[1].Err; !errors.Is(e, ErrUnhealthy) || b.exists(b.path("services", "svc")) {
		t.Errorf("%v, the dependent's error is %v, want ErrUnhealthy", err, e)
	}
}

func TestDependenciesThatCannotBeKeptAreToldBeforeAnythingIsSent(t *testing.T) {
	b := newBench(t, Options{})
	ref := func(name string) string { return fmt.Sprintf("/namespaces/%s/ConfigMap/%s", b.namespace, name) }
	for says, objects := range map[string][]*unstructured.Unstructured{
		"a cycle":           {needs(configMap(t, "a", "1"), ref("b")), needs(configMap(t, "b", "1"), ref("a"))},
		"is not in the set": {needs(configMap(t, "a", "1"), ref("missing"))},
		"is neither":        {needs(configMap(t, "a", "1"), "ConfigMap/b")},
	} {
		if _, err := b.Apply(t.Context(), b.set(objects...)); !errors.Is(err, ErrDependency) || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v, want one that says %q", err, says)
		}
	}
	for _, line := range b.Take() {
		if !strings.HasPrefix(line, "GET ") {
			t.Errorf("sent: %s", line)
		}
	}
}

func TestDeleteWaitsUntilAllIsGone(t *testing.T) {
	b := newBench(t, Options{WaitForDeletion: 2 * time.Second})
	b.apply(configMap(t, "a", "1"), configMap(t, "held", "1"), service(t, "web"))
	b.must("PATCH", b.path("configmaps", "held"), `{"metadata":{"finalizers":["example.com/hold"]}}`)
	result, err := b.Delete(t.Context(), b.set().ID)
	if err == nil || !strings.Contains(err.Error(), "example.com/hold") {
		t.Errorf("the error is %v, want one that names the finalizer", err)
	}
	if !b.exists(b.path("secrets", "the-set")) {
		t.Errorf("the inventory is gone before all is: %v", actions(result))
	}
	b.must("PATCH", b.path("configmaps", "held"), `{"metadata":{"finalizers":null}}`)
	b.opts.WaitForDeletion = time.Hour
	if _, err := b.Delete(t.Context(), b.set().ID); err != nil || b.exists(b.path("secrets", "the-set")) {
		t.Errorf("again: %v", err)
	}
}
