package bucket_test

import (
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// What Fetch's and KeepPrefix's comments say: a revision is of keys, and says nothing of how files are called.
func TestKeepPrefixIsNotInTheRevision(t *testing.T) {
	d := &memoryDriver{objects: map[string]string{"prod/a": "1"}}
	known := fetch(t, newSource(t, bucket.Options{Driver: d, Prefix: "prod"}), source.Revision{}).Revision
	whole := newSource(t, bucket.Options{Driver: d, Prefix: "prod", KeepPrefix: true})
	if _, err := whole.Fetch(t.Context(), known); err != source.ErrNotModified {
		t.Errorf("got %v", err)
	}
	if got := names(t, fetch(t, whole, source.Revision{})); len(got) != 1 || got[0] != "prod/a" {
		t.Errorf("got %q", got)
	}
}
