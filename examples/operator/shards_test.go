package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

// A write is a request of a replica that changed an object of a set, or its inventory.
type write struct {
	replica, path string
	began, ended  time.Time
}

// An audit is between replicas and the API server. It notes what each writes, and can hold one write back.
type audit struct {
	t  *testing.T
	mu sync.Mutex

	writes []write
	gate   string      // what is held back has this in its path
	held   chan string // the replica whose request was
}

// path returns a kubeconfig of a proxy for one replica.
func (a *audit) path(b *bed, replica string) string {
	transport, err := rest.TransportFor(b.config)
	if err != nil {
		a.t.Fatal(err)
	}
	target, err := url.Parse(b.config.Host)
	if err != nil {
		a.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = transport, -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "/leases/") || strings.HasSuffix(r.URL.Path, "/status") {
			proxy.ServeHTTP(w, r)
			return
		}
		if a.holds(r, replica) {
			_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection is not noticed
			<-r.Context().Done()               // the replica is killed
			return
		}
		began := time.Now()
		proxy.ServeHTTP(w, r)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.writes = append(a.writes, write{replica, r.URL.Path, began, time.Now()})
	}))
	a.t.Cleanup(server.Close)
	a.t.Cleanup(server.CloseClientConnections)
	c := clientcmdapi.NewConfig()
	c.Clusters["proxy"] = &clientcmdapi.Cluster{Server: server.URL}
	c.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy"}
	c.CurrentContext = "proxy"
	file := filepath.Join(a.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		a.t.Fatal(err)
	}
	return file
}

func (a *audit) holds(r *http.Request, replica string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gate == "" || !strings.HasSuffix(r.URL.Path, a.gate) {
		return false
	}
	a.gate = ""
	a.held <- replica
	return true
}

// holders returns which replica has which shard, by their Leases.
func (b *bed) holders() map[string]string {
	var leases coordinationv1.LeaseList
	if err := b.List(b.t.Context(), &leases, client.InNamespace(b.namespace)); err != nil {
		b.t.Fatal(err)
	}
	holders := make(map[string]string)
	for _, lease := range leases.Items {
		if h := lease.Spec.HolderIdentity; h != nil && *h != "" && strings.HasPrefix(lease.Name, "gitopskit-shard-") {
			holders[lease.Name] = *h
		}
	}
	return holders
}

func TestAnotherReplicaTakesOverInMidApply(t *testing.T) {
	const shards, applications = 4, 8
	b := newBed(t)
	a := &audit{t: t, held: make(chan string, 1)}
	replicas := make(map[string]*instance)
	for _, name := range []string{"a", "b"} {
		replicas[name] = b.startAt(a.path(b, name), name, "-shards", fmt.Sprint(shards), "-lease-duration", "4s")
	}
	b.eventually("all shards are held, and not by one", func() bool {
		holders := b.holders()
		count := make(map[string]int)
		for _, replica := range holders {
			count[replica]++
		}
		return len(holders) == shards && len(count) == 2
	})

	repository := testbed.Git(t)
	files := func(value string) map[string][]byte {
		all := make(map[string][]byte)
		for i := range 5 {
			name := fmt.Sprintf("c%d", i)
			all[name+".yaml"] = configMapFile(name, value)
		}
		return all
	}
	first := commit(t, repository, files("1"))
	text := gitRepositoryOf("shared", repository.URL(), everySecond)
	for i := range applications {
		prefix := fmt.Sprintf("\n  namePrefix: k%d-", i)
		text += kustomizationOf(fmt.Sprintf("k%d", i), "GitRepository, name: shared", "./", prune+prefix)
	}
	b.create(text)
	for i := range applications {
		b.becomes(kustomization, fmt.Sprintf("k%d", i), "True", first)
	}

	a.mu.Lock()
	a.gate = "/configmaps/k3-c2"
	a.mu.Unlock()
	second := files("2")
	second["c0.yaml"] = nil
	hash := commit(t, repository, second)
	var killed string
	select {
	case killed = <-a.held:
	case <-time.After(patience):
		t.Fatal("nobody applied k3")
	}
	replicas[killed].stop(syscall.SIGKILL)
	died := time.Now()
	for i := range applications {
		b.becomes(kustomization, fmt.Sprintf("k%d", i), "True", hash)
		for c := range 5 {
			value, ok := b.configMap(fmt.Sprintf("k%d-c%d", i, c))
			if want := c > 0; ok != want || ok && value != "2" {
				t.Errorf("k%d-c%d has %q, and is there: %t", i, c, value, ok)
			}
		}
	}
	for lease, replica := range b.holders() {
		if replica == killed {
			t.Errorf("%s is still that of the replica which was killed", lease)
		}
	}
	a.check(killed, died)
}

// check says whether any set was written to by both replicas at once: what the killed one had is the other's only after
// that.
func (a *audit) check(killed string, died time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := make(map[string]write) // of the replica that lives, for each set that the other has written to
	for _, w := range a.writes {
		if set, ok := setOf(w.path); ok && w.replica != killed && a.wrote(killed, set) {
			if was, ok := first[set]; !ok || w.began.Before(was.began) {
				first[set] = w
			}
		}
	}
	if len(first) == 0 {
		a.t.Error("no set went from one replica to the other")
	}
	for set, w := range first {
		if w.began.Before(died) {
			a.t.Errorf("%s was written to by %s at %s, and %s was killed at %s", set, w.replica, w.began, killed, died)
		}
	}
}

func (a *audit) wrote(replica, set string) bool {
	return slices.ContainsFunc(a.writes, func(w write) bool {
		of, ok := setOf(w.path)
		return ok && of == set && w.replica == replica
	})
}

// setOf tells the application whose object, or inventory, has the path.
func setOf(path string) (string, bool) {
	_, name, ok := strings.Cut(path, "/configmaps/k")
	if !ok {
		_, name, ok = strings.Cut(path, "/secrets/kustomization-k")
	}
	name, _, _ = strings.Cut(name, "-")
	return "k" + name, ok
}
