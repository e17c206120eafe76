package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestAQuotaThatRefusesIsToldAndNothingIsPruned(t *testing.T) {
	b := newFaultBench(t, Options{})
	b.apply(configMap(t, "a", "1"), service(t, "old"))
	path := "/api/v1/namespaces/" + b.namespace + "/resourcequotas"
	b.must("POST", path, `{"metadata":{"name":"few"},"spec":{"hard":{"count/configmaps":"5"}}}`)
	// Nobody is at work on quotas. This is what their controller would write, and admission has heard of it when it says so.
	allow := func(most int, says string) {
		b.must("PATCH", path+"/few/status", fmt.Sprintf(`{"status":{"hard":{"count/configmaps":"%d"},"used":{"count/configmaps":"3"}}}`, most))
		b.awaitHook(func(err error) bool {
			return says == "" && err == nil || err != nil && says != "" && strings.Contains(err.Error(), says)
		})
	}
	allow(0, "exceeded quota")
	allow(5, "") // beside the set's there are two
	objects := []*unstructured.Unstructured{configMap(t, "a", "2")}
	for i := range 4 {
		objects = append(objects, configMap(t, fmt.Sprint("new-", i), "1"))
	}
	for _, refused := range []int{2, 2} { // once more is as before
		result, err := b.call(t, t.Context(), objects, "with a quota")
		if result.Count(Failed) != refused || !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "exceeded quota: few") {
			t.Errorf("%v, %v, want two that the quota refuses", actions(result), err)
		}
		b.wantNamed(t, "with a quota")
		if !b.exists(b.path("services", "old")) {
			t.Error("the old Service was pruned")
		}
	}
	allow(9, "")
	b.wantConvergence(t, objects, "without a quota")
}

func TestWhatALimitRangeFillsInIsNotDriftAndWhatItRefusesIsTold(t *testing.T) {
	b := newLiveBench(t, Options{})
	pod := func(name, cpu string) *unstructured.Unstructured {
		return manifest(t, fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: main, image: nginx, resources: {limits: {cpu: %q}}}]}", name, cpu))
	}
	limits := manifest(t, "apiVersion: v1\nkind: LimitRange\nmetadata: {name: limits}\nspec: {limits: [{type: Container, max: {cpu: 1}, default: {memory: 64Mi}}]}")
	b.apply(limits)
	path := "/api/v1/namespaces/" + b.namespace + "/pods?dryRun=All"
	for range 2000 { // until admission has heard of it, and there is an account for Pods
		if _, err := b.tries("probe", "POST", path, "application/json", pod("probe", "2").Object); strings.Contains(fmt.Sprint(err), "maximum cpu usage") {
			break
		}
	}
	result, err := b.Apply(t.Context(), b.set(limits, pod("fits", "0.5"), pod("large", "2")))
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "maximum cpu usage per Container is 1") {
		t.Errorf("the error is %v, want that of the LimitRange", err)
	}
	wantActions(t, result, "unchanged LimitRange limits", "created Pod fits", "failed Pod large")
	for quiet := false; !quiet; {
		b.Take()
		b.apply(limits, pod("fits", "0.5"))
		quiet = len(writes(b.Take())) == 0
	}
	wantActions(t, b.again().apply(limits, pod("fits", "0.5")), "unchanged LimitRange limits", "unchanged Pod fits")
}

// meddle changes the objects by another manager, again and again, until the function that it returns is called.
func (b *bench) meddle(paths ...string) (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	var working sync.WaitGroup
	client := newApplier(b.t, b.config, Options{}).client
	working.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			path := paths[n%len(paths)]
			body := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/meddled":"%d"}}}`, n)
			if strings.HasSuffix(path, "/status") {
				body = fmt.Sprintf(`{"status":{"observedGeneration":%d}}`, n)
			}
			err := client.patchMerge(ctx, strings.Split(path[1:], "/"), []byte(body), "meddler")
			if err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
				b.t.Error(err)
				return
			}
		}
	})
	return func() { cancel(); working.Wait() }
}

func TestApplyPrunesAndDeletesWhatOthersChangeAllTheTime(t *testing.T) {
	b := newFaultBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "old", "1"), deployment(t, "web", "nginx:1"), deployment(t, "old", "nginx:1"))
	stop := b.meddle(b.path("configmaps", "a"), b.path("configmaps", "old"), b.path("deployments", "web")+"/status",
		b.path("deployments", "old")+"/status", b.path("deployments", "web"))
	objects := []*unstructured.Unstructured{configMap(t, "a", "2"), deployment(t, "web", "nginx:2")}
	result, err := b.call(t, t.Context(), objects, "meddled with")
	if err != nil || result.Count(Configured) != 2 || result.Count(Pruned) != 2 {
		t.Errorf("%v, %v", actions(result), err)
	}
	stop()
	b.wantConvergence(t, objects, "meddled with")
	stop = b.meddle(b.path("configmaps", "a"), b.path("deployments", "web")+"/status")
	if result, err := b.call(t, t.Context(), nil, "meddled with, Delete"); err != nil || result.Count(Deleted) != 2 {
		t.Errorf("%v, %v", actions(result), err)
	}
	stop()
	b.wantConvergence(t, nil, "meddled with, Delete")
}

func TestAnObjectThatIsAnotherByTheTimeOfItsDeletion(t *testing.T) {
	b := newFaultBench(t, Options{Concurrency: 1})
	ours := fmt.Sprintf(`,"labels":{%q:%q}`, partOfLabel, b.set().ID.label())
	keep := ours + `,"annotations":{"helm.sh/resource-policy":"keep"}`
	for _, test := range []struct {
		name, metadata, finalizers string
		want                       Action
		stays                      bool
	}{
		{"nobody's", "", "", Skipped, true},
		{"the set's", ours, "", "", false},
		{"the set's, to be kept", keep, "", Skipped, true},
		{"the same, with a finalizer", "", `["example.com/hold"]`, "", true},
	} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, Delete %t", test.name, whole), func(t *testing.T) {
				b.apply(configMap(t, "a", "1"), configMap(t, "other", "1"))
				path, want := b.path("configmaps", "a"), test.want
				b.Before = func(r *http.Request) error {
					if r.Method != "DELETE" || r.URL.Path != path {
						return nil
					}
					b.Before = nil
					if test.finalizers != "" {
						b.must("PATCH", path, `{"metadata":{"finalizers":`+test.finalizers+`}}`)
						return nil
					}
					b.must("DELETE", path, "")
					b.must("POST", strings.TrimSuffix(path, "/a"), `{"metadata":{"name":"a"`+test.metadata+`}}`)
					return nil
				}
				objects := []*unstructured.Unstructured{configMap(t, "other", "1")}
				if want == "" {
					want = Pruned
				}
				if whole {
					objects = nil
					if want == Pruned {
						want = Deleted
					}
				}
				result, err := b.call(t, t.Context(), objects, test.name)
				b.Before = nil
				if err != nil || result.Count(want) == 0 || b.exists(path) != test.stays {
					t.Errorf("%v, %v, and it is there: %t", actions(result), err, b.exists(path))
				}
				b.wantConvergence(t, objects, test.name)
				if test.finalizers != "" {
					b.must("PATCH", path, `{"metadata":{"finalizers":null}}`)
				} else if test.stays {
					b.must("DELETE", path, "")
				}
			})
		}
	}
}

func TestReplacementLeavesWhatAPersonAskedToKeep(t *testing.T) {
	b := newBench(t, Options{Replace: true})
	b.apply(secret(t, "s", "example.com/a", "1"))
	b.must("PATCH", b.path("secrets", "s"), `{"metadata":{"annotations":{"helm.sh/resource-policy":"keep"}}}`)
	before := b.seen(b.path("secrets", "s")).UID
	result, err := b.Apply(t.Context(), b.set(secret(t, "s", "example.com/b", "1")))
	if !errors.Is(err, ErrProtected) || result.Count(Failed) != 1 || b.seen(b.path("secrets", "s")).UID != before {
		t.Errorf("%v, %v, want it to be left alone", actions(result), err)
	}
}

func TestNoGoroutineIsLeftWhenACallIsCancelledAtAnyRequest(t *testing.T) {
	never := needs(deployment(t, "late", "nginx:1"), "apps/namespaces/%s/Deployment/web")
	for name, call := range map[string]func(context.Context, *faultBench) error{
		"Apply": func(ctx context.Context, b *faultBench) error { // waits for a Deployment that nobody is at work on
			late := never.DeepCopy()
			late.SetAnnotations(map[string]string{dependsOn: fmt.Sprintf(never.GetAnnotations()[dependsOn], b.namespace)})
			_, err := b.Apply(ctx, b.set(configMap(t, "a", "2"), configMap(t, "b", "1"), deployment(t, "web", "nginx:2"), late))
			return err
		},
		"Wait": func(ctx context.Context, b *faultBench) error {
			_, err := b.Wait(ctx, b.set().ID, WaitOptions{})
			return err
		},
		"Delete": func(ctx context.Context, b *faultBench) error {
			_, err := b.Delete(ctx, b.set().ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFaultBench(t, Options{WaitForDeletion: 1 << 40})
			b.apply(configMap(t, "a", "1"), deployment(t, "web", "nginx:1"))
			b.must("PATCH", b.path("deployments", "web"), `{"metadata":{"finalizers":["example.com/hold"]}}`)
			var counting sync.Mutex
			watched := false
			for k := 1; !watched; k++ {
				ctx, cancel := context.WithCancel(t.Context())
				count := 0
				run := b.through(func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
					counting.Lock()
					defer counting.Unlock()
					if isWatch(r) { // nothing will ever come
						watched = true
						cancel()
					}
					if count++; count == k {
						cancel()
					}
					return next.RoundTrip(r)
				})
				if err := call(ctx, run); !errors.Is(err, context.Canceled) {
					t.Errorf("cancelled at request %d: %v", k, err)
				}
				cancel()
				wantNoGoroutines(t)
			}
		})
	}
}
