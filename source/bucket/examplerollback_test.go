package bucket_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A switchable is what a reconcile.Loop has as its Source where somebody can roll back while it runs. Present and past have
// the same Options but for AsOf, so a revision of the one is one of the other, too, and the loop sees that it has changed.
type switchable struct {
	opts    bucket.Options // with a Cache, so that what both have is read once
	present *bucket.Source
	past    atomic.Pointer[bucket.Source] // nil: the present
}

func newSwitchable(opts bucket.Options) (*switchable, error) {
	present, err := bucket.New(opts)
	return &switchable{opts: opts, present: present}, err
}

// Fetch implements source.Source.
func (s *switchable) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	if past := s.past.Load(); past != nil {
		return past.Fetch(ctx, known)
	}
	return s.present.Fetch(ctx, known)
}

// Back goes to before the last change, until Forward. Loop.Trigger has a loop fetch at once.
func (s *switchable) Back(ctx context.Context) error {
	changes, err := s.present.History(ctx, 1)
	if err != nil {
		return err
	}
	opts := s.opts
	opts.AsOf = changes[0].Before // without an error there is one
	past, err := bucket.New(opts)
	if err == nil {
		s.past.Store(past)
	}
	return err
}

// Forward goes to the present, which somebody has mended by now.
func (s *switchable) Forward() { s.past.Store(nil) }

// How a running loop rolls back: what it has as its Source picks the present or the past.
func Example_rollBack() {
	store := newHistoryStore() // for a bucket with versioning turned on
	store.write("web.yaml", "good")
	ctx := context.Background()
	origin, err := newSwitchable(bucket.Options{Driver: store, Cache: bucket.NewCache(bucket.CacheOptions{})})
	if err != nil {
		log.Fatal(err)
	}
	// loop := &reconcile.Loop{Name: "web", Source: origin, …}
	known := source.Revision{}
	show := func() {
		snapshot, err := origin.Fetch(ctx, known)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer snapshot.Close()
		known = snapshot.Revision
		content, _ := snapshot.ReadFile("web.yaml")
		fmt.Println(string(content))
	}
	show()
	store.after(3600e9).write("web.yaml", "broken")
	show()
	if err := origin.Back(ctx); err != nil { // and loop.Trigger()
		log.Fatal(err)
	}
	show()
	show()
	store.after(3600e9).write("web.yaml", "mended")
	origin.Forward()
	show()
	// Output:
	// good
	// broken
	// good
	// not modified
	// mended
}
