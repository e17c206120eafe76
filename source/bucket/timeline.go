package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// A timeline is every version of every key under the prefix, deletions among them.
type timeline struct {
	keys     []string   // sorted
	versions [][]Object // of each key, the newest first, and none dated later than the one before it
	events   []event    // the newest first
	// tracked is when the oldest version that has an id was written: versioning was on by then. It is zero if there is none.
	tracked time.Time
	nulls   bool // there are versions without an id, from before versioning or from while it was suspended
}

// An event is that a key was written or deleted. Which version came of it follows from how many events of the key are
// newer.
type event struct {
	at  time.Time
	key int // index in timeline.keys
}

// nullVersion is the id of what is written while versioning is off or suspended. A key has one such version: the next one
// takes its place, and leaves no trace of what it was.
const nullVersion = "null"

// timeline lists all versions.
func (s *Source) timeline(ctx context.Context) (*timeline, error) {
	byKey := make(map[string][]Object)
	count := 0
	for o, err := range s.driver.List(ctx, List{Prefix: s.opts.Prefix, Versions: true}) {
		if err != nil {
			return nil, fmt.Errorf("listing versions, which needs a permission of its own (s3:ListBucketVersions): %w", err)
		}
		if count++; count > s.opts.MaxKeys {
			return nil, &source.LimitError{Option: "Options.MaxKeys", Max: int64(s.opts.MaxKeys)}
		}
		if o.Version == "" {
			return nil, fmt.Errorf("key %q: its versions have no ids to read them by: %w", o.Key, errors.ErrUnsupported)
		}
		byKey[o.Key] = append(byKey[o.Key], o)
	}
	if err := ctx.Err(); err != nil { // a driver's listing may just end then
		return nil, fmt.Errorf("listing the versions: %w", err)
	}
	l := &timeline{keys: slices.Sorted(maps.Keys(byKey)), events: make([]event, 0, count)}
	for i, key := range l.keys {
		versions := inOrder(byKey[key])
		l.versions = append(l.versions, versions)
		for _, o := range versions {
			l.note(o, i)
		}
	}
	slices.SortFunc(l.events, func(a, b event) int {
		// Who uploads many files does it in the order of their keys, so of one time the last key is taken for the newest.
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.key, a.key))
	})
	return l, nil
}

func (l *timeline) note(o Object, key int) {
	l.events = append(l.events, event{o.Modified, key})
	switch {
	case o.Version == nullVersion:
		l.nulls = true
	case l.tracked.IsZero() || o.Modified.Before(l.tracked):
		l.tracked = o.Modified
	}
}

// inOrder puts the newest version of a key first. Amazon and MinIO list them so; others list the deletions after all else,
// so times decide, and of one time the listing's order. The server's word for what is latest counts more than its clock,
// which may have been set back: then a version was replaced by the time of the one that replaced it, and no later.
func inOrder(versions []Object) []Object {
	slices.SortStableFunc(versions, func(a, b Object) int { return b.Modified.Compare(a.Modified) })
	if i := slices.IndexFunc(versions, func(o Object) bool { return o.Latest }); i > 0 {
		latest := versions[i]
		copy(versions[1:], versions[:i])
		versions[0] = latest
	}
	for i := 1; i < len(versions); i++ {
		if versions[i].Modified.After(versions[i-1].Modified) {
			versions[i].Modified = versions[i-1].Modified
		}
	}
	return versions
}

// asOf returns what there was when that time was over.
func (l *timeline) asOf(at time.Time) ([]Object, error) {
	if err := l.tells(at); err != nil {
		return nil, err
	}
	var objects []Object
	for _, versions := range l.versions {
		i := slices.IndexFunc(versions, func(o Object) bool { return !o.Modified.After(at) })
		if i >= 0 && !versions[i].Deleted {
			objects = append(objects, versions[i])
		}
	}
	if len(objects) == 0 {
		return nil, &HistoryError{AsOf: at, Since: l.since(), Reason: "there were no objects, or their versions are not " +
			"there any more: lifecycle rules and people remove old versions"}
	}
	return objects, nil
}

// tells says whether the versions tell what there was at that time. Without versioning deletions leave no trace, so nothing
// is known of the time before it was turned on. While it is suspended they do leave one, and of each key all is known but
// what was in the place of its null version.
func (l *timeline) tells(at time.Time) error {
	switch {
	case !l.nulls:
		return nil
	case l.tracked.IsZero():
		return &HistoryError{AsOf: at, Reason: reasonUnversioned}
	case at.Before(l.tracked.Add(-1)): // but for what Change.Before is of that change: what it replaced is known
		return &HistoryError{AsOf: at, Since: l.tracked, Reason: "that is before the first change with versioning turned " +
			"on, and of what was deleted before it there is no trace; Options.AsOf with the Before of that change, which " +
			"History lists last, gives the state before it"}
	}
	for i, versions := range l.versions {
		for _, o := range versions {
			if o.Version == nullVersion && o.Modified.After(at) {
				return &HistoryError{AsOf: at, Since: o.Modified, Reason: l.unknown(event{o.Modified, i})}
			}
		}
	}
	return nil
}

// since returns when the oldest version was written.
func (l *timeline) since() time.Time {
	if len(l.events) == 0 {
		return time.Time{}
	}
	return l.events[len(l.events)-1].at
}
