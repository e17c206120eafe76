package apply

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A review is what a webhook is asked: whether an object of that content may be stored.
type review struct {
	UID       string
	DryRun    bool
	Operation string
	Object    unstructured.Unstructured
}

// webhook has the API server ask judge about each object of the bench's namespace that is created or changed, from when it
// returns until the test ends. What judge returns is the response, without its uid. The options are JSON fields of the
// webhook.
func (b *bench) webhook(kind, options string, judge func(ctx context.Context, r review) map[string]any) {
	b.t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Request review }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			b.t.Error(err)
		}
		response := judge(r.Context(), asked.Request)
		response["uid"] = asked.Request.UID
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	b.t.Cleanup(server.Close)
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	name := strings.ToLower(kind) + "." + b.namespace + ".example.com"
	path := "/apis/admissionregistration.k8s.io/v1/" + strings.ToLower(kind) + "webhookconfigurations"
	b.must("POST", path, fmt.Sprintf(`{"metadata":{"name":%q},"webhooks":[{"name":%[1]q,"admissionReviewVersions":["v1"],"sideEffects":"None",
		"clientConfig":{"url":%q,"caBundle":%q},"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":%q}},%s
		"rules":[{"apiGroups":["*"],"apiVersions":["*"],"operations":["CREATE","UPDATE"],"resources":["configmaps","services","deployments"]}]}]}`,
		name, server.URL, ca, b.namespace, options))
	b.t.Cleanup(func() { b.unhook(kind) })
}

// unhook takes a webhook away.
func (b *bench) unhook(kind string) {
	kind = strings.ToLower(kind)
	path := []string{"apis", "admissionregistration.k8s.io", "v1", kind + "webhookconfigurations", kind + "." + b.namespace + ".example.com"}
	err := newApplier(b.t, b.config, Options{}).client.rest.Delete().AbsPath(path...).Do(context.WithoutCancel(b.t.Context())).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		b.t.Error(err)
	}
}

// awaitHook creates objects as dry runs until the API server is seen to ask the webhook, or no longer to ask it.
func (b *bench) awaitHook(heard func(error) bool) {
	b.t.Helper()
	path := "/api/v1/namespaces/" + b.namespace + "/configmaps?dryRun=All"
	var err error
	for range 2000 {
		if _, err = b.tries("probe", "POST", path, "application/json", map[string]any{"metadata": map[string]any{"name": "probe"}}); heard(err) {
			return
		}
	}
	b.t.Fatal(err)
}

func patched(t *testing.T, operations ...map[string]any) map[string]any {
	patch, err := json.Marshal(operations)
	if err != nil {
		t.Error(err)
	}
	return map[string]any{"allowed": true, "patchType": "JSONPatch", "patch": base64.StdEncoding.EncodeToString(patch)}
}

func TestWhatAWebhookMakesOfAnObjectIsNotDrift(t *testing.T) {
	b := newBench(t, Options{})
	var asked atomic.Int32
	b.webhook("Mutating", `"reinvocationPolicy":"IfNeeded",`, func(_ context.Context, r review) map[string]any {
		add := func(path string, value any) map[string]any {
			return map[string]any{"op": "add", "path": path, "value": value}
		}
		operations := []map[string]any{
			add("/metadata/labels/mesh.example.com~1injected", "true"),
			add("/metadata/labels/app", "renamed"),                                                      // the manifest has another
			add("/metadata/annotations", map[string]any{"example.com/asked": fmt.Sprint(asked.Add(1))}), // each time another
		}
		if r.Object.GetLabels() == nil {
			operations[0], operations[1] = add("/metadata/labels", map[string]any{}), add("/metadata/labels/app", "renamed")
		}
		switch r.Object.GetKind() {
		case "Deployment":
			operations = append(operations, add("/spec/template/spec/containers/0/image", "mirror.example.com/nginx:1"),
				add("/spec/template/spec/containers/-", map[string]any{"name": "sidecar", "image": "proxy:1"}), add("/spec/replicas", 3))
			if containers, _, _ := unstructured.NestedSlice(r.Object.Object, "spec", "template", "spec", "containers"); len(containers) > 1 {
				operations[4] = add("/spec/minReadySeconds", 1)
			}
		case "ConfigMap":
			operations = append(operations, add("/data", map[string]any{"key": "overruled", "more": "1"}))
		}
		return patched(t, operations...)
	})
	b.awaitHook(func(error) bool { return asked.Load() > 0 })
	web := deployment(t, "web", "nginx:1")
	_ = unstructured.SetNestedField(web.Object, int64(1), "spec", "replicas")
	objects := []*unstructured.Unstructured{configMap(t, "a", "1"), configMap(t, "b", "1"), web, service(t, "web")}
	if result := b.apply(objects...); result.Count(Created) != 4 {
		t.Errorf("first: %v", actions(result))
	}
	b.Take()
	for _, again := range []*bench{b, b.again()} {
		if result := again.apply(objects...); result.Count(Unchanged) != 4 {
			t.Errorf("again: %v", actions(result))
		}
		wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 4})
	}
	objects[0] = configMap(t, "a", "2") // which makes no difference to the server, but the webhook does
	wantActions(t, b.apply(objects...), "configured ConfigMap a", "unchanged ConfigMap b", "unchanged Deployment web", "unchanged Service web")
	b.Take()
	b.apply(objects...)
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 4})
}

func TestWhatAWebhookRejectsIsToldInItsWordsAndNothingIsPruned(t *testing.T) {
	b := newFaultBench(t, Options{})
	b.apply(configMap(t, "a", "1"), configMap(t, "old", "1"))
	var asked atomic.Int32
	b.webhook("Validating", "", func(_ context.Context, r review) map[string]any {
		asked.Add(1)
		if r.Object.GetName() != "bad" {
			return map[string]any{"allowed": true}
		}
		return map[string]any{"allowed": false, "status": map[string]any{"code": 422, "reason": "Invalid", "message": "planted: bad is bad"}}
	})
	b.awaitHook(func(error) bool { return asked.Load() > 0 })
	objects := []*unstructured.Unstructured{configMap(t, "a", "2"), service(t, "bad"), service(t, "web")}
	for _, opts := range []Options{{}, {Validate: true}, {Replace: true}} {
		b.opts.Validate, b.opts.Replace = opts.Validate, opts.Replace
		b.Take()
		result, err := b.call(t, t.Context(), objects, fmt.Sprintf("%+v", opts))
		var about *Error
		if !errors.As(err, &about) || about.Ref.Name != "bad" || !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "planted: bad is bad") {
			t.Errorf("the error is %v, want the webhook's of the Service", err)
		}
		if result.Count(Failed) != 1 || testbed.Count(b.Take(), "DELETE") > 0 || !b.exists(b.path("configmaps", "old")) {
			t.Errorf("changes are %v", actions(result))
		}
		b.wantNamed(t, "rejected")
	}
	p, err := b.Plan(t.Context(), b.set(objects...))
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "planted: bad is bad") || p.Count(Failed) != 1 {
		t.Errorf("the plan is %v, %v", actions(p.result()), err)
	}
	b.opts.Validate, b.opts.Replace = false, false
	b.unhook("Validating")
	b.awaitHook(func(error) bool { return asked.Swap(0) == 0 })
	b.wantConvergence(t, objects, "without the webhook")
}

func TestAWebhookThatHangsHoldsUpNobodyLongerThanItMay(t *testing.T) {
	for _, test := range []struct {
		policy, timeout string
		cancel          bool
		want            func(error) bool
	}{
		{"Fail", "1", false, func(err error) bool {
			return apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook")
		}},
		{"Ignore", "1", false, func(err error) bool { return err == nil }},
		{"Fail", "30", true, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		t.Run(fmt.Sprintf("%s, cancelled %t", test.policy, test.cancel), func(t *testing.T) {
			b := newFaultBench(t, Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var probed atomic.Bool
			hanging := make(chan struct{}, 100)
			b.webhook("Validating", fmt.Sprintf(`"failurePolicy":%q,"timeoutSeconds":%s,`, test.policy, test.timeout), func(asking context.Context, r review) map[string]any {
				if r.DryRun {
					probed.Store(true)
					return map[string]any{"allowed": true}
				}
				if test.cancel {
					cancel()
				}
				<-asking.Done() // the API server's patience is at its end, or it knows that the client's is
				hanging <- struct{}{}
				return map[string]any{"allowed": true}
			})
			b.awaitHook(func(error) bool { return probed.Load() })
			objects := []*unstructured.Unstructured{configMap(t, "slow", "1"), secret(t, "quick", "Opaque", "1")}
			result, err := b.call(t, ctx, objects, "hanging")
			if !test.want(err) {
				t.Errorf("the error is %v", err)
			}
			if slow := result.Changes[0].Action; (slow == Failed) != (err != nil) {
				t.Errorf("changes are %v", actions(result))
			}
			<-hanging
			wantNoGoroutines(t)
			b.wantNamed(t, "hanging")
			b.unhook("Validating")
			b.awaitHook(func(error) bool { return !probed.Swap(false) })
			b.wantConvergence(t, objects, "without the webhook")
		})
	}
}
