package gitopskit_test

import (
	"context"
	"log"
	"os"
	"os/signal"

	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source/git"
)

// A whole program: what a Git repository says is applied, what it no longer says is pruned, and what somebody changes by
// hand is changed back.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	origin, err := git.New("https://github.com/stefanprodan/podinfo", git.Options{Branch: "master"})
	if err != nil {
		log.Fatal(err)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	applier, err := apply.New(config, apply.Options{})
	if err != nil {
		log.Fatal(err)
	}
	loop := &reconcile.Loop{
		Name:    "podinfo",
		Source:  origin,
		Build:   (&kustomize.Builder{Dir: "kustomize"}).Build,
		OnEvent: func(e reconcile.Event) { log.Println(e) },
	}
	set := apply.Set{ID: apply.ID{Namespace: "default", Name: "podinfo-set"}}
	reconcile.NewTarget(applier, set, reconcile.TargetOptions{}).Use(loop)
	log.Println(loop.Run(ctx))
}
