package apply

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const planted = "planted-86753091-secret"

// told returns all that a plan and its error can be made to say.
func told(t testing.TB, p *Plan, err error) string {
	t.Helper()
	var all bytes.Buffer
	for _, view := range []View{{}, {Server: true, Color: true}} {
		if err := p.WriteDiff(&all, view); err != nil {
			t.Fatal(err)
		}
		if err := p.WriteMarkdown(&all, view); err != nil {
			t.Fatal(err)
		}
	}
	text, jsonErr := json.Marshal(p)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	fmt.Fprintf(&all, "%s %v %+v %#v %v %+v %#v", text, p, p, p, err, err, err)
	for _, c := range p.Changes {
		fmt.Fprintf(&all, "%+v %v %#v", c, c.Err, c.Differences)
		for e := c.Err; e != nil; e = errors.Unwrap(e) {
			fmt.Fprintf(&all, "%#v", e)
		}
		var status apierrors.APIStatus
		if errors.As(c.Err, &status) {
			fmt.Fprintf(&all, "%+v %+v", status.Status(), status.Status().Details)
		}
	}
	return all.String()
}

func wantUntold(t testing.TB, text string) {
	t.Helper()
	for _, form := range []string{planted, base64.StdEncoding.EncodeToString([]byte(planted)), "86753091"} {
		if at := strings.Index(text, form); at >= 0 {
			t.Errorf("the secret is told: …%s…", text[max(0, at-200):min(len(text), at+60)])
		}
	}
}

func TestPlanMasksSecrets(t *testing.T) {
	b := newPlanBench(t, Options{})
	secret := func(fields string) *unstructured.Unstructured {
		return manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"+fields)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(planted))
	annotated := configMap(t, "kubectls", "1")
	annotated.SetAnnotations(map[string]string{lastApplied: `{"stringData":{"a":"` + planted + `"}}`})
	for _, test := range []struct {
		name    string
		objects []*unstructured.Unstructured
		want    []string
	}{
		{"created", []*unstructured.Unstructured{secret("stringData: {one: " + planted + ", two: x}"), annotated},
			[]string{"created Secret s", `  manifest data: null → {"one":"***","two":"***"}`,
				"created ConfigMap kubectls", `  manifest data: null → {"key":"1"}`,
				`  manifest metadata.annotations: null → {"` + lastApplied + `":"***"}`}},
		{"moved to data", []*unstructured.Unstructured{secret("data: {one: " + encoded + ", two: eA==}"), annotated},
			[]string{"unchanged Secret s", "unchanged ConfigMap kubectls"}},
		{"changed, added and removed", []*unstructured.Unstructured{secret("data: {three: " + encoded + "}\nstringData: {one: new-" + planted + "}"),
			configMap(t, "kubectls", "1")},
			[]string{"configured Secret s", "  manifest data.one: \"***\" → \"*** (changed)\"", `  manifest data.three: null → "***"`, `  manifest data.two: "***" → null`,
				"configured ConfigMap kubectls", `  manifest metadata.annotations: {"` + lastApplied + `":"***"} → null`}},
		{"all removed", []*unstructured.Unstructured{secret("type: Opaque"), annotated},
			[]string{"configured Secret s", "  manifest data: {\"one\":\"***\",\"two\":\"***\"} → null", "unchanged ConfigMap kubectls"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := b.mustPlan(test.objects...)
			if test.name == "created" || test.name == "moved to data" {
				defer b.apply(test.objects...)
			}
			wantPlan(t, p, test.want...)
			wantUntold(t, told(t, p, nil))
		})
	}
}

func TestPlanMasksWhatTheServerQuotes(t *testing.T) {
	b := newPlanBench(t, Options{})
	secret := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {a: 'a "+planted+"'}}\nstringData: {password: "+planted+"}")
	p, err := b.plan(b.set(secret))
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "metadata.labels: FieldValueInvalid") {
		t.Errorf("the error is %v", err)
	}
	wantUntold(t, told(t, p, err))
	secret.SetLabels(nil)
	b.apply(secret)
	bad := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s, labels: {a: 'a "+planted+"'}}")
	p, err = b.plan(b.set(bad)) // quotes what is only on the cluster
	if err == nil {
		t.Error("no error")
	}
	wantUntold(t, told(t, p, err))
	typed := secret.DeepCopy()
	_ = unstructured.SetNestedField(typed.Object, "other", "type")
	if p, err = b.plan(b.set(typed)); err == nil || !strings.Contains(err.Error(), "field is immutable") {
		t.Errorf("what quotes nothing is told as %v", err)
	}
	wantUntold(t, told(t, p, err))
	garbled := manifest(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: hunter2-not-base64!}")
	if p, err = b.plan(b.set(garbled)); err == nil || !strings.Contains(err.Error(), "the server refused it (500)") || !strings.Contains(err.Error(), "not base64") {
		t.Errorf("what is not base64 is told as %v", err)
	}
	wantUntold(t, told(t, p, err))
}

func TestErrorsAreToldWithoutSecrets(t *testing.T) {
	secret := map[string]any{"apiVersion": "v1", "kind": "Secret",
		"data":       map[string]any{"a": base64.StdEncoding.EncodeToString([]byte(planted))},
		"stringData": map[string]any{"b": "pin\"12", "c": "4711"}}
	encoded := base64.StdEncoding.EncodeToString([]byte(planted))
	for _, words := range []string{planted, encoded, encoded[:9] + "...", fmt.Sprintf("%q", planted), planted[4:14], "4711", fmt.Sprintf("%q", "pin\"12")} {
		status := apierrors.NewBadRequest("it is " + words)
		status.ErrStatus.Details = &metav1.StatusDetails{Name: "s", Causes: []metav1.StatusCause{{Type: "X", Field: "data[a]", Message: words}}}
		for _, err := range []error{status, fmt.Errorf("wrapped: %w", status), errors.New("no status: " + words)} {
			got := withoutSecrets(err, secret)
			if strings.Contains(fmt.Sprintf("%+v %#v", got, got), words) {
				t.Errorf("%q is told: %v", words, got)
			}
			if apierrors.IsBadRequest(err) != apierrors.IsBadRequest(got) {
				t.Errorf("%v is now of another reason", got)
			}
		}
	}
	plain := errors.New("the server is away")
	if got := withoutSecrets(plain, secret, nil); got != plain {
		t.Errorf("it is now %v", got)
	}
}
