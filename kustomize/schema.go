package kustomize

import (
	"context"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// kyaml keeps one OpenAPI schema for the whole process, in package variables. A build reads it to find out which lists are
// merged by which key, and which kinds have no namespace. These are the ways in which it changes:
//
//   - It is parsed when it is first needed (openapi.initSchema), and tables that other builds read without a lock are
//     written meanwhile. So it is parsed before the first build, and never by one.
//   - A kustomization that has the field openapi, anywhere in the tree, replaces it (openapi.SetSchema). A custom schema
//     stays for later builds, which only ever set the version back. So such a build has the schema for itself and
//     leaves behind the one that is built in, parsed again.
//
// Nothing else changes it. In particular the field crds does not, in spite of its name: its definitions go into the
// configuration of that one build (accumulator.LoadConfigFromCRDs).
//
// This is the state of somebody else's package, and so the lock for it can only be in a package variable too. A program that
// calls kustomize's own packages beside this one shares the schema with it, and is on its own.
var schemaGate = newGate()

// withSchema runs a build: beside others if it leaves the schema alone, and else alone.
func withSchema(ctx context.Context, changes bool, build func() error) error {
	if changes {
		return schemaGate.alone(ctx, build)
	}
	return schemaGate.together(ctx, build)
}

// gate is a read-write lock that gives up waiting when a context ends, and sees to the schema whenever somebody gets in.
type gate struct {
	turn chan struct{} // holds a token while nobody is entering or alone inside

	mu      sync.Mutex
	inside  int
	emptied chan struct{} // closed by the last one out, where somebody waits for it
	parsed  bool          // the built-in schema is in place; changed only by who has the turn
}

func newGate() *gate {
	g := &gate{turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	return g
}

func (g *gate) together(ctx context.Context, run func() error) error {
	if err := g.take(ctx); err != nil {
		return err
	}
	if !g.parsed {
		g.parse()
	}
	g.mu.Lock()
	g.inside++
	g.mu.Unlock()
	g.turn <- struct{}{}
	defer g.leave()
	return run()
}

func (g *gate) alone(ctx context.Context, run func() error) error {
	if err := g.take(ctx); err != nil {
		return err
	}
	defer func() { g.turn <- struct{}{} }()
	if err := g.empty(ctx); err != nil {
		return err
	}
	openapi.ResetOpenAPI()
	defer func() {
		openapi.ResetOpenAPI()
		g.parse()
	}()
	return run()
}

// parse makes kyaml parse the schema that is built into it, some 40 ms of work.
func (g *gate) parse() {
	openapi.Schema()
	g.parsed = true
}

func (g *gate) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-g.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// empty waits until nobody is inside. Who calls it has the turn, so nobody gets in meanwhile.
func (g *gate) empty(ctx context.Context) error {
	g.mu.Lock()
	if g.inside == 0 {
		g.mu.Unlock()
		return nil
	}
	emptied := make(chan struct{})
	g.emptied = emptied
	g.mu.Unlock()
	select {
	case <-emptied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.emptied != nil {
		close(g.emptied)
		g.emptied = nil
	}
}
