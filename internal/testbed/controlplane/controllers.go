package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
)

// controllers are those of kube-controller-manager that workloads need to come up, and objects to go away.
var controllers = []string{
	"namespace-controller", "garbage-collector-controller", "serviceaccount-controller",
	"root-ca-certificate-publisher-controller", "deployment-controller", "replicaset-controller",
	"statefulset-controller", "daemonset-controller", "job-controller", "endpointslice-controller",
}

// startControllers runs the controllers and the kubelet's stand-in, and returns once the controllers act.
func startControllers(ctx context.Context, dir string, server *apiServer) error {
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := writeKubeconfig(kubeconfig, server.ready); err != nil {
		return err
	}
	o, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, disabled, aliases := app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases()
	set := pflag.NewFlagSet("kube-controller-manager", pflag.ContinueOnError)
	named := o.Flags(known, disabled, aliases)
	for _, f := range named.FlagSets {
		set.AddFlagSet(f)
	}
	o.ParsedFlags = &named
	if err := set.Parse([]string{
		"--kubeconfig=" + kubeconfig, "--controllers=" + strings.Join(controllers, ","),
		"--leader-elect=false", "--secure-port=0",
		"--kube-api-qps=10000", "--kube-api-burst=10000",
		"--root-ca-file=" + filepath.Join(dir, "tls.crt"),
		"--service-account-private-key-file=" + filepath.Join(dir, "tls.key"),
	}); err != nil {
		return err
	}
	config, err := o.Config(ctx, known, disabled, aliases)
	if err != nil {
		return err
	}
	go func() { _ = app.Run(ctx, config.Complete()) }()
	go kubelet(ctx, server.client)
	return awaitDefaultServiceAccount(ctx, server)
}

// awaitDefaultServiceAccount waits for the first thing that the controllers do.
func awaitDefaultServiceAccount(ctx context.Context, server *apiServer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := server.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func writeKubeconfig(file string, ready Ready) error {
	config := api.Config{
		Clusters:       map[string]*api.Cluster{"it": {Server: ready.Server, CertificateAuthorityData: ready.CA}},
		AuthInfos:      map[string]*api.AuthInfo{"it": {Token: ready.Token}},
		Contexts:       map[string]*api.Context{"it": {Cluster: "it", AuthInfo: "it"}},
		CurrentContext: "it",
	}
	body, err := clientcmd.Write(config)
	if err != nil {
		return err
	}
	return os.WriteFile(file, body, 0o600)
}
