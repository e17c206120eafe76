package apply

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const (
	followFirstWait = 50 * time.Millisecond // after a first trouble
	followLongWait  = 10 * time.Second      // after many
	followSteady    = time.Second           // a watch that lived so long was well
)

// A following says which objects to follow.
type following struct {
	resource       resource
	namespace      string // empty: all namespaces
	labels, fields string // selectors
	whole          bool   // whole objects, each an *unstructured.Unstructured; else *metav1.PartialObjectMetadata
	pulse          *pulse // told whether a watch is open; nil: nobody wants to know
}

func (f following) String() string {
	kind := f.resource.Plural
	if f.resource.Group != "" {
		kind += "." + f.resource.Group
	}
	switch {
	case !f.resource.Namespaced:
		return kind
	case f.namespace == "":
		return kind + " in all namespaces"
	}
	return kind + " in namespace " + f.namespace
}

// ref of an object that was followed, as the key of maps.
func (f following) ref(o metav1.Object) Ref {
	return Ref{Group: f.resource.Group, Kind: f.resource.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}
}

// covers tells whether the object would be told of.
func (f following) covers(ref Ref) bool {
	return ref.groupKind() == f.resource.GroupKind() && (f.namespace == "" || f.namespace == ref.Namespace) &&
		(f.fields == "" || f.fields == nameField(ref.Name))
}

func nameField(name string) string { return "metadata.name=" + name }

// A target is an object to wait for.
type target struct {
	ref      Ref
	resource resource
	uid      types.UID // of the very object that is meant; empty: whichever has the name
}

// followings chooses how to follow the targets with few requests: one following for each kind where a label selects
// them, in one namespace or in all, as observe does; else one for each kind and namespace. A single object is followed by
// its name.
func followings(targets []target, labels string, whole func(schema.GroupKind) bool) []following {
	type scope struct {
		kind      schema.GroupKind
		namespace string
	}
	var all []following
	place := make(map[scope]int)
	for _, t := range targets {
		s := scope{kind: t.ref.groupKind()}
		if labels == "" {
			s.namespace = t.ref.Namespace
		}
		i, ok := place[s]
		if !ok {
			place[s] = len(all)
			all = append(all, following{resource: t.resource, namespace: t.ref.Namespace, labels: labels,
				fields: nameField(t.ref.Name), whole: whole(s.kind)})
			continue
		}
		all[i].fields = ""
		if all[i].namespace != t.ref.Namespace {
			all[i].namespace = metav1.NamespaceAll
		}
	}
	return all
}

// What an event tells.
type eventType int

const (
	// eventPresent: the object is there, and was not before, or is not as it was before.
	eventPresent eventType = iota
	// eventGone: an object of which was told is no longer there, or no longer selected.
	eventGone
	// eventListed: a LIST was read to its end. What was told is all that is there; what was not told is not there.
	eventListed
)

// An event has in its object whatever the following asks for; of an object that went while nobody looked, only its
// namespace, name and UID, and the resourceVersion of the LIST that did not find it. The event belongs to who gets it.
type event struct {
	what   eventType
	object metav1.Object // nil where a LIST was read
	at     string        // the resourceVersion of the LIST that was read; empty where the server has no such kind
}

// errStop is what see returns to end following without an error.
var errStop = errors.New("enough seen")

// followAll follows all that is given, until see returns an error, one of the followings cannot go on, or ctx ends, and
// returns just that error; nil for [errStop]. It calls see for one event at a time. When it returns, all has ended. All are
// followed at once, whatever Options.Concurrency says: a watch is no work.
func (a *Applier) followAll(ctx context.Context, all []following, see func(following, event) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers sync.WaitGroup
	var turn sync.Mutex
	var stopped, ended error // by see, and of a following; both under turn
	for _, f := range all {
		workers.Go(func() {
			err := a.follow(inner, f, func(e event) error {
				turn.Lock()
				defer turn.Unlock()
				if stopped == nil { // what comes after the end is told to nobody
					stopped = see(f, e)
				}
				return stopped
			})
			turn.Lock()
			defer turn.Unlock()
			// At the end of ctx the one counts that tells of trouble; otherwise the first, which ends the others.
			var trouble *interruption
			if ended == nil || ctx.Err() != nil && errors.As(err, &trouble) {
				ended = err
			}
			cancel()
		})
	}
	workers.Wait()
	switch {
	case errors.Is(stopped, errStop):
		return nil
	case stopped != nil:
		return stopped
	}
	return ended
}

// follow tells see what there is, and from then on whatever becomes of it, until ctx ends, see returns an error, or the
// server refuses it in a way that time will not mend, such as a missing right. It never returns nil.
//
// What is guaranteed:
//
//   - see is called by this goroutine only, in the server's order for each object, and no event is held back: one is told
//     as soon as it is read, and a second comes only when see has returned. No goroutine is left when follow returns.
//   - The first LIST is of the server's state at that moment or later, not of an old cache's.
//   - No final state is missed. A watch that ends or breaks goes on where it was. Where the server has forgotten that
//     place (410), there is a LIST; then all that is not as it was told before is told, and so is what has gone. What came
//     and went in between is not told, nor are states in between. An object that was replaced is told by its new UID.
//   - A kind that the server does not have is told as an empty state, [eventListed] after [eventGone] for each object, and
//     looked for again, also under another version.
//   - A server that cannot be reached is tried again, after 50 ms at first and after 10 s at most, with jitter. The error
//     at the end of ctx then has the last trouble in its chain, beside the context's cause. A connection that died without
//     a word is noticed by the pings of client-go's HTTP/2, within 45 s.
//
// It keeps a name, a UID and a resourceVersion of each object, and one page of the LIST.
func (a *Applier) follow(ctx context.Context, f following, see func(event) error) error {
	w := &follower{Applier: a, following: f, see: see, known: make(map[types.NamespacedName]identity), wait: followFirstWait}
	for {
		err := w.list(ctx)
		if err == nil {
			err = w.watch(ctx)
		}
		switch {
		case w.stop != nil:
			return w.stop
		case ctx.Err() != nil:
			return w.ended(ctx)
		case apierrors.IsNotFound(err):
			if w.reroute(ctx) {
				continue
			}
			err = w.empty(err)
		}
		if w.stop != nil {
			return w.stop
		}
		if !w.mends(err) {
			return err
		}
		if err != nil {
			w.trouble = err
		}
		if sleep(ctx, w.wait/2+rand.N(w.wait/2)) != nil {
			return w.ended(ctx)
		}
		w.wait = min(2*w.wait, followLongWait)
	}
}
