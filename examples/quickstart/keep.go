package main

import (
	"context"
	"errors"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/kustomize"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/git"
)

// newLoop wires the packages together: this is what a program of your own does.
func newLoop(applier *apply.Applier, origin source.Source, f flags) *reconcile.Loop {
	id := apply.ID{Namespace: f.namespace, Name: f.set}
	return &reconcile.Loop{
		Name:     f.set,
		Source:   origin,
		Interval: f.interval,
		Build:    (&kustomize.Builder{Dir: f.path}).Build,
		Apply: func(ctx context.Context, _ source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
			return applier.Apply(ctx, apply.Set{ID: id, Objects: objects})
		},
	}
}

// keep applies an origin of the user's own, and keeps it so until ctx ends.
func keep(ctx context.Context, p *printer, config *rest.Config, f flags) error {
	origin, err := ownOrigin(f)
	if err != nil {
		return err
	}
	applier, err := apply.New(config, apply.Options{})
	if err != nil {
		return err
	}
	loop := newLoop(applier, origin, f)
	loop.OnEvent = p.event
	if f.once {
		loop.OnEvent = func(e reconcile.Event) {
			if _, failed := e.(reconcile.Failed); !failed { // its error is returned
				p.event(e)
			}
		}
		return loop.Once(ctx)
	}
	if err := loop.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func ownOrigin(f flags) (source.Source, error) {
	if f.git != "" {
		return git.New(f.git, git.Options{
			Branch: f.branch, Username: os.Getenv("GIT_USERNAME"), Password: os.Getenv("GIT_PASSWORD"), AllowPlainHTTP: f.plain,
		})
	}
	return bucket.New(bucket.Options{
		Endpoint: f.endpoint, Bucket: f.bucket, Region: f.region,
		AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN"),
	})
}
