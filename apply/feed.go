package apply

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// A feed is what a stream that many share has told: each object of its kind that has the label of a set, whichever it is.
type feed struct {
	users   map[*Watch]bool
	objects map[types.NamespacedName]*fed
	sets    map[string]map[types.NamespacedName]*fed // the same by the set's label
	at      string                                   // the resourceVersion up to which the stream has told all
	absent  bool                                     // the cluster has no such kind
	since   time.Time                                // when it was started, or its watch ended
}

// What was fed is of a stream, or of an answer to a request of one who shares it, which often comes before the event.
type fed struct {
	object *partialObject
	told   bool // the stream has told of it, and will tell when it is gone
}

func newFeed() *feed {
	return &feed{users: make(map[*Watch]bool), objects: make(map[types.NamespacedName]*fed),
		sets: make(map[string]map[types.NamespacedName]*fed), since: time.Now()}
}

// shared tells whether the following is of all sets at once.
func (f following) shared() bool { return f.labels == partOfLabel || f.labels == idLabel }

// ownerOf returns the label of the set whose member, or whose parent, the object is.
func (s *stream) ownerOf(o metav1.Object) string {
	if !s.ofParents() {
		return o.GetLabels()[partOfLabel]
	}
	label := ID{Namespace: o.GetNamespace(), Name: o.GetName()}.label()
	if o.GetLabels()[idLabel] != label {
		return "" // it is a copy of one
	}
	return label
}

// free tells whether no set has the object.
func (f *feed) free(ref Ref) bool {
	return f.objects[types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}] == nil
}

func (s *stream) put(key types.NamespacedName, now *fed) {
	s.drop(key)
	s.feed.objects[key] = now
	owner := s.ownerOf(now.object)
	if s.feed.sets[owner] == nil {
		s.feed.sets[owner] = make(map[types.NamespacedName]*fed)
	}
	s.feed.sets[owner][key] = now
}

func (s *stream) drop(key types.NamespacedName) {
	was := s.feed.objects[key]
	if was == nil {
		return
	}
	delete(s.feed.objects, key)
	owner := s.ownerOf(was.object)
	if delete(s.feed.sets[owner], key); len(s.feed.sets[owner]) == 0 {
		delete(s.feed.sets, owner)
	}
}

// answered takes the answer to a request.
func (h *Watches) answered(s *stream, object *partialObject) {
	if s.overtook(object) {
		return
	}
	key := keyOf(object)
	was := s.feed.objects[key]
	s.put(key, &fed{object, was != nil && was.told})
	h.tellLoss(s, was, object)
}

// overtook tells whether the stream, or another's answer, has told of the time of an answer already, or of a later one: what
// it then does not know is gone. Where resourceVersions are no numbers, only the stream counts.
func (s *stream) overtook(answer *partialObject) bool {
	if is := s.feed.objects[keyOf(answer)]; is != nil && !older(is.object.ResourceVersion, answer.ResourceVersion) {
		return true
	}
	return s.listed && s.feed.at != "" && !older(s.feed.at, answer.ResourceVersion)
}

// ask has the Watch know of the object what the stream has told.
func (w *Watch) ask(s *stream, key Ref) {
	is := s.feed.objects[types.NamespacedName{Namespace: key.Namespace, Name: key.Name}]
	if key == parentKey {
		is = s.feed.objects[types.NamespacedName{Namespace: w.id.Namespace, Name: w.id.Name}]
	}
	if is == nil || s.ownerOf(is.object) != w.label {
		w.sightings[key] = &sighting{version: s.feed.at, by: s}
		return
	}
	w.sightings[key] = &sighting{object: is.object, version: is.object.ResourceVersion, by: s}
}

// reached notes how far the stream has told all. What a LIST tells has older versions than itself.
func (f *feed) reached(version string) {
	if order, err := resourceversion.CompareResourceVersion(f.at, version); err != nil || order < 0 {
		f.at = version
	}
}

// see takes an event of a stream and tells it to those whom it is about.
func (h *Watches) see(ctx context.Context, s *stream, e event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[kindOf(s.resource, s.labels)] != s {
		return context.Cause(ctx) // nobody has the kind any more
	}
	switch e.what {
	case eventListed:
		h.seeListed(s, e.at)
	case eventPresent:
		h.seePresent(s, e.object)
	case eventGone:
		h.seeGone(s, e)
	}
	return nil
}

func (h *Watches) seePresent(s *stream, o metav1.Object) {
	object, ok := o.(*partialObject)
	if !ok {
		return
	}
	key := keyOf(object)
	s.feed.reached(object.ResourceVersion)
	was := s.feed.objects[key]
	switch {
	case was != nil && older(object.ResourceVersion, was.object.ResourceVersion):
		was.told = true // the event of what was answered is on its way
		return
	case was != nil && was.object.ResourceVersion == object.ResourceVersion && was.object.UID == object.UID:
		was.told, object = true, was.object
	default:
		object = h.shared.trimmed(object)
		s.put(key, &fed{object, true})
	}
	h.tellLoss(s, was, object)
	h.tell(s, s.ownerOf(object), event{what: eventPresent, object: object})
}

// tellLoss tells a set of an object that was its own, and is now another's.
func (h *Watches) tellLoss(s *stream, was *fed, now *partialObject) {
	if was != nil && s.ownerOf(was.object) != s.ownerOf(now) {
		h.tell(s, s.ownerOf(was.object), event{what: eventGone, object: now})
	}
}

func (h *Watches) seeGone(s *stream, e event) {
	key := keyOf(e.object)
	s.feed.reached(e.object.GetResourceVersion())
	was := s.feed.objects[key]
	if was == nil {
		h.tell(s, s.ownerOf(e.object), e)
		return
	}
	if older(e.object.GetResourceVersion(), was.object.ResourceVersion) {
		was.told = false // an answer tells that it came back
	} else {
		s.drop(key)
	}
	h.tell(s, s.ownerOf(was.object), e)
}

// seeListed takes it that all is gone that the stream did not tell, but for what was answered since.
func (h *Watches) seeListed(s *stream, at string) {
	s.listed, s.feed.at, s.feed.absent = true, at, at == ""
	for key, is := range s.feed.objects {
		if !is.told && !older(at, is.object.ResourceVersion) {
			s.drop(key)
			h.tell(s, s.ownerOf(is.object), event{what: eventGone, object: &partialObject{
				ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, ResourceVersion: at}}})
		}
	}
	for w := range s.feed.users { // which takes the same of its own
		w.hear(s, event{what: eventListed, at: at})
	}
	h.wake()
}

// tell tells those that follow the set.
func (h *Watches) tell(s *stream, label string, e event) {
	for _, w := range h.sets[label] {
		if w.streams[s.following] == s {
			w.hear(s, e)
		}
	}
}
