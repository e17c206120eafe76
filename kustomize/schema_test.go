package kustomize

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// TestBuildsSideBySide runs all the trees in testdata at once, several times, among them those that change kustomize's
// schema. Each gives what it gives alone. With -race this is also the proof that kustomize's globals are in order.
func TestBuildsSideBySide(t *testing.T) {
	all := goldens(t)
	if testing.Short() {
		t.Skip("skipping some thousand builds in short mode")
	}
	var wg sync.WaitGroup
	work := make(chan *golden)
	for range 8 {
		wg.Go(func() {
			for g := range work {
				g.checkWant(t)
			}
		})
	}
	for range 3 {
		for _, g := range all {
			work <- g
		}
	}
	close(work)
	wg.Wait()
}

func (g *golden) checkWant(t *testing.T) {
	input, want := g.split()
	objects, err := Build(context.Background(), archiveFS(input), g.dir, Options{})
	if got := result(t, objects, err); got != string(want) {
		t.Errorf("%s beside others: got\n%s\nwant\n%s", g.path, got, want)
	}
}

// TestFirstBuildsSideBySide starts builds of a process in which the schema has not been parsed: some that need it, and some
// that read tables of it without a lock. With -race it fails if the first of them come to parse it.
func TestFirstBuildsSideBySide(t *testing.T) {
	if err := schemaGate.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := schemaGate.empty(context.Background()); err != nil {
		t.Fatal(err)
	}
	openapi.ResetOpenAPI()
	schemaGate.parsed = false
	schemaGate.turn <- struct{}{}

	patched := strings.Replace(gadgetTree, "openapi: {path: schema.json}", "", 1)
	var wg sync.WaitGroup
	for i := range 16 {
		tree := patched
		if i%2 == 0 {
			tree = strings.ReplaceAll(overlay, "ConfigMap", "Gadget")
		}
		wg.Go(func() {
			if _, err := Build(context.Background(), files(tree), "app", Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestSchemaIsRestored looks at kyaml's global after builds that replace it, one of which panics over its schema.
func TestSchemaIsRestored(t *testing.T) {
	ctx := context.Background()
	deployment := yaml.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}
	gadget := yaml.TypeMeta{APIVersion: "example.com/v1", Kind: "Gadget"}
	panicking := strings.Replace(gadgetTree, `"version": "v1"`, `"version": 1`, 1)
	for _, tree := range []string{gadgetTree, panicking, overlay} {
		_, err := Build(ctx, files(tree), "app", Options{})
		if tree == panicking && !errors.Is(err, errPanic) || tree != panicking && err != nil {
			t.Fatal(err)
		}
		_ = schemaGate.alone(ctx, func() error { return nil })
		_ = schemaGate.together(ctx, func() error {
			if openapi.SchemaForResourceType(deployment) == nil {
				t.Error("the built-in schema is gone")
			}
			if openapi.SchemaForResourceType(gadget) != nil {
				t.Error("the custom schema is still there")
			}
			return nil
		})
	}
}

const gadgetTree = `
-- app/kustomization.yaml --
resources: [gadget.yaml]
openapi: {path: schema.json}
patches: [{path: gadget.yaml}]
-- app/gadget.yaml --
apiVersion: example.com/v1
kind: Gadget
metadata: {name: gadget}
spec: {parts: [{id: a}]}
-- app/schema.json --
{"definitions": {"Gadget": {"type": "object", "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Gadget", "version": "v1"}]}}}
`

// TestOnlyOpenAPIWantsToBeAlone says which builds pay. In particular those with crds do not.
func TestOnlyOpenAPIWantsToBeAlone(t *testing.T) {
	for _, g := range goldens(t) {
		input, want := g.split()
		if strings.HasPrefix(string(want), "error") {
			continue
		}
		tree, err := scanTree(context.Background(), archiveFS(input), g.dir, Options{}.withDefaults(), newRecord(nil, false))
		if err != nil {
			t.Fatal(err)
		}
		if names := strings.Contains(string(txtarText(input)), "openapi: {"); tree.schema != names {
			t.Errorf("%s: names a schema: %t, wants to be alone: %t", g.path, names, tree.schema)
		}
	}
}

// TestCRDsLeaveTheSchemaAlone has kustomize itself build a tree with crds and looks at its schema.
func TestCRDsLeaveTheSchemaAlone(t *testing.T) {
	for _, g := range goldens(t) {
		if !strings.HasSuffix(g.path, "/crds.txtar") {
			continue
		}
		input, _ := g.split()
		_ = schemaGate.alone(context.Background(), func() error {
			before := len(openapi.Schema().Definitions)
			if _, err := oracle(t, archiveFS(input), g.dir); err != nil {
				t.Error(err)
			}
			if after := len(openapi.Schema().Definitions); after != before {
				t.Errorf("%d definitions before, %d after", before, after)
			}
			return nil
		})
		return
	}
	t.Error("no tree with crds in testdata")
}

// TestGateKeepsApart runs many of both sorts and counts who is inside.
func TestGateKeepsApart(t *testing.T) {
	g := newGate()
	var together, alone atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if i%10 == 0 {
				_ = g.alone(context.Background(), func() error {
					if alone.Add(1) != 1 || together.Load() != 0 {
						t.Error("not alone")
					}
					alone.Add(-1)
					return nil
				})
				return
			}
			_ = g.together(context.Background(), func() error {
				together.Add(1)
				if alone.Load() != 0 {
					t.Error("beside one that wants to be alone")
				}
				together.Add(-1)
				return nil
			})
		})
	}
	wg.Wait()
}

// TestGateLetsManyIn deadlocks if those together wait for each other.
func TestGateLetsManyIn(t *testing.T) {
	g := newGate()
	var wg, all sync.WaitGroup
	all.Add(3)
	for range 3 {
		wg.Go(func() {
			_ = g.together(context.Background(), func() error {
				all.Done()
				all.Wait()
				return nil
			})
		})
	}
	wg.Wait()
}

// TestGateGivesUpWithTheContext has both sorts wait for one who stays inside, until their context ends. Who comes later gets in.
func TestGateGivesUpWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		inside, leave := make(chan struct{}), make(chan struct{})
		go func() {
			_ = g.together(context.Background(), func() error {
				close(inside)
				<-leave
				return nil
			})
		}()
		<-inside
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		later, cancelLater := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancelLater()
		first, second := make(chan error), make(chan error)
		go func() { first <- g.alone(ctx, func() error { return nil }) }()
		synctest.Wait() // it has the turn and waits until all are out; the next one waits for the turn
		go func() { second <- g.alone(later, func() error { return nil }) }()
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := <-second; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(leave)
		for range 2 {
			if err := g.alone(context.Background(), func() error { return nil }); err != nil {
				t.Error(err)
			}
			if err := g.together(context.Background(), func() error { return nil }); err != nil {
				t.Error(err)
			}
		}
	})
}
