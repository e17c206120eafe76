package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

// A namedOrigin has a text, and may leave out a file, of which its revisions do not tell.
type namedOrigin struct {
	*fleetOrigin
	text, without string
}

func (o namedOrigin) String() string { return o.text }

func (o namedOrigin) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	s, err := o.fleetOrigin.Fetch(ctx, known)
	if err != nil || o.without == "" {
		return s, err
	}
	files := fstest.MapFS{}
	for _, name := range sortedKeys(o.files) {
		if name != o.without {
			files[name] = o.files[name]
		}
	}
	defer s.Close()
	return source.NewSnapshot(files, s.Revision), nil
}

// pinAll pins the loops to a revision, and tells what that has applied.
func pinAll(t *testing.T, ships []*ship, revision source.Revision) []string {
	t.Helper()
	var bodies []string
	for _, s := range ships {
		if err := s.Pin(revision); err != nil {
			t.Fatal(err)
		}
		later(time.Second)
		if status := s.Status(); status.Applied.Digest != revision.Digest || status.Reason != ReasonPinned {
			t.Errorf("%s is at %s: %q, %v", s.Name, status.Applied, status.Reason, status.Err)
		}
		all := s.applies()
		body, _, _ := strings.Cut(all[len(all)-1], " ")
		bodies = append(bodies, body)
	}
	return bodies
}

// stored returns loops that have one store.
func stored(store Store, from source.Source, names ...string) []*ship {
	ships := make([]*ship, len(names))
	for i, name := range names {
		ships[i] = newShip(name, from).watched()
		ships[i].Store = store
	}
	return ships
}

func TestManyLoopsArePinnedToACommitThatChangedOneOfThem(t *testing.T) {
	for text, tags := range map[string][]int{ // of the loops' own names, and names
		"https://git.example/fleet": {2, 3, 1, 4}, "": {4, 4, 4, 3}} {
		synctest.Test(t, func(t *testing.T) {
			o := newFleetOrigin("a", "b", "c")
			store := newMemoryStore()
			from := namedOrigin{fleetOrigin: o, text: text}
			ships := stored(store, from, "a", "b", "c")
			second := source.Revision{}
			sail(t, ships, func(*Group) {
				second = o.commit("a", "2")
				later(time.Minute)
				o.commit("b", "3")
				later(time.Minute)
				want(t, "packed", store.puts, 3)
				want(t, "pinned", pinAll(t, ships, second), []string{"2", "1", "1"})
			})
			want(t, "tags", []int{len(store.tags["a"]), len(store.tags["b"]), len(store.tags["c"]), len(store.tags)}, tags)

			again := stored(store, from, "a", "b", "c")
			sail(t, again, func(*Group) { want(t, "after a restart", pinAll(t, again, second), []string{"2", "1", "1"}) })
			o.wantClosed(t)
		})
	}
}

func TestSourcesOfOneTextDoNotGiveOneAnothersContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a", "b")
		store := newMemoryStore()
		all := namedOrigin{fleetOrigin: o, text: "it"}
		part := namedOrigin{fleetOrigin: o, text: "it", without: "b"}
		b := stored(store, all, "b")[0]
		a := stored(store, part, "a")[0]
		first := o.revision()
		sail(t, []*ship{a, b}, func(*Group) {
			o.commit("a", "2")
			later(2 * time.Minute)
			want(t, "in one group", pinAll(t, []*ship{a, b}, first), []string{"1", "1"})
		})
		want(t, "names", len(store.tags), 2)

		third := o.commit("c", "3")
		for _, s := range []*ship{stored(store, part, "a")[0], stored(store, all, "b")[0]} {
			sail(t, []*ship{s}, func(*Group) {})
		}
		o.commit("b", "4")
		b = stored(store, all, "b")[0]
		store.tags["b"] = nil // so that it is not the loop's own
		sail(t, []*ship{b}, func(*Group) {
			if err := b.Pin(third); err != nil {
				t.Fatal(err)
			}
			later(time.Second)
			if err := b.Status().Err; !errors.Is(err, ErrNoRevision) {
				t.Errorf("in groups of their own: %v", err)
			}
		})
	})
}

func TestAPinThatIsNowhereSaysWhereItWasLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, other := newFleetOrigin("a"), newFleetOrigin("a", "other")
		at := func(source.Revision) (source.Source, error) { return other, nil }
		missing := source.Revision{Digest: o.revision().Digest.Algorithm().FromString("x")}
		for _, c := range []struct {
			store Store
			at    func(source.Revision) (source.Source, error)
			says  []string
		}{
			{newMemoryStore(), nil, []string{"the Store has no such revision", "Loop.At is not set", o.revision().String()}},
			{newMemoryStore(), at, []string{"the Store has no such revision", "by Loop.At has " + other.revision().String()}},
			{nil, at, []string{"Loop.Store is not set", "by Loop.At has " + other.revision().String()}},
		} {
			s := newShip("a", o).watched()
			s.Store, s.At = c.store, c.at
			sail(t, []*ship{s}, func(*Group) {
				if err := s.Pin(missing); err != nil {
					t.Fatal(err)
				}
				later(time.Second / 2)
				err := s.Status().Err
				if !errors.Is(err, ErrNoRevision) || slices.ContainsFunc(c.says, func(text string) bool {
					return !strings.Contains(err.Error(), text)
				}) {
					t.Errorf("the error is %v, want %q in it", err, c.says)
				}
			})
		}
	})
}

func TestAStoreThatFailsIsAskedOnceForEachRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFleetOrigin("a", "b", "c", "d")
		store := newMemoryStore()
		store.putErr = errors.New("disk full")
		ships := stored(store, namedOrigin{fleetOrigin: o, text: "it"}, "a", "b", "c", "d")
		sail(t, ships, func(*Group) {
			want(t, "tries", store.tries, 1)
			o.commit("README", "nothing of ours")
			later(time.Minute)
			want(t, "tries", store.tries, 2)
		})
		for _, s := range ships {
			want(t, "told", len(toldOf[NotKept](s)), 2)
		}
	})
}
