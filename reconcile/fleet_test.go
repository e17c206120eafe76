package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gitopskit/gitopskit/apply"
	"github.com/gitopskit/gitopskit/source"
)

// A fleetOrigin is a source that loops share: a file for each of them.
type fleetOrigin struct {
	mu      sync.Mutex
	files   fstest.MapFS
	down    error
	hang    bool
	fetches int
	moved   int // fetches that had content
	open    []*source.Snapshot
}

func newFleetOrigin(names ...string) *fleetOrigin {
	o := &fleetOrigin{files: fstest.MapFS{}}
	for _, name := range names {
		o.files[name] = &fstest.MapFile{Data: []byte("1")}
	}
	return o
}

// commit changes a file, and returns the revision that it makes.
func (o *fleetOrigin) commit(name, content string) source.Revision {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files = maps.Clone(o.files)
	o.files[name] = &fstest.MapFile{Data: []byte(content)}
	return o.revision()
}

func (o *fleetOrigin) revision() source.Revision {
	text := ""
	for _, name := range sortedKeys(o.files) {
		text += name + "=" + string(o.files[name].Data) + "\n"
	}
	return source.Revision{Name: "main", Digest: digest.FromString(text)}
}

func sortedKeys(files fstest.MapFS) []string {
	var names []string
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, _ error) error {
		if !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	return names
}

func (o *fleetOrigin) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *fleetOrigin) Fetch(ctx context.Context, known source.Revision) (*source.Snapshot, error) {
	o.mu.Lock()
	o.fetches++
	hang := o.hang
	o.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down != nil {
		return nil, o.down
	}
	now := o.revision()
	if known.Current(now) {
		return nil, source.ErrNotModified
	}
	o.moved++
	s := source.NewSnapshot(o.files, now)
	o.open = append(o.open, s)
	return s, nil
}

func (o *fleetOrigin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fetches
}

// wantClosed fails the test where somebody has left a snapshot open.
func (o *fleetOrigin) wantClosed(t *testing.T) {
	t.Helper()
	for _, s := range o.open {
		if _, err := s.ReadDir("."); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("the snapshot of %s is open still", s.Revision)
		}
	}
}

// A ship is a loop of the tests: what it does is counted, and can be told to fail.
type ship struct {
	*Loop
	start time.Time

	mu       sync.Mutex
	builds   int
	applied  []string
	events   []Event
	buildErr error
	applyErr error
	waitErr  error
	slow     time.Duration // that Apply takes
	ignores  bool          // Apply does not heed its context
	waits    int
	heal     chan struct{} // closed: healthy
	drift    chan []apply.Drift
	deleted  int
	closed   int
	last     []*unstructured.Unstructured
}

// newShip returns a loop that builds the file of its name into one object, and waits for nothing.
func newShip(name string, from source.Source) *ship {
	s := &ship{start: time.Now(), drift: make(chan []apply.Drift), heal: make(chan struct{})}
	s.Loop = &Loop{Name: name, Source: from, Build: s.build, Apply: s.apply, Jitter: -1,
		OnEvent: func(e Event) { s.mu.Lock(); defer s.mu.Unlock(); s.events = append(s.events, e) },
		Close:   func() { s.mu.Lock(); defer s.mu.Unlock(); s.closed++ }}
	return s
}

func (s *ship) watched() *ship { s.Drift = s.driftOf; return s }
func (s *ship) waiting() *ship { s.Wait = s.waitFor; return s }
func (s *ship) after(dependencies ...Dependency) *ship {
	s.DependsOn = dependencies
	return s
}

func (s *ship) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *ship) build(_ context.Context, fsys fs.FS) ([]*unstructured.Unstructured, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds++
	body, err := fs.ReadFile(fsys, s.Name)
	if err = errors.Join(err, s.buildErr); err != nil {
		return nil, err
	}
	o := configMap(s.Name, string(body))
	if len(s.last) == 1 && fmt.Sprint(s.last[0]) == fmt.Sprint(o) {
		return []*unstructured.Unstructured{s.last[0]}, nil
	}
	s.last = []*unstructured.Unstructured{o}
	return s.last, nil
}

func (s *ship) apply(ctx context.Context, _ source.Revision, objects []*unstructured.Unstructured) (*apply.Result, error) {
	s.mu.Lock()
	body, _, _ := unstructured.NestedString(objects[0].Object, "data", "it")
	s.applied = append(s.applied, fmt.Sprintf("%s %s", body, time.Since(s.start)))
	slow, ignores := s.slow, s.ignores
	s.mu.Unlock()
	if slow > 0 {
		done := ctx.Done()
		if ignores {
			done = nil
		}
		select {
		case <-time.After(slow):
		case <-done:
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ref := apply.Ref{Kind: "ConfigMap", Name: s.Name}
	return &apply.Result{Changes: []apply.Change{{Action: apply.Configured, Ref: ref}}}, s.applyErr
}

func (s *ship) waitFor(ctx context.Context, _ source.Revision) error {
	s.mu.Lock()
	s.waits++
	err, heal := s.waitErr, s.heal
	s.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-heal:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *ship) driftOf(ctx context.Context) ([]apply.Drift, error) {
	select {
	case d := <-s.drift:
		if d == nil {
			return nil, errors.New("forbidden")
		}
		return d, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *ship) delete(context.Context) (*apply.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted++
	return &apply.Result{Changes: []apply.Change{{Action: apply.Deleted}}}, s.applyErr
}

func (s *ship) count(n *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *n
}

func configMap(name, body string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	o.SetName(name)
	_ = unstructured.SetNestedField(o.Object, body, "data", "it")
	return o
}

// told are the names of the types of the events.
func (s *ship) told() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.events))
	for i, e := range s.events {
		names[i] = strings.TrimPrefix(fmt.Sprintf("%T", e), "reconcile.")
	}
	return strings.Join(names, " ")
}

func (s *ship) applies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.applied...)
}

// sail runs a group of the loops in a bubble, and what is done meanwhile: it sleeps to let time pass.
func sail(t *testing.T, ships []*ship, meanwhile func(g *Group)) {
	t.Helper()
	g := &Group{Workers: 4}
	for _, s := range ships {
		if err := g.Add(s.Loop); err != nil {
			t.Fatal(err)
		}
	}
	runFleet(t, g, meanwhile)
}

func runFleet(t *testing.T, g *Group, meanwhile func(g *Group)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	synctest.Wait()
	meanwhile(g)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want the context's error", err)
	}
}

// later lets time pass, and all that is due then be done.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
