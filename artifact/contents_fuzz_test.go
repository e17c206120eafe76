package artifact_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gitopskit/gitopskit/artifact"
)

// FuzzReadContents wants that ReadContents lists an artifact exactly if Open opens
// it, that what it lists is the tree that Open gives, and that both say the same of
// what they refuse.
func FuzzReadContents(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, way uint8, data []byte) {
		opts := artifact.UnpackOptions{Limits: fuzzLimits}
		data, d := artifactOf(t, way, data)
		tree, openErr := artifact.Open(t.Context(), bytes.NewReader(data), d, opts)
		listed, err := artifact.ReadContents(t.Context(), bytes.NewReader(data), d, opts)
		if (openErr == nil) != (err == nil) {
			t.Fatalf("Open says %v, ReadContents says %v", openErr, err)
		}
		if err != nil {
			var opening, reading *artifact.Error
			if !errors.As(openErr, &opening) || !errors.As(err, &reading) || opening.Path != reading.Path ||
				opening.Err.Error() != reading.Err.Error() {
				t.Errorf("Open says %v, ReadContents says %v", openErr, err)
			}
			return
		}
		inTree := contentsOf(t, tree)
		equalContents(t, "tree", inTree, listed)
		if changes := artifact.Diff(inTree, listed); len(changes) != 0 {
			t.Errorf("changes from the tree to its artifact:\n%v", changes)
		}
		if added := artifact.Diff(nil, listed); len(added) != len(listed) || len(added.Under(".")) != len(listed) {
			t.Errorf("%d of %d entries are added to nothing", len(added), len(listed))
		}
	})
}
