package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// walkObjects adds objects to a set, by which a walk finds them.
type walkObjects object.Set

func (s walkObjects) add(t *testing.T, kind object.Kind, body string) object.Hash {
	t.Helper()
	hash, err := object.NewHasher().Sum(kind, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	s[hash] = object.New(kind, []byte(body))
	return hash
}

func (s walkObjects) find(hash object.Hash) (object.Object, bool) {
	o, ok := s[hash]
	return o, ok
}

// walkOver walks through a commit with the tree.
func walkOver(ctx context.Context, t *testing.T, objects walkObjects, tree object.Hash, opts Options) error {
	t.Helper()
	s, err := New("https://example.com/a.git", opts)
	if err != nil {
		t.Fatal(err)
	}
	return s.newWalk(ctx, objects.find).commit(objects.add(t, object.Commit, "tree "+tree.String()+"\n"), s.rules)
}

// To judge what is ignored takes long where there are many rules: the context ends that, too.
func TestWalkEndsWithItsContextAmongWhatIsIgnored(t *testing.T) {
	objects := walkObjects{}
	blob := objects.add(t, object.Blob, "x")
	tree := objects.add(t, object.Tree, "100644 a\x00"+string(blob[:]))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := walkOver(ctx, t, objects, tree, Options{Ignore: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A small repository may have one large folder in any number of places, with nothing in it that counts as a file.
func TestWalkIsBoundedWhereAllIsIgnored(t *testing.T) {
	objects := walkObjects{}
	blob := objects.add(t, object.Blob, "x")
	var large, root strings.Builder
	for i := range 100 {
		fmt.Fprintf(&large, "100644 x%03d\x00%s", i, blob[:])
	}
	folder := objects.add(t, object.Tree, large.String())
	for i := range 100 {
		fmt.Fprintf(&root, "40000 y%03d\x00%s", i, folder[:])
	}
	tree := objects.add(t, object.Tree, root.String())
	size := int64(root.Len() + 100*large.Len())
	opts := Options{Ignore: "x*", Limits: source.Limits{MaxBytes: size}}
	if err := walkOver(t.Context(), t, objects, tree, opts); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	opts.Limits.MaxBytes--
	crossed := new(source.LimitError)
	if err := walkOver(t.Context(), t, objects, tree, opts); !errors.As(err, &crossed) || crossed.Option != "Limits.MaxBytes" {
		t.Errorf("got %v", err)
	}
}
