package bucket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// A Change is what was written and deleted in a versioned bucket without a pause of Options.ChangeGap.
type Change struct {
	// Time is when the last of it happened, by the store's clock. As Options.AsOf it gives the state after the change.
	Time time.Time
	// Began is when the first of it happened.
	Began time.Time
	// Before is the last moment before Began. As Options.AsOf it gives the state before the change, which is the way back
	// that works also where Revision is zero.
	Before time.Time
	// Revision is that of the state after the change. As Options.Before it gives the state before the change. It is zero
	// where there was nothing then, as after a deletion of everything, or an ignore file over the limits. The zero
	// Options.Before is the same as none, so whoever takes it from here looks at it, or uses Before. Other limits, and keys
	// that are no paths, are found when a state is fetched.
	Revision source.Revision
	// Keys are what differs between the states before and after, sorted by key.
	Keys []KeyChange
}

// A KeyChange says that one key came, has other content, or went.
type KeyChange struct {
	Key string
	// Deleted says that the key was there before the change and is not there after it: it was deleted, or is ignored.
	Deleted bool
}

// A HistoryError says that the versions which a bucket has do not tell the state that was asked for. It is a
// [source.ErrNotFound].
type HistoryError struct {
	AsOf   time.Time       // Options.AsOf, if that was asked for
	Before source.Revision // Options.Before, if that was
	Since  time.Time       // how far back the versions tell, or were looked at; zero: not at all
	Looked int             // at how many states, on the way back to Before
	Reason string
}

// Error says what was asked for, how far was looked, and what to do.
func (e *HistoryError) Error() string {
	var text strings.Builder
	switch {
	case !e.AsOf.IsZero():
		fmt.Fprintf(&text, "the state as of %s is %v", stamp(e.AsOf), source.ErrNotFound)
	case !e.Before.IsZero():
		fmt.Fprintf(&text, "the state before revision %s is %v: looked at %s", e.Before, source.ErrNotFound,
			map[bool]string{true: "1 state", false: fmt.Sprintf("%d states", e.Looked)}[e.Looked == 1])
	default:
		fmt.Fprintf(&text, "the history is %v", source.ErrNotFound)
	}
	if !e.Since.IsZero() {
		fmt.Fprintf(&text, ", back to %s", stamp(e.Since))
	}
	return text.String() + ": " + e.Reason
}

// Unwrap returns source.ErrNotFound.
func (e *HistoryError) Unwrap() error { return source.ErrNotFound }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

const reasonUnversioned = "no object under the prefix has versions: versioning is off, or nothing was written since it " +
	"was turned on; turn it on, and the bucket has a history from then on"

// History returns the last changes, the newest first, so that somebody can choose where to go back to; at most so many, or
// Options.MaxChanges if most is not positive. It costs one request for every thousand versions under the prefix, and one
// for each .sourceignore file that was not read before. Options.AsOf and Before make no difference to it.
//
// A bucket of which no change is known is a [*HistoryError]. Where versioning was turned on later, the oldest change is the
// first one since then.
func (s *Source) History(ctx context.Context, most int) ([]Change, error) {
	defer s.use()()
	if most <= 0 {
		most = s.opts.MaxChanges
	}
	for range maxListings {
		changes, err := s.history(ctx, most)
		if errors.Is(err, ErrMoved) {
			continue
		}
		if err != nil {
			return nil, s.failed(ctx, "reading the history", err)
		}
		return changes, nil
	}
	return nil, s.failed(ctx, "reading the history", &source.TemporaryError{Err: ErrMoved})
}

func (s *Source) history(ctx context.Context, most int) ([]Change, error) {
	kept := make(contents)
	defer func() { s.keepIgnoreFiles(kept) }()
	l, err := s.timeline(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.walk(ctx, l, kept)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for len(changes) < most && !w.ends() {
		change, err := w.change(ctx)
		if err != nil {
			return nil, err
		}
		if len(change.Keys) > 0 {
			changes = append(changes, change)
		}
	}
	if len(changes) == 0 {
		return nil, &HistoryError{Since: l.since(), Reason: w.end()}
	}
	return changes, nil
}

// change goes to the state before a change. One that made no difference in the end has no keys.
func (w *walk) change(ctx context.Context) (Change, error) {
	after, err := w.digest(ctx)
	if err != nil {
		return Change{}, err
	}
	c := Change{Time: w.events[w.next].at, Revision: after}
	own := w.ownTag()
	w.was = make(map[int]string)
	for more := true; more; more = !w.rests() {
		if _, err := w.step(ctx); err != nil {
			return Change{}, err
		}
	}
	c.Began, c.Before = w.undone, w.undone.Add(-1)
	for key, was := range w.was {
		if was != w.tags[key] {
			c.Keys = append(c.Keys, KeyChange{Key: w.keys[key], Deleted: was == ""})
		}
	}
	if len(c.Keys) > 0 && w.ownTag() != own {
		c.Keys = append(c.Keys, KeyChange{Key: source.IgnoreFile, Deleted: own == ""})
	}
	slices.SortFunc(c.Keys, func(a, b KeyChange) int { return strings.Compare(a.Key, b.Key) })
	return c, nil
}

// ownTag is the ETag of the bucket's own ignore file, if it has one.
func (w *walk) ownTag() string {
	if w.own >= 0 {
		if o, ok := w.object(w.own); ok {
			return o.ETag
		}
	}
	return ""
}

// end says why a walk goes no further.
func (w *walk) end() string {
	switch {
	case len(w.keys) == 0:
		return w.s.reasonNoVersions()
	case w.nulls && w.tracked.IsZero():
		return reasonUnversioned
	case w.next < len(w.events):
		return w.unknown(w.events[w.next])
	}
	return "the versions go back no further: lifecycle rules and people remove old ones"
}

func (s *Source) reasonNoVersions() string {
	if s.opts.Prefix == "" {
		return "the bucket has no version of any key"
	}
	return fmt.Sprintf("no version of any key is under Options.Prefix, %q, which is case-sensitive and names a folder and "+
		"no object", s.opts.Prefix)
}

// unknown says that what a version without an id replaced is not known.
func (l *timeline) unknown(e event) string {
	how := "off"
	if e.at.After(l.tracked) {
		how = "suspended"
	}
	text := fmt.Sprintf("key %q was written at %s with versioning %s, and what that replaced is not known", l.keys[e.key],
		stamp(e.at), how)
	if l.versions[l.events[0].key][0].Version == nullVersion { // what was written last
		text += ": turn versioning on and leave it on"
	}
	return text
}

// objectsAsOf returns what there was at the time that Options.AsOf names.
func (s *Source) objectsAsOf(ctx context.Context) ([]Object, error) {
	l, err := s.timeline(ctx)
	if err != nil {
		return nil, err
	}
	if len(l.keys) == 0 {
		return nil, &HistoryError{AsOf: s.opts.AsOf, Reason: s.reasonNoVersions()}
	}
	return l.asOf(s.opts.AsOf)
}

// objectsBefore returns what there was before the change that led to the revision which Options.Before names.
func (s *Source) objectsBefore(ctx context.Context, kept contents) ([]Object, error) {
	l, err := s.timeline(ctx)
	if err != nil {
		return nil, err
	}
	w, err := s.walk(ctx, l, kept)
	if err != nil {
		return nil, err
	}
	if err := w.back(ctx, s.opts.Before); err != nil {
		return nil, err
	}
	return w.objects(), nil
}

// back goes to the newest state of a revision, and on to the one before the change that led there. A revision from the
// middle of an upload is found, too, for it may have been fetched; the state before it is not from the middle of one.
func (w *walk) back(ctx context.Context, revision source.Revision) error {
	found := false
	for {
		if !found || w.rests() {
			now, err := w.digest(ctx)
			switch {
			case err != nil:
				return err
			case now == revision:
				found = true
			case found && !now.IsZero():
				return nil
			case w.digests >= w.s.opts.MaxChanges:
				return w.lost(revision, found, "Options.MaxChanges sets that limit: raise it, or set AsOf to a time that History "+
					"tells")
			}
		}
		more, err := w.step(ctx)
		if err != nil {
			return err
		}
		if !more {
			return w.lost(revision, found, w.end())
		}
	}
}

func (w *walk) lost(revision source.Revision, found bool, reason string) error {
	switch {
	case found:
		reason = "that revision is of the oldest state that is told: " + reason
	case reason != reasonUnversioned:
		reason = "none of these has that revision, which may be of another Options.Prefix, Ignore or NoIgnoreFiles, or older " +
			"than the versions tell, or from the middle of an upload: " + reason
	}
	return &HistoryError{Before: revision, Since: w.undone, Looked: w.digests, Reason: reason}
}
