package bucket_test

import (
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// After a deletion of everything there is no revision to go back from, but a time.
func TestChangeTellsTheWayBackFromNothing(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1", "b", "1")
	good := recordHistory(t, h, h.source(t, nil))
	h.after(time.Hour).write("a", "")
	h.after(time.Second).write("b", "")
	changes, err := h.source(t, nil).History(t.Context(), 0)
	must(t, err)
	if len(changes) != 2 || !changes[0].Revision.IsZero() {
		t.Fatalf("got %+v", changes)
	}
	back := h.source(t, func(o *bucket.Options) { o.AsOf = changes[0].Before })
	if got := fetch(t, back, source.Revision{}); got.Revision != good.revision {
		t.Errorf("got %v, want %v", got.Revision, good.revision)
	}
}

// What the first change replaced is known also where versioning was off before it, and what was before that is not.
func TestChangeTellsTheWayBackToBeforeVersioning(t *testing.T) {
	h := newHistoryStore()
	h.mode = "off"
	h.write("a", "1", "b", "1", "c", "1")
	h.after(time.Hour).write("c", "")
	good := recordHistory(t, h, h.source(t, nil))
	h.mode = ""
	h.after(time.Hour).write("a", "2")
	changes, err := h.source(t, nil).History(t.Context(), 0)
	must(t, err)
	if len(changes) != 1 {
		t.Fatalf("got %+v", changes)
	}
	back := h.source(t, func(o *bucket.Options) { o.AsOf = changes[0].Before })
	if got := fetch(t, back, source.Revision{}); got.Revision != good.revision {
		t.Errorf("got %v, want %v", got.Revision, good.revision)
	}
	historyWrong(t, h, func(o *bucket.Options) { o.AsOf = changes[0].Before.Add(-time.Millisecond) }, "versioning")
}
