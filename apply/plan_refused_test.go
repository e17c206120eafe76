package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

func TestPlanIsInFullWhereObjectsAreRefused(t *testing.T) {
	b := newPlanBench(t, Options{})
	bad := service(t, "bad")
	_ = unstructured.SetNestedSlice(bad.Object, []any{map[string]any{"port": int64(99999)}}, "spec", "ports")
	odd := manifest(t, "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: o}")
	p, err := b.plan(b.set(configMap(t, "a", "1"), bad, odd))
	var one *Error
	if !errors.As(err, &one) || one.Op != "planning" || !apierrors.IsInvalid(err) || !errors.Is(err, ErrUnknownKind) {
		t.Errorf("the error is %v", err)
	}
	wantPlan(t, p, "created ConfigMap a", `  manifest data: null → {"key":"1"}`, "failed Service bad", "failed Odd o")
	if strings.Count(err.Error(), "planning Service") != 1 {
		t.Errorf("the error is %v", err)
	}
	set := b.set(configMap(t, "a", "1"), bad, odd)
	set.Plan = p
	if _, err := b.Apply(t.Context(), set); !errors.Is(err, ErrInvalid) {
		t.Errorf("applying it: %v", err)
	}
}

func TestPlanRefusesAsApplyDoes(t *testing.T) {
	b := newPlanBench(t, Options{MaxPruneShare: 0.5})
	b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), configMap(t, "c", "1"))
	for want, set := range map[error]Set{ErrEmptySet: b.set(), ErrPruneShare: b.set(configMap(t, "a", "1")),
		ErrDuplicate: b.set(configMap(t, "a", "1"), configMap(t, "a", "1")), ErrInvalid: {}} {
		if p, err := b.plan(set); !errors.Is(err, want) || p == nil || len(p.Changes) > 0 {
			t.Errorf("%+v, %v, want %v", p, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.Before = func(r *http.Request) error {
		if r.Method == "PATCH" {
			cancel()
			<-r.Context().Done()
		}
		return nil
	}
	p, err := b.Plan(ctx, b.set(configMap(t, "a", "2"), configMap(t, "b", "1")))
	if !errors.Is(err, context.Canceled) || p.Counts() != "1 unchanged, 1 pruned, 1 failed" {
		t.Errorf("%s, %v", p.Counts(), err)
	}
}

func TestPlanLeavesTheDetachedAndItsHome(t *testing.T) {
	b := newPlanBench(t, Options{})
	home := manifest(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"}")
	b.apply(home, configMap(t, "a", "1"), configMap(t, "b", "1"))
	if err := b.do("PATCH", b.path("configmaps", "b"), `{"metadata":{"labels":{"applyset.kubernetes.io/part-of":null}}}`); err != nil {
		t.Fatal(err)
	}
	p := b.mustPlan(configMap(t, "a", "1"))
	wantPlan(t, p, "unchanged ConfigMap a", "skipped Namespace "+b.namespace, "skipped ConfigMap b")
	if !errors.Is(p.Changes[1].Err, errHome) || !errors.Is(p.Changes[2].Err, errDetached) {
		t.Errorf("%+v", p.Changes)
	}
}

// An altered transport answers dry runs as a webhook without declared side effects has the server answer.
type altered struct{ next http.RoundTripper }

func (a altered) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := a.next.RoundTrip(r)
	if err != nil || r.URL.Query().Get("dryRun") == "" {
		return answer, err
	}
	_ = answer.Body.Close()
	refusal := apierrors.NewBadRequest(`admission webhook "old.example.com" does not support dry run`).ErrStatus
	refusal.Kind, refusal.APIVersion = "Status", "v1"
	status, err := json.Marshal(refusal)
	answer.Header.Set("Content-Type", "application/json")
	answer.StatusCode, answer.Body, answer.ContentLength = http.StatusBadRequest, io.NopCloser(bytes.NewReader(status)), int64(len(status))
	return answer, err
}

func TestPlanSaysWhichWebhookRefusesDryRuns(t *testing.T) {
	b := newPlanBench(t, Options{})
	config := rest.CopyConfig(b.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return altered{next} })
	p, err := newApplier(t, config, Options{}).Plan(t.Context(), b.set(configMap(t, "a", "1")))
	if err == nil || p.Changes[0].Action != Failed || !strings.Contains(err.Error(), "old.example.com") || !strings.Contains(err.Error(), "sideEffects") {
		t.Errorf("%+v, %v", p.Changes, err)
	}
}

func TestPlanStaysTheSameThroughJSON(t *testing.T) {
	b := newPlanBench(t, Options{})
	bad := configMap(t, "bad", "1")
	bad.Object["data"] = "no map"
	p, err := b.plan(b.set(deployment(t, "web", "nginx:1"), bad))
	if err == nil {
		t.Error("no error")
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again Plan
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Changes[1].Err.Error(), p.Changes[1].Err.Error(); got != want {
		t.Errorf("the error is %s, and was %s", got, want)
	}
	again.Changes[1].Err = p.Changes[1].Err
	if !reflect.DeepEqual(p, &again) {
		t.Errorf("it was\n%+v\nand is\n%+v", p, again)
	}
	if err := json.Unmarshal([]byte(`{"version":2}`), &again); !errors.Is(err, ErrInvalid) {
		t.Errorf("of another version: %v", err)
	}
}
