package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// apiServer is a running kube-apiserver.
type apiServer struct {
	ready  Ready
	client kubernetes.Interface
	ended  <-chan error // receives why it ended, should it end by itself
}

func startAPIServer(ctx context.Context, dir, etcd string, withControllers bool, extra []string) (*apiServer, error) {
	ca, err := writeCertificate(dir)
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	line := token + `,admin,admin,"system:masters"` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "tokens.csv"), []byte(line), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ended, err := serveAPI(ctx, listener, append(apiServerFlags(dir, etcd, withControllers), extra...))
	if err != nil {
		return nil, err
	}
	s := &apiServer{ended: ended, ready: Ready{Server: "https://" + listener.Addr().String(), CA: ca, Token: token}}
	config := &rest.Config{Host: s.ready.Server, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: ca}, QPS: -1}
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	return s, s.awaitReady(ctx)
}

// apiServerFlags are kube-apiserver's own flags for a server that is alone on its loopback address.
func apiServerFlags(dir, etcd string, withControllers bool) []string {
	key := filepath.Join(dir, "tls.key")
	flags := []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--cert-dir=" + dir, "--tls-cert-file=" + filepath.Join(dir, "tls.crt"), "--tls-private-key-file=" + key,
		"--token-auth-file=" + filepath.Join(dir, "tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
		"--service-cluster-ip-range=10.96.0.0/16",
		"--endpoint-reconciler-type=none",
		"--profiling=false", "--allow-privileged=true",
	}
	if !withControllers { // nobody makes the default service accounts that the plugin insists on
		flags = append(flags, "--disable-admission-plugins=ServiceAccount")
	}
	return flags
}

func serveAPI(ctx context.Context, listener net.Listener, flags []string) (<-chan error, error) {
	o := options.NewServerRunOptions()
	set := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	named := o.Flags()
	for _, f := range named.FlagSets {
		set.AddFlagSet(f)
	}
	if err := set.Parse(flags); err != nil {
		return nil, err
	}
	o.SecureServing.Listener, o.SecureServing.BindPort = listener, listener.Addr().(*net.TCPAddr).Port
	if err := o.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := o.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx, completed) }()
	return ended, nil
}

func (s *apiServer) awaitReady(ctx context.Context) error {
	deadline := time.After(2 * time.Minute)
	for {
		body, err := s.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil && string(body) == "ok" {
			return nil
		}
		select {
		case err := <-s.ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("not ready in 2 min: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
