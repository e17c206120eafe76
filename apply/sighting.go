package apply

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// A sighting is what a Watch knows of an object: by an event, or by an answer to a request of its own, which often comes
// before the event. Of two the one with the greater resourceVersion counts; where these are no numbers, the event does.
type sighting struct {
	object  *partialObject // nil: it is not there, or has not the set's label
	version string         // the resourceVersion of the object, or of the event or the LIST that told that it is gone
	by      *stream        // that told it last; nil: an answer did
	agreed  *partialObject // as it was when it had not drifted

	looked time.Time      // when it was last looked for, of one that is gone
	found  *partialObject // by that look: the object without the set's label
}

func (s *sighting) gone() bool { return s == nil || s.object == nil }

// older tells whether the resourceVersion a is before b. Those that are no numbers are not.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

// see takes an event of a stream.
func (w *Watch) see(ctx context.Context, s *stream, e event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams[s.following] != s {
		return context.Cause(ctx) // it was stopped
	}
	w.hear(s, e)
	return nil
}

func (w *Watch) hear(s *stream, e event) {
	before := len(w.moved)
	switch e.what {
	case eventListed:
		w.seeAbsent(s, e.at)
	case eventPresent:
		w.seePresent(s, s.key(e.object), e.object)
	case eventGone:
		w.seeGone(s, s.key(e.object), e.object.GetResourceVersion())
	}
	if len(w.moved) > before && !w.applying {
		w.wake()
	}
}

func (w *Watch) seePresent(s *stream, key Ref, o metav1.Object) {
	was := w.sightings[key]
	object, ok := o.(*partialObject)
	switch {
	case !ok || was != nil && older(object.ResourceVersion, was.version):
		return
	case was != nil && was.object != nil && was.version == object.ResourceVersion && was.object.UID == object.UID:
		was.by = s
		return
	}
	if s.feed == nil { // else the hub has done so
		object = w.shared.trimmed(object)
	}
	now := &sighting{object: object, version: object.ResourceVersion, by: s}
	if was != nil {
		now.agreed = was.agreed
	}
	w.sightings[key] = now
	w.moved[key] = true
}

func (w *Watch) seeGone(s *stream, key Ref, at string) {
	was := w.sightings[key]
	if was != nil && older(at, was.version) {
		return
	}
	now := &sighting{version: at, by: s}
	if was != nil {
		now.agreed = was.agreed
	}
	w.sightings[key] = now
	if _, in := w.was.entries[key]; !in && !w.applying && key != parentKey {
		delete(w.sightings, key) // else an answer that comes late would bring it back
	}
	w.moved[key] = true
}

// seeAbsent takes it that all is gone which a LIST did not tell.
func (w *Watch) seeAbsent(s *stream, at string) {
	s.listed = true
	for key, was := range w.sightings {
		if was.by != s && was.object != nil && s.covers(key) {
			w.seeGone(s, key, at)
		}
	}
	for key := range w.was.entries {
		if w.sightings[key] == nil && s.covers(key) {
			w.moved[key] = true
		}
	}
}

// note takes an answer of the server to a request of this Watch; nil where nobody knows what became of the object, so that
// it is asked for until it is known again.
func (w *Watch) note(ref Ref, answer *partialObject) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(ref, answer)
}

func (w *Watch) put(key Ref, answer *partialObject) {
	was := w.sightings[key]
	if answer == nil {
		w.sightings[key] = unknown
		return
	}
	if s := w.sharing(key); s != nil && s.overtook(answer) {
		if was == unknown {
			w.ask(s, key)
		}
		return
	}
	if was != nil && was.version != "" {
		order, err := resourceversion.CompareResourceVersion(answer.ResourceVersion, was.version)
		switch {
		case err != nil && was.version != answer.ResourceVersion:
			w.sightings[key] = unknown
			return
		case err == nil && order < 0, was.object != nil && was.version == answer.ResourceVersion:
			return
		}
	}
	object := w.shared.trimmed(answer)
	w.sightings[key] = &sighting{object: object, version: answer.ResourceVersion, agreed: object}
	if s := w.sharing(key); s != nil {
		w.hub.answered(s, object)
	}
}

// sharing returns the stream that tells of the object, if it is a hub's.
func (w *Watch) sharing(key Ref) *stream {
	for _, s := range w.covering(key) {
		if s.feed != nil {
			return s
		}
	}
	return nil
}

// unknown is the sighting of an object that may be there or not, in any state.
var unknown = &sighting{}

// A recollection has objects that need not be asked for.
type recollection map[Ref]recalled

type recalled struct {
	object   *partialObject // nil: it is not there, or has not the set's label
	searched bool           // also without the label
}

// lookGood is for how long a look for an object that is gone is believed: another set may create it, of which no watch
// tells. Between the look of any Apply and its PATCH as much may pass.
const lookGood = 30 * time.Second

// recall returns what is known of the members that were applied, and what a hub knows of others. Where that is that one
// is another set's, it is asked for: it may just have been given up.
func (w *Watch) recall(r *run) recollection {
	if w == nil || r.set.Plan != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	known := make(recollection, len(r.was.entries))
	current := w.currentStreams()
	for ref, e := range r.was.entries {
		s, by := w.sightings[ref], current.of(ref)
		switch {
		case by == nil || s == unknown:
		case !s.gone():
			if e.applied || by.feed != nil {
				known[ref] = recalled{object: s.object}
			}
		case by.feed != nil && s != nil && s.found != nil && time.Since(s.looked) < lookGood:
			known[ref] = recalled{s.found, true}
		case by.feed != nil:
			if by.feed.free(ref) {
				known[ref] = recalled{searched: true}
			}
		case !e.applied:
		case s == nil:
			known[ref] = recalled{}
		default:
			known[ref] = recalled{s.found, time.Since(s.looked) < lookGood}
		}
	}
	for _, m := range r.members {
		ref := m.ref.identity()
		if _, in := r.was.entries[ref]; in || m.err != nil {
			continue
		}
		s, by := w.sightings[ref], current.of(ref)
		switch {
		case by == nil || by.feed == nil || s == unknown:
		case !s.gone():
			known[ref] = recalled{object: s.object}
		case by.feed.free(ref):
			known[ref] = recalled{searched: true}
		}
	}
	return known
}

// currentStreams of members, by their kind.
func (w *Watch) currentStreams() streamsByKind {
	current := make(streamsByKind)
	for _, s := range w.streams {
		if s.current() && !s.ofParents() {
			gk := s.resource.GroupKind()
			current[gk] = append(current[gk], s)
		}
	}
	return current
}

type streamsByKind map[schema.GroupKind][]*stream

// of returns one that tells of the object; nil: none does.
func (all streamsByKind) of(ref Ref) *stream {
	for _, s := range all[ref.groupKind()] {
		if s.covers(ref) {
			return s
		}
	}
	return nil
}

func (known recollection) addTo(l live) {
	for ref, is := range known {
		if is.object != nil {
			l.objects[ref] = is.object
		}
	}
}

// noteAll takes what was asked for and has the set's label.
func (w *Watch) noteAll(objects map[Ref]*partialObject) {
	if w == nil {
		return
	}
	for ref, o := range objects {
		if o.Labels[partOfLabel] == w.label {
			w.note(ref, o)
		}
	}
}
