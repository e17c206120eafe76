package apply

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

func TestTheSecondWriterOfShardsHasAConflict(t *testing.T) {
	b := newBench(t, smallShards)
	b.write(sharded(60, 1))
	first, _ := b.read()
	second, _ := b.other().read()
	if err := first.write(t.Context(), sharded(60, 2)); err != nil {
		t.Fatal(err)
	}
	if err := second.write(t.Context(), sharded(60, 3)); !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v, want ErrConflict", err)
	}
	if _, inv := b.read(); !reflect.DeepEqual(inv, sharded(60, 2)) {
		t.Error("the first one's inventory is lost")
	}
	if n := len(b.shards()); n != 8 {
		t.Errorf("there are %d shards, want 4 and 4 that are left over", n)
	}
	b.write(sharded(60, 4))
	b.wantStored(sharded(60, 4))
	stale, _ := b.read()
	b.other().write(sharded(60, 5))
	if err := stale.remove(t.Context()); !errors.Is(err, ErrConflict) {
		t.Errorf("the error of the removal is %v, want ErrConflict", err)
	}
	b.wantStored(sharded(60, 5))
}

// The other writer comes in at each request of a write in turn, and its inventory is whole in the end, whoever won.
func TestShardsOfAnotherWriterAreLeftAlone(t *testing.T) {
	for _, large := range []bool{true, false} {
		for request := 1; ; request++ {
			b := newBench(t, smallShards)
			b.write(sharded(30, 1))
			ours, theirs := sharded(30, 2), sharded(31, 3)
			if !large {
				ours = sharded(2, 2)
			}
			p, _ := b.read()
			var count atomic.Int32
			b.Before = func(*http.Request) error {
				if int(count.Add(1)) == request {
					b.other().write(theirs)
				}
				return nil
			}
			err := p.write(t.Context(), ours)
			b.Before = nil
			_, got := b.read()
			switch {
			case int(count.Load()) < request:
				if request < 5 {
					t.Errorf("only %d requests", request-1)
				}
			case !reflect.DeepEqual(got, theirs) || err != nil && !errors.Is(err, ErrConflict):
				t.Errorf("at request %d, large %v: the inventory has %d objects, %v, want the other's", request, large, len(got.entries), err)
			default:
				b.write(sharded(30, 4))
				b.wantStored(sharded(30, 4))
				continue
			}
			break
		}
	}
}

func TestReaderFollowsAWriterOfShards(t *testing.T) {
	b := newBench(t, smallShards)
	b.write(sharded(60, 1))
	var once atomic.Bool
	b.Before = func(r *http.Request) error {
		if strings.Contains(r.URL.Path, "the-set-inventory") && once.CompareAndSwap(false, true) {
			b.other().write(sharded(60, 2))
		}
		return nil
	}
	if _, inv := b.read(); !reflect.DeepEqual(inv, sharded(60, 2)) {
		t.Error("the inventory is not the one that was written while it was read")
	}
	round := byte(3)
	b.opts.Concurrency = 1
	b.Before = func(r *http.Request) error { // without end
		if strings.Contains(r.URL.Path, "the-set-inventory") {
			round++
			b.other().write(sharded(60, int(round)))
		}
		return nil
	}
	if _, _, err := b.readParent(t.Context(), b.set().ID); !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v, want ErrConflict", err)
	}
}

// A cut connection fails with the nth request and all after it: before the server has it, or after it did it.
type cut struct {
	http.RoundTripper
	request int
	after   bool
	count   atomic.Int32
}

var errCut = errors.New("cut")

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	n := int(c.count.Add(1))
	if n < c.request {
		return c.RoundTripper.RoundTrip(r)
	}
	if n == c.request && c.after {
		if answer, err := c.RoundTripper.RoundTrip(r); err == nil {
			_ = answer.Body.Close()
		}
	}
	return nil, errCut
}

func TestWriteOfShardsCutAtAnyRequestIsDoneOrNot(t *testing.T) {
	empty := newInventory()
	for _, test := range []struct {
		name     string
		was, now *inventory // nil: there is no parent, or is to be none
	}{
		{"first", nil, sharded(30, 1)},
		{"grows", sharded(5, 1), sharded(30, 2)},
		{"changes", sharded(30, 1), changed(sharded(30, 1))},
		{"changes all", sharded(30, 1), sharded(30, 2)},
		{"shrinks", sharded(30, 1), sharded(5, 2)},
		{"goes", sharded(30, 1), nil},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after %v", test.name, after), func(t *testing.T) {
				for request := 1; ; request++ {
					b := newBench(t, Options{shardBytes: smallShards.shardBytes, Concurrency: 1})
					if test.was != nil {
						b.write(test.was)
					}
					through := b.cutOff(&cut{request: request, after: after}, test.now)
					_, got := b.read()
					whole := false
					for _, v := range []*inventory{test.was, test.now, empty} {
						whole = whole || v != nil && reflect.DeepEqual(got, v)
					}
					if lost := len(got.entries) == 0 && test.was != nil && test.now != nil; !whole || lost {
						t.Errorf("cut at request %d: the inventory has %d objects, neither as it was nor as it was to be", request, len(got.entries))
					}
					b.write(sharded(31, 3))
					b.wantStored(sharded(31, 3))
					if through {
						break
					}
				}
			})
		}
	}
}

// cutOff writes the inventory, or removes it, over a connection that is cut, and tells whether it got through.
func (b *bench) cutOff(c *cut, inv *inventory) bool {
	b.t.Helper()
	config := rest.CopyConfig(b.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { c.RoundTripper = next; return c })
	p, _, err := newApplier(b.t, config, b.opts).readParent(b.t.Context(), b.set().ID)
	switch {
	case err == nil && inv == nil:
		err = p.remove(b.t.Context())
	case err == nil:
		err = p.write(b.t.Context(), inv)
	}
	if err != nil && !errors.Is(err, errCut) {
		b.t.Fatal(err)
	}
	return int(c.count.Load()) < c.request
}

// A twice connection sends each PUT twice, as client-go does after an answer that says to try again.
type twice struct{ http.RoundTripper }

func (c twice) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == "PUT" {
		first := r.Clone(r.Context())
		first.Body, _ = r.GetBody()
		answer, err := c.RoundTripper.RoundTrip(first)
		if err != nil {
			return nil, err
		}
		_ = answer.Body.Close()
	}
	return c.RoundTripper.RoundTrip(r)
}

func TestConflictWithItselfKeepsItsShards(t *testing.T) {
	b := newBench(t, smallShards)
	b.write(sharded(30, 1))
	config := rest.CopyConfig(b.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return twice{next} })
	p, _, err := newApplier(t, config, smallShards).readParent(t.Context(), b.set().ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.write(t.Context(), sharded(30, 2)); !errors.Is(err, ErrConflict) {
		t.Errorf("the error is %v, want ErrConflict", err)
	}
	if _, got := b.read(); !reflect.DeepEqual(got, sharded(30, 2)) {
		t.Error("the inventory is not the one that was written")
	}
	b.write(sharded(30, 3))
	b.wantStored(sharded(30, 3))
}

func TestApplyWithShardsCutAtAnyRequestOrphansNothing(t *testing.T) {
	b := newBench(t, Options{shardBytes: 220, Concurrency: 1})
	set := func(value string, names ...string) (objects []*unstructured.Unstructured) {
		for _, name := range names {
			objects = append(objects, configMap(t, name, value))
		}
		return objects
	}
	through := false
	for request := 1; !through; request++ {
		b.apply(set("1", "a", "b", "c", "d", "e", "f")...)
		if n := len(b.shards()); n != 2 {
			t.Fatalf("there are %d shards, want 2", n)
		}
		c := &cut{request: request, after: request%2 == 0}
		config := rest.CopyConfig(b.config)
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { c.RoundTripper = next; return c })
		_, _ = newApplier(t, config, b.opts).Apply(t.Context(), b.set(set("2", "a", "b", "c", "g", "h")...))
		b.wantAllNamed(t, request)
		b.apply(set("3", "a", "d", "g", "i", "j")...)
		_, inv := b.read()
		b.wantStored(inv)
		if got := b.members(); len(got) != 5 || len(inv.entries) != 5 {
			t.Errorf("cut at request %d: then a clean run leaves %v, and %d in the inventory", request, got, len(inv.entries))
		}
		if _, err := b.Delete(t.Context(), b.set().ID); err != nil {
			t.Error(err)
		}
		if left := append(b.members(), b.shards()...); len(left) > 0 || b.exists(b.path("secrets", "the-set")) {
			t.Errorf("cut at request %d: after Delete there is %v", request, left)
		}
		if through = int(c.count.Load()) < request; through && request < 20 {
			t.Errorf("only %d requests", request-1)
		}
	}
}
