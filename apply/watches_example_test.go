package apply_test

import (
	"context"
	"log"
	"os"
	"os/signal"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
)

// Keep many sets as they are meant to be, by one watch of each kind that any of them has.
func ExampleApplier_Watches() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	applier, err := apply.New(&rest.Config{Host: "https://cluster.example.com"}, apply.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var sets []apply.Set // a thousand, say
	watches := applier.Watches(ctx)
	defer watches.Close()
	var all sync.WaitGroup
	for _, set := range sets {
		all.Go(func() {
			watch, err := watches.Watch(ctx, set.ID)
			if err != nil {
				log.Println(err)
				return
			}
			defer watch.Close()
			for ctx.Err() == nil {
				if _, err := watch.Apply(ctx, set); err != nil {
					log.Println(err) // and when to try again is for the caller to say
				}
				drifts, err := watch.Drift(ctx) // waits
				log.Println(set.ID, drifts, err)
			}
		})
	}
	all.Wait()
}
