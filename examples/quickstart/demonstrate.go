package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/reconcile"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/git"
)

//go:embed app
var app embed.FS

// files returns the application as people have them: a base and an overlay, or a later version of it.
func files(later bool) (map[string][]byte, error) {
	tree, err := fs.Sub(app, "app")
	if err != nil {
		return nil, err
	}
	all := make(map[string][]byte)
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[name], err = fs.ReadFile(tree, name)
		return err
	})
	if later { // another image, and no autoscaler any more
		overlay, base := "overlays/production/kustomization.yaml", "base/kustomization.yaml"
		all[overlay] = []byte(strings.Replace(string(all[overlay]), "newTag: 1.0.0", "newTag: 1.1.0", 1))
		all[base] = []byte(strings.Replace(string(all[base]), "  - hpa.yaml\n", "", 1))
		all["base/hpa.yaml"] = nil
	}
	return all, err
}

// An origin is where a part of the demonstration has its desired state, and how it gets there.
type origin struct {
	source source.Source
	push   func(ctx context.Context, files map[string][]byte) error
	change string // what a push is called
}

// demonstrate goes the whole way twice: from a Git repository, and from a bucket.
func demonstrate(ctx context.Context, p *printer, config *rest.Config, f flags) error {
	f.path, f.interval = "overlays/production", time.Hour // the demonstration says when
	server, err := testbed.StartGit(testbed.GitOptions{})
	if err != nil {
		return err
	}
	defer server.Close()
	store, err := testbed.StartS3(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	fromGit, err := gitOrigin(ctx, p, server)
	if err != nil {
		return err
	}
	fromBucket, err := bucketOrigin(ctx, p, store)
	if err != nil {
		return err
	}
	p.title("From a Git repository")
	if err := show(ctx, p, config, f, fromGit); err != nil {
		return err
	}
	p.title("From a bucket")
	if err := show(ctx, p, config, f, fromBucket); err != nil {
		return err
	}
	p.title("Nothing is left.")
	return nil
}

func gitOrigin(ctx context.Context, p *printer, server *testbed.GitServer) (*origin, error) {
	repository, err := server.NewRepository(ctx, "hello")
	if err != nil {
		return nil, err
	}
	p.note("git", repository.URL()+", branch main, served by git's own http-backend")
	from, err := git.New(repository.URL(), git.Options{Branch: "main"})
	return &origin{source: from, change: "a commit", push: func(ctx context.Context, files map[string][]byte) error {
		_, err := repository.Commit(ctx, files)
		return err
	}}, err
}

func bucketOrigin(ctx context.Context, p *printer, store *testbed.S3Server) (*origin, error) {
	b, err := store.NewBucket(ctx, "hello")
	if err != nil {
		return nil, err
	}
	p.note("bucket", "http://"+store.Endpoint+"/"+b.Name+", served by versitygw")
	from, err := bucket.New(bucket.Options{
		Endpoint: store.Endpoint, Insecure: true, Bucket: b.Name, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
	})
	return &origin{source: from, change: "an upload", push: func(ctx context.Context, files map[string][]byte) error {
		for name, body := range files {
			if body == nil {
				if err := b.Remove(ctx, name); err != nil {
					return err
				}
				continue
			}
			if err := b.Put(ctx, name, body); err != nil {
				return err
			}
		}
		return nil
	}}, err
}

// A show is one origin's part of the demonstration: a loop that runs, and what is done to it.
type shown struct {
	*printer
	loop   *reconcile.Loop
	rounds chan round
}

// A round is what the loop did since it was triggered.
type round struct {
	applied reconcile.Applied
	err     error
}

func show(ctx context.Context, p *printer, config *rest.Config, f flags, from *origin) error {
	applier, err := apply.New(config, apply.Options{})
	if err != nil {
		return err
	}
	cluster, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	s := &shown{printer: p, loop: newLoop(applier, from.source, f), rounds: make(chan round, 16)}
	s.loop.OnEvent = s.listen
	first, err := files(false)
	if err != nil {
		return err
	}
	if err := from.push(ctx, first); err != nil {
		return err
	}
	runCtx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.loop.Run(runCtx) }()
	err = s.stages(ctx, cluster, f, from)
	cancel()
	<-ended
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Minute) // also after a failure, and after Ctrl-C
	defer cancel()
	return errors.Join(err, tearDown(ctx, p, applier, cluster, f))
}

// listen passes on what each round came to. The channel has room for more rounds than there are.
func (s *shown) listen(e reconcile.Event) {
	switch e := e.(type) {
	case reconcile.Applied:
		if e.Result.Count(apply.Failed, apply.Skipped) > 0 {
			return // Failed follows, and says why
		}
		s.rounds <- round{applied: e}
	case reconcile.Failed:
		s.rounds <- round{err: fmt.Errorf("%s: %w", e.Stage, e.Err)}
	}
}

var services = schema.GroupVersionResource{Version: "v1", Resource: "services"}

func (s *shown) stages(ctx context.Context, cluster metadata.Interface, f flags, from *origin) error {
	later, err := files(true)
	if err != nil {
		return err
	}
	nothing := func() error { return nil }
	for _, stage := range []struct {
		what string
		do   func() error
	}{
		{"first apply", nil},
		{"nothing has changed", nothing},
		{from.change + " changes one object and drops another", func() error { return from.push(ctx, later) }},
		{"the Service, deleted by hand, is restored", func() error {
			return cluster.Resource(services).Namespace(f.namespace).Delete(ctx, "hello", metav1.DeleteOptions{})
		}},
	} {
		start := time.Now()
		if stage.do != nil {
			if err := stage.do(); err != nil {
				return fmt.Errorf("%s: %w", stage.what, err)
			}
			start = time.Now()
			s.loop.Trigger()
		}
		select {
		case r := <-s.rounds:
			if r.err != nil {
				return fmt.Errorf("%s: %w", stage.what, r.err)
			}
			s.stage(stage.what, r.applied.Revision, r.applied.Result, time.Since(start))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// left are the kinds that the application has, and what comes of them.
var left = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"}, services, {Version: "v1", Resource: "pods"}, {Version: "v1", Resource: "secrets"},
	{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "replicasets"},
	{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
}

// tearDown deletes the set and looks until nothing of it is there any more.
func tearDown(ctx context.Context, p *printer, applier *apply.Applier, cluster metadata.Interface, f flags) error {
	start := time.Now()
	result, err := applier.Delete(ctx, apply.ID{Namespace: f.namespace, Name: f.set})
	if err != nil {
		return err
	}
	for _, resource := range left {
		if err := awaitNone(ctx, cluster.Resource(resource).Namespace(f.namespace), resource.Resource, f.set); err != nil {
			return err
		}
	}
	p.stage("tear-down", source.Revision{}, result, time.Since(start))
	return nil
}

func awaitNone(ctx context.Context, objects metadata.ResourceInterface, kind, set string) error {
	for {
		list, err := objects.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var there []string
		for _, o := range list.Items {
			ours := o.Labels["app"] == "hello" || o.Labels["app.kubernetes.io/instance"] == "production"
			if ours || kind == "secrets" && o.Name == set {
				there = append(there, o.Name)
			}
		}
		if len(there) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s are still there: %s", kind, strings.Join(there, ", ")), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
