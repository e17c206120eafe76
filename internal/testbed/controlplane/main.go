// Command controlplane is a Kubernetes control plane in one process, for tests: an embedded etcd, kube-apiserver on
// loopback and, with -controllers, the controllers and the stand-in for a kubelet that make workloads progress.
//
// It prints one line of JSON, its [Ready], on standard output once it can be used. It ends, and removes its files, when
// its standard input ends: so it cannot outlive the process that started it, however that one ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/klog/v2"
)

// Ready is what a client needs to reach the server as a cluster administrator.
type Ready struct {
	Server string `json:"server"` // https://127.0.0.1:port
	CA     []byte `json:"ca"`     // PEM
	Token  string `json:"token"`  // bearer token of a member of system:masters
}

func main() {
	dir := flag.String("dir", "", "an empty folder for all files; removed at the end")
	withControllers := flag.Bool("controllers", false, "run controllers, and mark Pods running")
	apiserverFlags := flag.String("apiserver-flags", "", "further flags for kube-apiserver, separated by spaces")
	verbosity := flag.Int("v", -1, "klog verbosity; below 0 nothing is logged")
	flag.Parse()
	setLog(*verbosity)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	failed := make(chan error, 1)
	go func() { failed <- run(ctx, *dir, *withControllers, strings.Fields(*apiserverFlags)) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	// Nothing in here is worth an orderly end: the files go, and the process with them.
	_ = os.RemoveAll(*dir)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, withControllers bool, apiserverFlags []string) error {
	if dir == "" {
		return fmt.Errorf("-dir is missing")
	}
	etcd, err := startEtcd(dir)
	if err != nil {
		return fmt.Errorf("starting etcd: %w", err)
	}
	server, err := startAPIServer(ctx, dir, etcd, withControllers, apiserverFlags)
	if err != nil {
		return fmt.Errorf("starting kube-apiserver: %w", err)
	}
	if withControllers {
		if err := startControllers(ctx, dir, server); err != nil {
			return fmt.Errorf("starting the controllers: %w", err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(server.ready); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.ended:
		return fmt.Errorf("kube-apiserver ended: %w", err)
	}
}

// setLog silences klog below verbosity 0: kube-apiserver logs errors on every first start that mean nothing.
func setLog(verbosity int) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	if verbosity >= 0 {
		_ = flags.Set("v", fmt.Sprint(verbosity))
		return
	}
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL"} {
		_ = flags.Set(name, value)
	}
	klog.SetOutput(io.Discard)
}
