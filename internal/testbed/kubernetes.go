package testbed

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// KubeconfigVariable names a kubeconfig file whose cluster is used instead of one of our own.
const KubeconfigVariable = "GITOPSKIT_TEST_KUBECONFIG"

// KubernetesOptions say what runs beside the API server.
type KubernetesOptions struct {
	// Controllers runs those that make Deployments, StatefulSets, DaemonSets and Jobs progress, collect garbage and
	// delete namespaces, and a stand-in for a kubelet that marks Pods running. Without them objects are only stored.
	Controllers bool
	// APIServerFlags are handed to kube-apiserver as they are.
	APIServerFlags string
}

// A KubernetesServer is a running Kubernetes API server, version 1.36.3, with an etcd of its own.
type KubernetesServer struct {
	Config *rest.Config // of a cluster administrator, without a client-side rate limit
	child  *child
}

// Close ends the server and removes its files. The end of this process does the same.
func (s *KubernetesServer) Close() error {
	if s.child == nil {
		return nil
	}
	return s.child.close()
}

// StartKubernetes starts an API server; it takes about two seconds once it has been built.
func StartKubernetes(ctx context.Context, opts KubernetesOptions) (*KubernetesServer, error) {
	const version = "k8s.io/component-base/version" // without these /version says v0.0.0
	p := program{
		folder: "controlplane", title: "a Kubernetes API server", expect: "3 to 6 minutes on two cores",
		ldflags: "-s -w -X " + version + ".gitVersion=v1.36.3 -X " + version + ".gitMajor=1 -X " + version +
			".gitMinor=36 -X " + version + ".gitCommit=unknown -X " + version + ".gitTreeState=clean",
	}
	args := []string{"-apiserver-flags", opts.APIServerFlags}
	if opts.Controllers {
		args = append(args, "-controllers")
	}
	var ready struct {
		Server, Token string
		CA            []byte
	}
	c, err := startChild(ctx, p, &ready, nil, args...)
	if err != nil {
		return nil, err
	}
	return &KubernetesServer{child: c, Config: &rest.Config{
		Host: ready.Server, BearerToken: ready.Token, TLSClientConfig: rest.TLSClientConfig{CAData: ready.CA}, QPS: -1,
	}}, nil
}

var shared struct {
	sync.Mutex
	servers map[KubernetesOptions]*KubernetesServer
}

// Kubernetes returns the configuration of a cluster without controllers that the tests of this process share. Tests keep
// out of each other's way by [UniqueName].
func Kubernetes(t testing.TB) *rest.Config {
	return KubernetesWith(t, KubernetesOptions{})
}

// KubernetesWith is [Kubernetes] with a cluster as the options say; tests with the same options share one.
func KubernetesWith(t testing.TB, opts KubernetesOptions) *rest.Config {
	t.Helper()
	if file := os.Getenv(KubeconfigVariable); file != "" {
		config, err := clientcmd.BuildConfigFromFlags("", file)
		if err != nil {
			t.Fatalf("reading the kubeconfig that %s names: %v", KubeconfigVariable, err)
		}
		config.QPS = -1
		return config
	}
	shared.Lock()
	defer shared.Unlock()
	s := shared.servers[opts]
	if s == nil {
		var err error
		if s, err = StartKubernetes(context.WithoutCancel(t.Context()), opts); err != nil {
			t.Fatal(err)
		}
		if shared.servers == nil {
			shared.servers = make(map[KubernetesOptions]*KubernetesServer)
		}
		shared.servers[opts] = s
	}
	return rest.CopyConfig(s.Config)
}

// UniqueName returns a name that no other test of the cluster has, a valid name of a namespace.
func UniqueName(prefix string) string {
	names.Lock()
	defer names.Unlock()
	names.n++
	return fmt.Sprintf("%s-%x-%d", prefix, time.Now().UnixNano()&0xffffffff, names.n)
}

var names struct {
	sync.Mutex
	n int
}
