//go:build unix

package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/internal/testbed"
)

const victimVariable = "GITOPSKIT_TEST_VICTIM"

// A victim is a process that applies a set and is killed at its nth request: before the server has it, or after the server
// has done it and before the answer is read.
type victim struct {
	Host, Token, Namespace string
	CA                     []byte
	Request                int
	After                  bool
	Delete                 bool // deletes the set instead
}

// A deadly RoundTripper kills the process with the request; nothing that runs at the end of a process runs.
type deadly struct {
	victim
	next  http.RoundTripper
	count atomic.Int32
}

func (d *deadly) RoundTrip(r *http.Request) (*http.Response, error) {
	mine := int(d.count.Add(1)) == d.Request
	if mine && !d.After {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	answer, err := d.next.RoundTrip(r)
	if mine {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return answer, err
}

// TestVictim is the victim where it runs as one, and nothing otherwise.
func TestVictim(t *testing.T) {
	text := os.Getenv(victimVariable)
	if text == "" {
		return
	}
	d := &deadly{}
	if err := json.Unmarshal([]byte(text), &d.victim); err != nil {
		t.Fatal(err)
	}
	config := &rest.Config{Host: d.Host, BearerToken: d.Token, TLSClientConfig: rest.TLSClientConfig{CAData: d.CA}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { d.next = next; return d })
	b := &bench{t: t, namespace: d.Namespace}
	applier := newApplier(t, config, Options{Concurrency: 1})
	var err error
	if d.Delete {
		_, err = applier.Delete(t.Context(), b.set().ID)
	} else {
		_, err = applier.Apply(t.Context(), b.set(configMap(t, "a", "2"), configMap(t, "c", "1"), deployment(t, "web", "nginx:1")))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run reports whether the victim got through without coming to the request at which it was to be killed.
func (v victim) run(t *testing.T) bool {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), victimVariable+"="+string(text))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("%v: %s", err, out)
	}
	return err == nil
}

func TestKilledAtAnyRequestNothingIsOrphaned(t *testing.T) {
	for _, test := range []struct {
		name          string
		after, delete bool
	}{{"before the server has it", false, false}, {"after the server did it", true, false},
		{"deleting, before", false, true}, {"deleting, after", true, true}} {
		if testbed.Race && test.delete {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			for request := 1; ; request++ {
				b := newBench(t, Options{})
				b.apply(configMap(t, "a", "1"), configMap(t, "b", "1"), service(t, "web"))
				v := victim{Host: b.config.Host, Token: b.config.BearerToken, CA: b.config.CAData, Namespace: b.namespace,
					Request: request, After: test.after, Delete: test.delete}
				through := v.run(t)
				b.wantAllNamed(t, request)
				b.wantConverged(t, request)
				if through {
					if request < 5 {
						t.Errorf("only %d requests: nobody was killed at the writes", request-1)
					}
					return
				}
			}
		})
	}
}

// members lists the objects in the namespace that have the label of a set, as "Kind name".
func (b *bench) members() []string {
	b.t.Helper()
	var names []string
	for _, path := range []string{"/api/v1/namespaces/%s/configmaps", "/api/v1/namespaces/%s/services", "/apis/apps/v1/namespaces/%s/deployments"} {
		path = fmt.Sprintf(path, b.namespace)
		items, err := newApplier(b.t, b.config, Options{}).client.listMetadata(b.t.Context(), strings.Split(path[1:], "/"), partOfLabel)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, item := range items {
			names = append(names, path[strings.LastIndexByte(path, '/')+1:]+" "+item.Name)
		}
	}
	slices.Sort(names)
	return names
}

// wantAllNamed wants the inventory to name every member that is on the cluster.
func (b *bench) wantAllNamed(t *testing.T, request int) {
	t.Helper()
	_, inv, err := newApplier(t, b.config, Options{}).readParent(t.Context(), b.set().ID)
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for ref := range inv.entries {
		named[strings.ToLower(ref.Kind)+"s "+ref.Name] = true
	}
	for _, m := range b.members() {
		if !named[m] {
			t.Errorf("killed at request %d: %s is in no inventory", request, m)
		}
	}
}

// wantConverged wants a clean run to leave just what it is told.
func (b *bench) wantConverged(t *testing.T, request int) {
	t.Helper()
	b.apply(configMap(t, "a", "3"), configMap(t, "d", "1"))
	if got, want := b.members(), []string{"configmaps a", "configmaps d"}; !slices.Equal(got, want) {
		t.Errorf("killed at request %d: then a clean run leaves %v, want %v", request, got, want)
	}
	b.Take()
	b.apply(configMap(t, "a", "3"), configMap(t, "d", "1"))
	wantRequests(t, b.Take(), map[string]int{"GET inventory": 1, "GET": 2})
	if _, err := b.Delete(t.Context(), b.set().ID); err != nil {
		t.Error(err)
	}
	if left := b.members(); len(left) > 0 || b.exists(b.path("secrets", "the-set")) {
		t.Errorf("killed at request %d: after Delete there is %v", request, left)
	}
}
