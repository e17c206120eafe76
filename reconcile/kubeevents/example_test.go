package kubeevents_test

import (
	"context"
	"log"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/reconcile/kubeevents"
)

// An operator whose loops stand for objects of its own kind, and are named for them.
func Example() {
	objects := make(map[string]kubeevents.Object) // by the loops' names
	run := func(ctx context.Context, config *rest.Config, loops ...*reconcile.Loop) error {
		recorder, err := kubeevents.New(config, kubeevents.Options{
			Controller: "gitops.example.com/operator",
			Regarding: func(e reconcile.Event) (kubeevents.Object, bool) {
				object, ok := objects[e.LoopName()]
				return object, ok
			},
			OnError: func(err error) { log.Println(err) },
		})
		if err != nil {
			return err
		}
		group := &reconcile.Group{OnEvent: recorder.Observe}
		for _, l := range loops {
			if err := group.Add(l); err != nil {
				return err
			}
		}
		var posting sync.WaitGroup
		posting.Go(func() { recorder.Run(ctx) })
		defer posting.Wait() // for what is posted last
		return group.Run(ctx)
	}
	_ = run
}
