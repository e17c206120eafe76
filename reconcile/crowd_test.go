package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// A ledger checks that what the events of one loop begin ends once.
type ledger struct {
	mu      sync.Mutex
	telling bool
	waits   int
	debts   map[Stage]int // of a Failed that has to follow
	wrong   []string
}

func (l *ledger) note(e Event) {
	l.mu.Lock()
	if l.telling {
		l.wrong = append(l.wrong, "two at once")
	}
	l.telling = true
	switch e := e.(type) {
	case Waiting:
		l.waits++
	case Healthy, Superseded:
		l.waits--
	case Unhealthy:
		l.waits--
		l.debts[Checking]++
	case Applied:
		if len(e.Result.Changes) == 0 {
			l.debts[Applying]++
		}
	case Failed:
		if e.Stage == Applying || e.Stage == Checking {
			l.debts[e.Stage]--
		}
	}
	if l.waits < 0 || l.waits > 1 || l.debts[Applying] < 0 || l.debts[Checking] < 0 {
		l.wrong = append(l.wrong, fmt.Sprintf("%d waits, %v due, after %s", l.waits, l.debts, e))
	}
	l.mu.Unlock()
	time.Sleep(time.Microsecond) // for somebody else to come
	l.mu.Lock()
	l.telling = false
	l.mu.Unlock()
}

// A flakyStore fails by chance, whatever it is asked for.
type flakyStore struct{ *memoryStore }

func byChance(most int) error {
	if rand.IntN(most) == 0 {
		return errors.New("by chance")
	}
	return nil
}

func (s flakyStore) Put(ctx context.Context, r io.Reader, want artifact.Descriptor) error {
	return cmpErr(byChance(5), s.memoryStore.Put(ctx, r, want))
}

func (s flakyStore) Open(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	if err := byChance(5); err != nil {
		return nil, err
	}
	return s.memoryStore.Open(ctx, d)
}

func (s flakyStore) Stat(ctx context.Context, d digest.Digest) (artifact.Descriptor, error) {
	want, err := s.memoryStore.Stat(ctx, d)
	return want, cmpErr(byChance(5), err)
}

func (s flakyStore) Tag(ctx context.Context, name string, d digest.Digest, revision string) error {
	return cmpErr(byChance(5), s.memoryStore.Tag(ctx, name, d, revision))
}

func (s flakyStore) Resolve(ctx context.Context, name string) (artifact.Tagged, error) {
	tagged, err := s.memoryStore.Resolve(ctx, name)
	return tagged, cmpErr(byChance(5), err)
}

// crowdLoop fails, waits and drifts by chance.
func crowdLoop(i int, from source.Source, store Store, books *sync.Map) *Loop {
	s := newShip(fmt.Sprintf("app-%d", i), from)
	s.Store = store
	book := &ledger{debts: make(map[Stage]int)}
	books.Store(s.Loop, book)
	l := s.Loop
	l.OnEvent = func(e Event) {
		book.note(e)
		switch rand.IntN(40) {
		case 0:
			l.Trigger()
		case 1:
			l.Suspend()
		case 2:
			l.Resume()
		case 3:
			_ = l.Pin(l.Status().Applied)
		case 4:
			l.Unpin()
		}
	}
	l.Apply = func(ctx context.Context, r source.Revision, all []*unstructured.Unstructured) (*apply.Result, error) {
		pause(ctx, time.Duration(rand.IntN(2000))*time.Millisecond, nil)
		if err := errors.Join(ctx.Err(), byChance(5)); err != nil {
			return nil, err // which has no changes
		}
		return s.apply(ctx, r, all)
	}
	l.Wait = func(ctx context.Context, _ source.Revision) error {
		pause(ctx, time.Duration(rand.IntN(20))*time.Second, nil)
		return errors.Join(ctx.Err(), byChance(5))
	}
	l.Drift = func(ctx context.Context) ([]apply.Drift, error) {
		pause(ctx, time.Duration(rand.IntN(60))*time.Second, nil)
		return someDrift(), errors.Join(ctx.Err(), byChance(10))
	}
	l.Delete = func(context.Context) (*apply.Result, error) { return nil, byChance(3) }
	l.Interval, l.RetryMax = 10*time.Second, 20*time.Second
	if i%3 == 1 {
		l.DependsOn = []Dependency{{Name: fmt.Sprintf("app-%d", i-1), SameRevision: i%2 == 0}}
	}
	return l
}

func TestACrowdCallsEverythingAtOnce(t *testing.T) {
	n, calls := 150, 100 // of each of the callers
	if testbed.Race {
		n, calls = 60, 40
	}
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("app-%d", i))
		}
		origins := []*fleetOrigin{newFleetOrigin(names...), newFleetOrigin(names...), newFleetOrigin(names...)}
		books, store := new(sync.Map), flakyStore{newMemoryStore()}
		g := &Group{Workers: 3}
		another := func(i int) *Loop { return crowdLoop(i, origins[i%len(origins)], store, books) }
		for i := range n {
			if err := g.Add(another(i)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // lives of the group
			runFleet(t, g, func(g *Group) {
				var callsDone sync.WaitGroup
				for range 8 {
					callsDone.Go(func() {
						for range calls {
							crowdCall(t, g, rand.IntN(n), origins, another)
							time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
						}
					})
				}
				callsDone.Wait()
			})
		}
		books.Range(func(key, value any) bool {
			l, book := key.(*Loop), value.(*ledger)
			if book.waits != 0 || book.debts[Applying] != 0 || book.debts[Checking] != 0 || len(book.wrong) > 0 {
				t.Errorf("%s: %d waits that do not end, %v due, %q", l.Name, book.waits, book.debts, book.wrong)
			}
			return true
		})
		for _, o := range origins {
			o.wantClosed(t)
		}
	})
}

func crowdCall(t *testing.T, g *Group, i int, origins []*fleetOrigin, another func(int) *Loop) {
	name := fmt.Sprintf("app-%d", i)
	l, there := g.Loop(name)
	if !there {
		_ = g.Add(another(i)) // or another caller has
		return
	}
	o := origins[i%len(origins)]
	switch rand.IntN(12) {
	case 0, 1, 2:
		o.commit(name, fmt.Sprint(rand.IntN(100)))
	case 3:
		down := errors.New("down")
		if rand.IntN(3) > 0 {
			down = nil
		}
		o.set(func() { o.down = down })
	case 4:
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3))*time.Second)
		_ = g.Remove(ctx, name, Removal(rand.IntN(2)))
		cancel()
	case 5:
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3))*time.Second)
		_ = g.Replace(ctx, another(i))
		cancel()
	case 6:
		g.TriggerSource(func(*Loop) bool { return rand.IntN(2) == 0 })
	case 7:
		g.Status()
	case 8:
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(30))*time.Second)
		_ = l.Once(ctx)
		cancel()
	case 9:
		_ = l.Pin(o.commit(name, "pinned"))
	case 10:
		l.Suspend()
	case 11:
		l.Unpin()
		l.Resume()
	}
}
