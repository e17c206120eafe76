// Command operator serves the resources GitRepository, Bucket and Kustomization of Flux's API groups in one process: sources
// become [source.Source] values, Kustomizations loops of a [reconcile.Group], and their statuses what the loops say.
//
//	operator [-kubeconfig file] [-storage folder] [-shards n] [-namespace name]
//
// Several replicas share the work: each resource is of one shard, and a shard is of the replica that holds its Lease.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/gitopskit/gitopskit/artifact"
)

// settings are what the flags say.
type settings struct {
	storage, advertise, listen, namespace, identity string
	shards                                          int
	lease                                           time.Duration
}

func main() {
	var s settings
	host, _ := os.Hostname()
	flag.StringVar(&s.storage, "storage", "/data", "the `folder` that keeps artifacts")
	flag.StringVar(&s.listen, "listen", ":9090", "the `address` at which artifacts are served; empty: they are not")
	flag.StringVar(&s.advertise, "advertise", host+":9090", "the `host:port` of -listen in the URLs of artifacts")
	flag.StringVar(&s.namespace, "namespace", "flux-system", "the `namespace` of the Leases")
	flag.StringVar(&s.identity, "identity", host, "the `name` of this replica, which no other one has")
	flag.IntVar(&s.shards, "shards", 1, "into how many parts the resources are divided; the same for all replicas")
	flag.DurationVar(&s.lease, "lease-duration", 15*time.Second, "how long a replica may be silent before it is dead")
	flag.Parse()
	ctrl.SetLogger(klog.NewKlogr())
	if err := run(ctrl.SetupSignalHandler(), s); err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // the API server has a fairness of its own
	store, err := artifact.Dir(s.storage, artifact.DirOptions{MaxHistory: 2})
	if err != nil {
		return err
	}
	defer store.Close()
	m, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Client:  client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return err
	}
	o := newOperator(m, store, s)
	for _, add := range []func(manager.Manager) error{o.watchSources, o.watchKustomizations, o.shardOut, o.serveArtifacts, o.collectArtifacts} {
		if err := add(m); err != nil {
			return err
		}
	}
	return m.Start(ctx)
}

// serveArtifacts has what status.artifact.url says be true, for other controllers that read artifacts.
func (o *operator) serveArtifacts(m manager.Manager) error {
	if o.listen == "" {
		return nil
	}
	server := &http.Server{Addr: o.listen, Handler: o, ReadHeaderTimeout: 10 * time.Second}
	return m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}))
}

// collectArtifacts removes what no source, and no Kustomization, has been at for the last two revisions.
func (o *operator) collectArtifacts(m manager.Manager) error {
	return m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		for ; ctx.Err() == nil; pause(ctx, time.Hour) {
			if _, err := o.store.GC(ctx, artifact.Keep{History: 2}); err != nil && ctx.Err() == nil {
				log.FromContext(ctx).Error(err, "collecting artifacts")
			}
		}
		return nil
	}))
}
