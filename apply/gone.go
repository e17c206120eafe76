package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// errStillThere is why an object was waited for in vain to go.
var errStillThere = errors.New("it is still there")

// awaitGone waits, by watch, until the targets are gone: each object with just the UID of its target, or, where a target
// has none, whichever has the name. It opens one watch, of metadata, for each kind where a selector of labels is given,
// for which one that lost the labels is gone; without, one for each kind and namespace, which sees all objects in it,
// unless it is about one object, which it follows by its name.
//
// At the end of ctx the error joins one [*Error] for each target that is left, with its finalizers, and the context's
// cause; of a Namespace also what is left in it, where ctx had a deadline.
func (a *Applier) awaitGone(ctx context.Context, targets []target, labels string) error {
	w := &farewell{Applier: a, left: make(map[Ref]target, len(targets)), seen: make(map[Ref]metav1.Object)}
	for _, t := range targets {
		w.left[t.ref.identity()] = t
	}
	if len(targets) == 0 {
		return nil
	}
	err := a.followAll(ctx, followings(targets, labels, metadataOnly), w.see)
	if err == nil || ctx.Err() == nil {
		return err
	}
	errs := []error{err}
	for _, t := range targets {
		if _, ok := w.left[t.ref.identity()]; ok {
			errs = append(errs, &Error{Op: "waiting for the deletion of", Ref: t.ref, Err: w.remains(ctx, t)})
		}
	}
	return errors.Join(errs...)
}

// A farewell is one call of awaitGone.
type farewell struct {
	*Applier
	left map[Ref]target        // by identity
	seen map[Ref]metav1.Object // what is there of them
}

func (w *farewell) see(f following, e event) error {
	if e.what == eventListed {
		for ref := range w.left {
			if w.seen[ref] == nil && f.covers(ref) {
				delete(w.left, ref)
			}
		}
	} else {
		ref := f.ref(e.object)
		t, ok := w.left[ref]
		switch {
		case !ok:
		case e.what == eventGone, t.uid != "" && t.uid != e.object.GetUID():
			delete(w.left, ref)
			delete(w.seen, ref)
		default:
			w.seen[ref] = e.object
		}
	}
	if len(w.left) == 0 {
		return errStop
	}
	return nil
}

// remains tells what keeps a target.
func (w *farewell) remains(ctx context.Context, t target) error {
	o := w.seen[t.ref.identity()]
	switch {
	case o == nil:
		return errors.New("the cluster did not tell whether it is there")
	case o.GetDeletionTimestamp() == nil:
		return fmt.Errorf("%w, and is not being deleted", errStillThere)
	}
	why := []string{errStillThere.Error()}
	if names := o.GetFinalizers(); len(names) > 0 {
		why = append(why, finalizers(names))
	}
	if t.ref.groupKind() == namespaceKind && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		why = append(why, w.lookAtNamespace(ctx, t)...)
	}
	return errors.New(strings.Join(why, "; "))
}

var namespaceKind = schema.GroupKind{Kind: "Namespace"}

// lookAtNamespace asks what is left in a Namespace, which its status tells.
func (w *farewell) lookAtNamespace(ctx context.Context, t target) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTime)
	defer cancel()
	o := &unstructured.Unstructured{}
	if err := w.client.getJSON(ctx, t.resource.path("", t.ref.Name), "application/json", o); err != nil {
		return nil
	}
	return w.reasons(ctx, t.ref, o)
}

func metadataOnly(schema.GroupKind) bool { return false }
