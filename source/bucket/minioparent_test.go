package bucket_test

import (
	"slices"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// What the article says of MinIO: a/b beside an object a is there, and is not listed. Elsewhere the two are an error.
func TestMinIODoesNotListBesideAParent(t *testing.T) {
	b := testbed.MinIO(t)
	must(t, b.Put(t.Context(), "a", []byte("1")))
	must(t, b.Put(t.Context(), "a/b", []byte("2")))
	if got := names(t, fetch(t, newSource(t, options(b)), source.Revision{})); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q", got)
	}
}
