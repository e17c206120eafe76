package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// A targetBench has loops on a real cluster: each has a ConfigMap of its name, with what its file says.
type targetBench struct {
	t          *testing.T
	requests   *testbed.Recorder
	applier    *apply.Applier
	configMaps metadata.ResourceInterface
	origin     *fleetOrigin
	group      *Group
}

func newTargetBench(t *testing.T, names ...string) *targetBench {
	t.Helper()
	config := testbed.Kubernetes(t)
	cluster, err := metadata.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	b := &targetBench{t: t, requests: &testbed.Recorder{}, origin: newFleetOrigin(names...), group: &Group{},
		configMaps: cluster.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("default")}
	recorded := rest.CopyConfig(config)
	recorded.Wrap(b.requests.Wrap)
	if b.applier, err = apply.New(recorded, apply.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := b.group.Add(b.loop(name)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *targetBench) loop(name string) *Loop {
	l := &Loop{Name: name, Source: b.origin, Interval: time.Hour}
	l.Build = func(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
		body, err := fs.ReadFile(fsys, name)
		o := configMap(name, string(body))
		return []*unstructured.Unstructured{o}, err
	}
	NewTarget(b.applier, apply.Set{ID: apply.ID{Namespace: "default", Name: name}}, TargetOptions{}).Use(l)
	return l
}

// until waits for what is to come about.
func (b *targetBench) until(what string, done func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	for !done() {
		pause(ctx, 10*time.Millisecond, nil)
		if ctx.Err() != nil {
			for _, s := range b.group.Status() {
				b.t.Logf("%s: %s %q %v", s.Name, s.State, s.Reason, s.Err)
			}
			b.t.Fatalf("it does not come about: %s", what)
		}
	}
}

// ready tells whether all loops are, at the origin's revision.
func (b *targetBench) ready(revision source.Revision) func() bool {
	return func() bool {
		for _, s := range b.group.Status() {
			if !s.Ready || s.Applied != revision {
				return false
			}
		}
		return true
	}
}

func (b *targetBench) there(name string) bool {
	_, err := b.configMaps.Get(b.t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		b.t.Fatal(err)
	}
	return err == nil
}

func TestTargetsKeepARealClusterAsItsSourceSays(t *testing.T) {
	one, two := testbed.UniqueName("target"), testbed.UniqueName("target")
	b := newTargetBench(t, one, two)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.group.Run(ctx) }()
	b.until("both are applied", b.ready(b.origin.revision()))

	if err := b.configMaps.Delete(t.Context(), one, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.until("what somebody deleted is there again", func() bool { return b.there(one) })
	b.until("that is told", func() bool {
		s := b.group.Status()[0]
		other := b.group.Status()[1]
		if s.Name != one {
			s, other = other, s
		}
		return s.Ready && len(s.Drifts) == 1 && s.Drifts[0].What == apply.DriftDeleted && s.History[0].Cause == CauseDrift &&
			len(other.Drifts) == 0
	})

	b.requests.Take()
	revision := b.origin.commit("README", "nobody's")
	b.group.TriggerSource(func(*Loop) bool { return true })
	b.until("both are at a revision of the same", b.ready(revision))
	want(t, "requests for it", b.requests.Take(), nil)

	revision = b.origin.commit(one, "2")
	b.group.TriggerSource(func(*Loop) bool { return true })
	b.until("both are at a revision that changes one", b.ready(revision))
	requests := b.requests.Take()
	want(t, "objects sent", testbed.Count(requests, "PATCH /api/v1/namespaces/default/configmaps/"+one), 1)
	for _, r := range requests {
		if strings.Contains(r, two) {
			t.Errorf("a request about the other: %s", r)
		}
	}
	b.remove(one, two)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// remove leaves what the second loop has, and deletes it afterwards.
func (b *targetBench) remove(one, two string) {
	b.t.Helper()
	for name, what := range map[string]Removal{one: Delete, two: Leave} {
		if err := b.group.Remove(b.t.Context(), name, what); err != nil {
			b.t.Error(err)
		}
	}
	want(b.t, "there", fmt.Sprint(b.there(one), b.there(two)), "false true")
	if _, err := b.applier.Delete(b.t.Context(), apply.ID{Namespace: "default", Name: two}); err != nil {
		b.t.Error(err)
	}
}
