package reconcile

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
)

// refusable builds what a real cluster takes, or what it does not take, as the file says.
func refusable(name string) BuildFunc {
	return func(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
		body, err := readBody(fsys, name)
		good := configMap(name, body)
		other := configMap(name+"-more", body)
		switch body {
		case "empty":
			return nil, err
		case "unknown kind":
			other.SetAPIVersion("nobody.example/v1")
			other.SetKind("Nothing")
		case "in part":
			other.Object["data"] = "which is no map"
		}
		return []*unstructured.Unstructured{good, other}, err
	}
}

func TestARealClusterKeepsTheLastGoodRevisionOfWhatItRefuses(t *testing.T) {
	name := testbed.UniqueName("refused")
	b := newTargetBench(t)
	b.origin = newFleetOrigin(name)
	l := b.loop(name)
	l.Build, l.RetryMin, l.RetryMax = refusable(name), 50*time.Millisecond, time.Second
	var corrected atomic.Int32
	l.OnEvent = func(e Event) {
		if e, ok := e.(Applied); ok && e.Err == nil && e.Cause == CauseDrift {
			corrected.Add(1)
		}
	}
	if err := b.group.Add(l); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.group.Run(ctx) }()
	good := b.origin.revision()
	b.until("it is applied", b.ready(good))
	for _, what := range []string{"empty", "unknown kind", "in part"} {
		b.keeps(l, what, good, &corrected)
	}
	b.origin.commit(name, "1")
	l.Trigger()
	b.until("it is ready again", b.ready(good))
	if err := b.group.Remove(t.Context(), name, Delete); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// keeps commits what the cluster refuses, deletes an object, and waits until that is there again.
func (b *targetBench) keeps(l *Loop, body string, good source.Revision, corrected *atomic.Int32) {
	b.t.Helper()
	before := corrected.Load()
	bad := b.origin.commit(l.Name, body)
	l.Trigger()
	b.until("it is refused: "+body, func() bool {
		s := l.Status()
		return s.Attempted == bad && s.Stage == Applying && s.Err != nil
	})
	if body == "empty" && !errors.Is(l.Status().Err, apply.ErrEmptySet) {
		b.t.Errorf("an empty set: %v", l.Status().Err)
	}
	want(b.t, "corrections of what the try itself did", corrected.Load(), before)
	if err := b.configMaps.Delete(b.t.Context(), l.Name+"-more", metav1.DeleteOptions{}); err != nil {
		b.t.Fatal(err)
	}
	b.until("what was deleted is there again: "+body, func() bool { return b.there(l.Name + "-more") })
	b.until("that is told: "+body, func() bool { return corrected.Load() > before })
	s := l.Status()
	want(b.t, "revisions", []source.Revision{s.Wanted, s.Attempted, s.Applied}, []source.Revision{bad, bad, good})
	want(b.t, "reason", s.Reason, ReasonApply)
}
