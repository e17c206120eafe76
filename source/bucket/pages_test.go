package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A Source that has listed the bucket asks for the pages at once, and for no more of them.
func TestPagesAreAskedForAtOnce(t *testing.T) {
	b := testbed.S3(t)
	files := make(map[string][]byte)
	for i := range 2500 {
		files[fmt.Sprintf("f/%04d", i)] = []byte("x")
	}
	must(t, put(t.Context(), b, files))
	recorder := &testbed.Recorder{}
	opts := options(b)
	opts.Transport = recorder
	s := newSource(t, opts)
	known := fetch(t, s, source.Revision{}).Revision
	check := func(what string, lists, atOnce int) {
		t.Helper()
		recorder.Take()
		snapshot, err := s.Fetch(t.Context(), known)
		if err == nil {
			known = snapshot.Revision
			if got := names(t, snapshot); !slices.Equal(got, slices.Sorted(maps.Keys(files))) {
				t.Errorf("%s: got %d files", what, len(got))
			}
		} else if !errors.Is(err, source.ErrNotModified) {
			t.Fatal(err)
		}
		lines := recorder.Take()
		starts := 0
		for _, line := range lines {
			if strings.Contains(line, "start-after=f") && !strings.Contains(line, "continuation-token") {
				starts++
			}
		}
		if got := testbed.Count(lines, "GET /"+b.Name+"/?"); got != lists || starts != atOnce {
			t.Errorf("%s: got %d LISTs, %d of them at once, want %d and %d", what, got, starts, lists, atOnce)
		}
	}
	check("unchanged", 3, 2)
	files["f/0500"] = []byte("y")
	must(t, b.Put(t.Context(), "f/0500", files["f/0500"]))
	check("one changed", 3, 2)
	for _, key := range []string{"f/0999", "f/1999", "f/2499"} { // the last ones of their pages
		delete(files, key)
		must(t, b.Remove(t.Context(), key))
	}
	check("the pages' ends deleted", 3, 2)
	files["f/0000a"] = []byte("new")
	must(t, b.Put(t.Context(), "f/0000a", files["f/0000a"]))
	check("a page has grown", 4, 2)
	check("unchanged again", 3, 2)
}

// An orderedDriver lists as S3 does.
type orderedDriver struct{ memoryDriver }

func (d *orderedDriver) List(ctx context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	var all []bucket.Object
	for o, err := range d.memoryDriver.List(ctx, list) {
		if o.Key > list.After && err == nil {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b bucket.Object) int { return strings.Compare(a.Key, b.Key) })
	return func(yield func(bucket.Object, error) bool) {
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// A sortedDriver lists in order, and everything whatever After is.
type sortedDriver struct{ orderedDriver }

func (d *sortedDriver) List(ctx context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	list.After = ""
	return d.orderedDriver.List(ctx, list)
}

func TestPagesAreAskedForOnceWhereThatIsOfNoUse(t *testing.T) {
	d := &sortedDriver{orderedDriver{memoryDriver{objects: make(map[string]string)}}}
	for i := range 2500 {
		d.objects[fmt.Sprintf("k%04d", i)] = "x"
	}
	s := newSource(t, bucket.Options{Driver: d})
	known := fetch(t, s, source.Revision{}).Revision
	for i, most := range []int{1 + 3, 1, 1} {
		d.lists = 0
		if _, err := s.Fetch(t.Context(), known); err != source.ErrNotModified || d.lists > most {
			t.Errorf("fetch %d: got %v by %d listings", i, err, d.lists)
		}
	}
}

// Whatever came and went since the last listing, and however a store orders it, the content is what there is.
func TestPagesOfBucketsThatChange(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	ordered := &orderedDriver{memoryDriver{objects: make(map[string]string)}}
	shuffled := &memoryDriver{objects: ordered.objects} // a map's order, and everything whatever After is
	sources := []*bucket.Source{newSource(t, bucket.Options{Driver: ordered}), newSource(t, bucket.Options{Driver: shuffled})}
	for round := range 12 {
		for range random.IntN(2500) {
			ordered.objects[fmt.Sprint("k", random.IntN(6000))] = fmt.Sprint(round)
		}
		for range random.IntN(900) {
			delete(ordered.objects, fmt.Sprint("k", random.IntN(6000)))
		}
		if round%4 == 3 {
			for _, key := range slices.Sorted(maps.Keys(ordered.objects)) { // so that all is the same each time
				if random.IntN(3) > 0 {
					delete(ordered.objects, key)
				}
			}
		}
		want := slices.Sorted(maps.Keys(ordered.objects))
		for i, s := range sources {
			if got := names(t, fetch(t, s, source.Revision{})); !slices.Equal(got, want) {
				t.Fatalf("round %d, source %d: got %d keys, want %d", round, i, len(got), len(want))
			}
		}
	}
	if ordered.lists < 30 {
		t.Errorf("only %d listings of parts", ordered.lists)
	}
	opts := bucket.Options{Driver: ordered, MaxKeys: len(ordered.objects) - 1}
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrTooLarge, "Options.MaxKeys")
}
