package apply

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A ConflictError says that a manifest would change fields that belong to other field managers, and that it was not
// forced to. The answer of the API server is in its chain. It is not [ErrConflict], which is about two appliers.
type ConflictError struct {
	Fields []FieldConflict // in the order of their names
	err    *apierrors.StatusError
}

// A FieldConflict is one field and who has it.
type FieldConflict struct {
	Manager string // the name of the field manager
	Field   string // as the server writes it: ".spec.replicas", `.spec.containers[name="main"].image`
}

// Error names the first ten fields, each with its manager, and what can be done.
func (e *ConflictError) Error() string {
	var text strings.Builder
	text.WriteString("other field managers have ")
	for i, f := range e.Fields {
		if i == 10 {
			fmt.Fprintf(&text, " and %d fields more", len(e.Fields)-i)
			break
		}
		if i > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "%s (%s)", f.Field, f.Manager)
	}
	text.WriteString("; leave these fields out of the manifest, name them in Ignore, or set Conflicts to \"take\"")
	return text.String()
}

// Unwrap returns the answer of the API server, an *apierrors.StatusError.
func (e *ConflictError) Unwrap() error { return e.err }

// asConflict returns the conflict over fields that the error is, or nil where it is anything else: the conflict of a write
// with another one has the same status code.
func asConflict(err error) *ConflictError {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsConflict(status) || status.ErrStatus.Details == nil {
		return nil
	}
	conflict := &ConflictError{err: status}
	for _, cause := range status.ErrStatus.Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			conflict.Fields = append(conflict.Fields, FieldConflict{Manager: managerIn(cause.Message), Field: cause.Field})
		}
	}
	if len(conflict.Fields) == 0 {
		return nil
	}
	slices.SortFunc(conflict.Fields, func(a, b FieldConflict) int { // the server has them in any order
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Manager, b.Manager))
	})
	return conflict
}

// managerIn finds the manager's name in a cause's message: `conflict with "kubectl-edit" using apps/v1`.
func managerIn(message string) string {
	rest := strings.TrimPrefix(message, "conflict with ")
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		if name, err := strconv.Unquote(quoted); err == nil {
			return name
		}
	}
	return rest
}
