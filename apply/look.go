package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A kind with no more objects than fewObjects is asked for them by name. One with objects in no more namespaces than
// fewNamespaces is listed in each of these; a LIST in all namespaces has the server walk every object of the kind, and
// needs the right to see them all.
const (
	fewObjects    = 2
	fewNamespaces = 4
)

// A live view is of objects that were asked for, as the server has them.
type live struct {
	objects map[Ref]*metav1.PartialObjectMetadata // by identity
	gone    map[schema.GroupKind]bool             // kinds that the server no longer has
}

// An inquiry asks for objects of one kind.
type inquiry struct {
	reached resource
	refs    []Ref // by identity
	foreign bool  // also those that have the label of another set
	byName  bool  // also those that have no set's label
	young   bool  // the set brings the kind's definition: the server may not have the kind yet
}

// A question is one request: for one object, or for all of a namespace, or for all where both are empty.
type question struct{ namespace, name string }

// questions are the fewest requests that are cheap for the server and, by what is known so far, allowed.
func (a *Applier) questions(q inquiry) []question {
	if q.byName || len(q.refs) <= fewObjects {
		return named(q.refs)
	}
	spaces := make(map[string][]Ref)
	for _, ref := range q.refs {
		spaces[ref.Namespace] = append(spaces[ref.Namespace], ref)
	}
	if q.reached.Namespaced && len(spaces) > fewNamespaces && !a.denied.has(q.reached, question{}) {
		return []question{{}}
	}
	var all []question
	for _, space := range slices.Sorted(maps.Keys(spaces)) {
		if whole := (question{namespace: space}); len(spaces[space]) > 1 && !a.denied.has(q.reached, whole) {
			all = append(all, whole)
			continue
		}
		all = append(all, named(spaces[space])...)
	}
	return all
}

func named(refs []Ref) []question {
	all := make([]question, len(refs))
	for i, ref := range refs {
		all[i] = question{ref.Namespace, ref.Name}
	}
	return all
}

// inquire asks for the objects of all inquiries, and notes in kinds how a kind is reached now, where that is in another way.
func (a *Applier) inquire(ctx context.Context, id ID, inquiries []inquiry, kinds map[schema.GroupKind]resource) (live, error) {
	var mu sync.Mutex
	seen := live{objects: make(map[Ref]*metav1.PartialObjectMetadata), gone: make(map[schema.GroupKind]bool)}
	err := parallel(ctx, a.opts.Concurrency, inquiries, func(ctx context.Context, q inquiry) error {
		items, reached, err := a.ask(ctx, id, q)
		mu.Lock()
		defer mu.Unlock()
		gk := q.reached.GroupKind()
		switch {
		case isUnknownKind(err):
			seen.gone[gk] = true
			return nil
		case err != nil:
			return fmt.Errorf("looking for the members of %s of kind %s: %w", id, gk, err)
		case !q.young:
			kinds[gk] = reached
		}
		seen.add(q.refs, items)
		return nil
	})
	return seen, err
}

// add takes from items those that were asked for.
func (l live) add(refs []Ref, items []metav1.PartialObjectMetadata) {
	type place struct{ namespace, name string }
	found := make(map[place]*metav1.PartialObjectMetadata, len(items))
	for i := range items {
		found[place{items[i].Namespace, items[i].Name}] = &items[i]
	}
	for _, ref := range refs {
		if item := found[place{ref.Namespace, ref.Name}]; item != nil {
			l.objects[ref] = item
		}
	}
}

// ask asks in another way where the server no longer has the one that the inventory remembers: by another version, say. A
// kind that it does not have at all is [ErrUnknownKind], unless the set is about to bring it.
func (a *Applier) ask(ctx context.Context, id ID, q inquiry) ([]metav1.PartialObjectMetadata, resource, error) {
	items, err := a.askAll(ctx, id, q, a.questions(q))
	if !kindGone(err) {
		return items, q.reached, err
	}
	if q.young {
		return nil, q.reached, nil
	}
	found, err := a.mapper.find(ctx, schema.GroupVersionKind{Group: q.reached.Group, Kind: q.reached.Kind}, true)
	if err != nil {
		return nil, q.reached, err
	}
	q.reached = found
	q.refs = slices.DeleteFunc(slices.Clone(q.refs), func(ref Ref) bool { return found.Namespaced != (ref.Namespace != "") }) // there can be no such
	items, err = a.askAll(ctx, id, q, a.questions(q))
	return items, found, err
}

func (a *Applier) askAll(ctx context.Context, id ID, q inquiry, questions []question) ([]metav1.PartialObjectMetadata, error) {
	if len(questions) == 1 {
		return a.askOne(ctx, id, q, questions[0])
	}
	var mu sync.Mutex
	var all []metav1.PartialObjectMetadata
	err := parallel(ctx, a.opts.Concurrency, questions, func(ctx context.Context, one question) error {
		items, err := a.askOne(ctx, id, q, one)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, items...)
		return err
	})
	return all, err
}

// askOne sends one request. Where it may not list, it asks more narrowly, and remembers that for the Applier's life.
func (a *Applier) askOne(ctx context.Context, id ID, q inquiry, one question) ([]metav1.PartialObjectMetadata, error) {
	path := q.reached.path(one.namespace, one.name)
	if one.name != "" {
		item, err := a.client.getMetadata(ctx, path)
		if objectGone(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []metav1.PartialObjectMetadata{*item}, nil
	}
	selector := partOfLabel
	if !q.foreign {
		selector += "=" + id.label()
	}
	items, err := a.client.listMetadata(ctx, path, selector)
	if !apierrors.IsForbidden(err) {
		return items, err
	}
	a.denied.add(q.reached, one)
	q.refs = slices.DeleteFunc(slices.Clone(q.refs), func(ref Ref) bool { return one.namespace != "" && ref.Namespace != one.namespace })
	return a.askAll(ctx, id, q, a.questions(q))
}

// denials remember which LISTs the server has forbidden.
type denials struct{ sync.Map }

type denial struct{ group, plural, namespace string }

func (d *denials) add(r resource, q question) { d.Store(denial{r.Group, r.Plural, q.namespace}, true) }

func (d *denials) has(r resource, q question) bool {
	_, denied := d.Load(denial{r.Group, r.Plural, q.namespace})
	return denied
}
