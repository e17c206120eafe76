package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestConflictSaysWhoHasWhichField(t *testing.T) {
	b := newBench(t, Options{})
	path := b.path("deployments", "web")
	before := deployment(t, "web", "nginx:1")
	before.Object["spec"].(map[string]any)["replicas"] = int64(2)
	b.tool("first", "PATCH", path, applyPatch, before.Object)
	b.tool(`the "scaler"`, "PATCH", path+"/scale", mergePatch, map[string]any{"spec": map[string]any{"replicas": 5}})
	sent := deployment(t, "web", "nginx:2")
	sent.Object["spec"].(map[string]any)["replicas"] = int64(1)
	_, err := b.tries("ours", "PATCH", path, applyPatch, sent.Object)
	conflict := asConflict(fmt.Errorf("applying: %w", err))
	if conflict == nil {
		t.Fatalf("the error is %v, want a conflict", err)
	}
	want := []FieldConflict{{`the "scaler"`, ".spec.replicas"}, {"first", `.spec.template.spec.containers[name="main"].image`}}
	if !slices.Equal(conflict.Fields, want) {
		t.Errorf("the fields are %q, want %q", conflict.Fields, want)
	}
	if !apierrors.IsConflict(conflict) || errors.Is(conflict, ErrConflict) {
		t.Error("it is not the server's conflict, or it is that of two appliers")
	}
	for _, says := range []string{`.spec.replicas (the "scaler")`, `[name="main"].image (first)`, `set Conflicts to "take"`} {
		if !strings.Contains(conflict.Error(), says) {
			t.Errorf("the error is %q, want one that says %q", conflict, says)
		}
	}
}

func TestConflictsOfOtherKindsAreNone(t *testing.T) {
	secret := schema.GroupResource{Resource: "secrets"}
	cause := metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: ".x"}
	for _, err := range []error{
		nil,
		errors.New("conflict"),
		apierrors.NewConflict(secret, "s", errors.New("the object has been modified")),
		apierrors.NewAlreadyExists(secret, "s"),
		apierrors.NewApplyConflict(nil, "none"),
		apierrors.NewApplyConflict([]metav1.StatusCause{cause}, "another"),
		&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonConflict}},
	} {
		if got := asConflict(err); got != nil {
			t.Errorf("%v is taken for %v", err, got)
		}
	}
}

func TestConflictOverManyFieldsStaysShort(t *testing.T) {
	var causes []metav1.StatusCause
	for i := range 500 {
		causes = append(causes, metav1.StatusCause{Type: metav1.CauseTypeFieldManagerConflict, Field: fmt.Sprintf(".data.f%03d", i), Message: "odd"})
	}
	conflict := asConflict(apierrors.NewApplyConflict(causes, "many"))
	if len(conflict.Fields) != 500 || conflict.Fields[0].Manager != "odd" {
		t.Errorf("there are %d fields, first %v", len(conflict.Fields), conflict.Fields[0])
	}
	if text := conflict.Error(); !strings.Contains(text, ".data.f009 (odd) and 490 fields more; leave") {
		t.Errorf("the error is %q", text)
	}
}
