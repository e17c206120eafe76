package bucket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A bucket may have more ignore files at once than are kept of other states.
func TestHistoryReadsEachIgnoreFileOnce(t *testing.T) {
	h := newHistoryStore()
	const folders, changes = 300, 4
	for i := range folders {
		h.write(fmt.Sprintf("%03d/.sourceignore", i), fmt.Sprintf("# %03d", i))
	}
	h.write("a", "1")
	for i := range changes {
		h.after(time.Hour).write("000/.sourceignore", fmt.Sprintf("# changed %d times", i), "a", fmt.Sprint("now ", i))
	}
	got, err := h.source(t, nil).History(t.Context(), 0)
	must(t, err)
	if _, gets := h.took(); len(got) != changes+1 || gets != folders+changes {
		t.Errorf("got %d changes by %d reads", len(got), gets)
	}
}

// What Fetch refuses to read, for it is too much, History does not read either.
func TestHistoryReadsNoMoreIgnoreFilesThanFetch(t *testing.T) {
	h := newHistoryStore()
	h.write("a", "1")
	h.after(time.Hour)
	for i := range 10 {
		h.write(fmt.Sprintf("%d/.sourceignore", i), fmt.Sprintf("# %d", i))
	}
	s := h.source(t, func(o *bucket.Options) { o.Limits.MaxFiles = 3 })
	_, err := s.Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrTooLarge, "Limits.MaxFiles")
	h.took()
	got, err := s.History(t.Context(), 1)
	must(t, err)
	if _, gets := h.took(); len(got) != 1 || !got[0].Revision.IsZero() || gets > 3 {
		t.Errorf("got %v by %d reads", got, gets)
	}
}
