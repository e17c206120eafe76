package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	followPage     = 500 // objects in one answer to a LIST
	followPatience = 5   // refusals in a row, of a server that had let us watch before, until one is believed
)

// A follower is one call of follow.
type follower struct {
	*Applier
	following
	see func(event) error

	known   map[types.NamespacedName]identity // what was told, and is there
	at      string                            // the resourceVersion up to which all was told; empty: a LIST is needed
	absent  bool                              // that the server has no such kind was told
	watched bool                              // it has let us watch
	refused int                               // times in a row, since
	wait    time.Duration                     // before the next try
	trouble error                             // since it last went well
	stop    error                             // of see
}

type identity struct {
	uid             types.UID
	resourceVersion string
}

// ended says why, where the context has.
func (w *follower) ended(ctx context.Context) error {
	if w.trouble == nil {
		return context.Cause(ctx)
	}
	return &interruption{context.Cause(ctx), w.trouble}
}

// An interruption is the end of a context in the middle of some trouble.
type interruption struct{ cause, trouble error }

func (e *interruption) Error() string {
	return e.cause.Error() + ", and before that: " + e.trouble.Error()
}
func (e *interruption) Unwrap() []error { return []error{e.cause, e.trouble} }

// mends tells whether it is worth to try again. A server that starts may for a moment know nobody's rights.
func (w *follower) mends(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return true
	}
	switch answer.Status().Code {
	case 400, 401, 403, 405, 406, 415, 422:
		w.refused++
		w.at = ""
		return w.watched && w.refused < followPatience
	}
	return true
}

// reroute finds a kind that is now reached in another way.
func (w *follower) reroute(ctx context.Context) bool {
	now, err := w.mapper.find(ctx, schema.GroupVersionKind{Group: w.resource.Group, Kind: w.resource.Kind}, true)
	if err != nil || now == w.resource || now.Namespaced != w.resource.Namespaced {
		return false
	}
	w.resource, w.at = now, ""
	return true
}

// empty tells that nothing is there, for there is no such kind.
func (w *follower) empty(cause error) error {
	w.at = ""
	if w.absent {
		return cause
	}
	if err := w.listed(nil); err != nil {
		return err
	}
	w.absent = true
	return cause
}

func (w *follower) request() *rest.Request {
	r := w.client.rest.Get().AbsPath(w.resource.path(w.namespace, "")...)
	if w.labels != "" {
		r.Param("labelSelector", w.labels)
	}
	if w.fields != "" {
		r.Param("fieldSelector", w.fields)
	}
	return r
}

// list tells the state, unless it is known up to a place from which to watch.
func (w *follower) list(ctx context.Context) error {
	if w.at != "" {
		return nil
	}
	found := make(map[types.NamespacedName]bool)
	for next := ""; ; {
		objects, page, err := w.page(ctx, next)
		if err != nil {
			return fmt.Errorf("listing %s: %w", w.following, err)
		}
		w.absent = false
		for _, o := range objects {
			found[keyOf(o)] = true
			if err := w.present(o); err != nil {
				return err
			}
		}
		if next = page.Continue; next == "" {
			w.at, w.trouble = page.ResourceVersion, nil
			return w.listed(found)
		}
	}
}

// page reads one page of the LIST.
func (w *follower) page(ctx context.Context, next string) ([]metav1.Object, *metav1.ListMeta, error) {
	r := w.request().Param("limit", strconv.Itoa(followPage))
	if next != "" {
		r.Param("continue", next)
	}
	var objects []metav1.Object
	if !w.whole {
		o, err := r.SetHeader("Accept", acceptMetadataList).Do(ctx).Get()
		if err != nil {
			return nil, nil, err
		}
		list, ok := o.(*metav1.PartialObjectMetadataList)
		if !ok {
			return nil, nil, fmt.Errorf("the server answered with a %T where metadata was asked for", o)
		}
		for i := range list.Items {
			objects = append(objects, &list.Items[i])
		}
		return objects, &list.ListMeta, nil
	}
	result := r.SetHeader("Accept", "application/json").Do(ctx)
	if err := result.Error(); err != nil {
		return nil, nil, err
	}
	body, err := result.Raw()
	if err != nil {
		return nil, nil, err
	}
	var list unstructured.UnstructuredList // which gives its items the kind that they do not have in a list
	if err := list.UnmarshalJSON(body); err != nil {
		return nil, nil, err
	}
	for i := range list.Items {
		objects = append(objects, &list.Items[i])
	}
	return objects, &metav1.ListMeta{ResourceVersion: list.GetResourceVersion(), Continue: list.GetContinue()}, nil
}

// watch tells events until the server ends the watch, which is no error, or something else does.
func (w *follower) watch(ctx context.Context) error {
	accept := "application/json"
	if !w.whole {
		accept = acceptMetadata
	}
	seconds := 300 + rand.IntN(300) // so that not all watches end at once
	body, err := w.request().Param("watch", "true").Param("allowWatchBookmarks", "true").Param("resourceVersion", w.at).
		Param("timeoutSeconds", strconv.Itoa(seconds)).SetHeader("Accept", accept).Stream(ctx)
	if err != nil {
		w.mayForget(err)
		return fmt.Errorf("watching %s: %w", w.following, err)
	}
	began := time.Now()
	defer func() {
		_ = body.Close()
		if time.Since(began) > followSteady {
			w.wait = followFirstWait
		}
	}()
	w.watched, w.refused, w.trouble = true, 0, nil
	if w.pulse != nil {
		w.pulse.beat()
		defer w.pulse.beat()
	}
	for next := readEvents(body); ; {
		kind, object, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = w.take(kind, object)
			w.mayForget(err)
		}
		if err != nil {
			return fmt.Errorf("watching %s: %w", w.following, err)
		}
	}
}

// mayForget has a LIST follow on an answer that says that the place to watch from is no good. One of a server that is too
// busy, or about to end, says nothing of it, nor does a broken connection.
func (w *follower) mayForget(err error) {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return
	}
	if code := answer.Status().Code; code < 500 && code != 429 || code == 504 { // 504: a place that is yet to come
		w.at = ""
	}
}

func (w *follower) take(kind string, raw []byte) error {
	if kind == "ERROR" {
		var status metav1.Status
		if err := decodeEvent(raw, &status); err != nil {
			return err
		}
		return &apierrors.StatusError{ErrStatus: status}
	}
	object, err := w.decode(raw)
	if err != nil {
		return err
	}
	w.at, w.wait = object.GetResourceVersion(), followFirstWait
	switch kind {
	case "ADDED", "MODIFIED":
		return w.present(object)
	case "DELETED":
		return w.gone(object)
	}
	return nil // a bookmark, which only says where we are
}

func (w *follower) decode(raw []byte) (metav1.Object, error) {
	if w.whole {
		o := &unstructured.Unstructured{}
		return o, o.UnmarshalJSON(raw)
	}
	o := &metav1.PartialObjectMetadata{}
	return o, decodeEvent(raw, o)
}

func keyOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (w *follower) present(o metav1.Object) error {
	is := identity{o.GetUID(), o.GetResourceVersion()}
	if w.known[keyOf(o)] == is && is.resourceVersion != "" {
		return nil
	}
	w.known[keyOf(o)] = is
	return w.tell(event{what: eventPresent, object: o})
}

func (w *follower) gone(o metav1.Object) error {
	delete(w.known, keyOf(o))
	return w.tell(event{what: eventGone, object: o})
}

// listed tells what a LIST did not find any more, and that it was read.
func (w *follower) listed(found map[types.NamespacedName]bool) error {
	for key, was := range w.known {
		if found[key] {
			continue
		}
		o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, UID: was.uid, ResourceVersion: w.at}}
		if err := w.gone(o); err != nil {
			return err
		}
	}
	return w.tell(event{what: eventListed, at: w.at})
}

func (w *follower) tell(e event) error {
	w.stop = w.see(e)
	return w.stop
}
