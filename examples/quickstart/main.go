// Command quickstart shows desired state on its way from a Git repository and from a bucket into a Kubernetes cluster, all
// of them real and all on this machine:
//
//	go run ./examples/quickstart
//
// With an origin of your own it applies that, keeps it so until it is interrupted, and leaves it there:
//
//	go run ./examples/quickstart -git https://github.com/stefanprodan/podinfo -branch master -path kustomize -kubeconfig ~/.kube/config
//	go run ./examples/quickstart -endpoint s3.eu-central-1.amazonaws.com -bucket my-manifests -path deploy -kubeconfig ~/.kube/config
//
// Credentials come from GIT_USERNAME and GIT_PASSWORD, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

type flags struct {
	git, branch, path string

	endpoint, bucket, region   string
	kubeconfig, namespace, set string
	interval                   time.Duration
	once, plain                bool
}

func main() {
	var f flags
	flag.StringVar(&f.git, "git", "", "`URL` of a Git repository of yours")
	flag.BoolVar(&f.plain, "allow-plain-http", false, "let Git's credentials go over http://")
	flag.StringVar(&f.branch, "branch", "", "its `branch`; without it, the one that its HEAD is")
	flag.StringVar(&f.path, "path", ".", "`folder` of the kustomization, or of manifests, in the repository or bucket")
	flag.StringVar(&f.endpoint, "endpoint", "", "S3 `endpoint` of a bucket of yours: host:port or URL")
	flag.StringVar(&f.bucket, "bucket", "", "its `name`")
	flag.StringVar(&f.region, "region", "", "`region` of the bucket, where the endpoint does not say it and it is not us-east-1")
	flag.StringVar(&f.kubeconfig, "kubeconfig", "", "`file` of a cluster of yours; without it, one is started and ends with this program")
	flag.StringVar(&f.namespace, "namespace", "", "`namespace` of the inventory, and of objects that name none")
	flag.StringVar(&f.set, "set", "", "`name` of the set, and so of its inventory: what a set of this name had before is pruned")
	flag.DurationVar(&f.interval, "interval", 30*time.Second, "time between rounds")
	flag.BoolVar(&f.once, "once", false, "end after the first round of an origin of yours")
	flag.Usage = usage
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, f); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		stop()
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Shows desired state on its way from a Git repository and from a bucket into a cluster, all started for this:
  quickstart
Applies your own, keeps it so until it is interrupted, and leaves it there:
  quickstart -git URL [-branch B] [-path P] [-kubeconfig F]
  quickstart -endpoint E -bucket B [-path P] [-kubeconfig F]
Credentials come from GIT_USERNAME and GIT_PASSWORD, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.

`)
	flag.PrintDefaults()
}

// own tells whether there is an origin of the user's.
func (f *flags) own() bool { return f.git+f.endpoint+f.bucket != "" }

// complete checks the flags and fills in what follows from the others. Each origin has a set of its own, or one would
// prune what another has applied.
func (f *flags) complete() error {
	switch {
	case flag.Parsed() && flag.NArg() > 0:
		return fmt.Errorf("what is %q? see -h", flag.Arg(0))
	case f.git != "" && f.endpoint+f.bucket != "":
		return errors.New("-git excludes -endpoint and -bucket")
	case f.git == "" && f.own() && (f.endpoint == "" || f.bucket == ""):
		return errors.New("a bucket needs both -endpoint and -bucket")
	case !f.own() && f.once:
		return errors.New("-once is for an origin of your own: -git, or -endpoint and -bucket")
	case !f.own() && f.kubeconfig != "" && f.namespace == "":
		return errors.New("the demonstration makes objects with the name hello and deletes them: say in which -namespace of your cluster")
	}
	if f.namespace == "" {
		f.namespace = "default"
	}
	if f.set == "" {
		sum := sha256.Sum256([]byte(f.git + " " + f.branch + " " + f.endpoint + " " + f.bucket + " " + f.path))
		f.set = "quickstart-" + hex.EncodeToString(sum[:4])
	}
	return nil
}

// run does what the flags say. The servers that it starts end with it.
func run(ctx context.Context, out io.Writer, f flags) (err error) {
	if err := f.complete(); err != nil {
		return err
	}
	p := newPrinter(out)
	config, closeCluster, err := cluster(ctx, f, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCluster()) }()
	if f.own() {
		return keep(ctx, p, config, f)
	}
	return demonstrate(ctx, p, config, f)
}

// cluster returns the cluster of the kubeconfig, or one of our own.
func cluster(ctx context.Context, f flags, p *printer) (*rest.Config, func() error, error) {
	if f.kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
		if err != nil {
			return nil, nil, fmt.Errorf("reading -kubeconfig: %w", err)
		}
		p.note("cluster", config.Host)
		return config, func() error { return nil }, nil
	}
	start := time.Now()
	server, err := testbed.StartKubernetes(ctx, testbed.KubernetesOptions{Controllers: true})
	if err != nil {
		return nil, nil, err
	}
	p.note("cluster", fmt.Sprintf("%s, kube-apiserver 1.36 started for this (%s)", server.Config.Host, short(time.Since(start))))
	return server.Config, server.Close, nil
}
