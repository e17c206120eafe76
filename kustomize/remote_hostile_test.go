package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHostileRemotes has what a remote tree must not do, and what the error says.
func TestHostileRemotes(t *testing.T) {
	const deep = "https://h/o/r//deploy?ref=v1"
	shown := "https://h/o/r?ref=v1: deploy/kustomization.yaml"
	for name, c := range map[string]struct {
		remote string // of deploy/kustomization.yaml
		want   error
		text   string
	}{
		"escape":           {"resources: [../../app]", ErrOutside, shown},
		"escape by a file": {"resources: [../../app/a.yaml]", ErrOutside, shown},
		"absolute":         {"resources: [/src/app]", ErrOutside, shown},
		"into the memory":  {"resources: ['../../@remote/0']", ErrOutside, shown},
		"itself":           {"resources: ['" + deep + "']", ErrCycle, shown},
		"what holds it":    {"resources: ['https://h/o/r?ref=v1']", ErrCycle, shown},
		"missing":          {"resources: [nope.yaml]", fs.ErrNotExist, shown},
		"missing folder":   {"resources: ['https://h/o/r//nope?ref=v1']", fs.ErrNotExist, shown + ":1: "},
		"not served":       {"resources:\n- https://h/other/r", fs.ErrNotExist, shown + ":2: "},
		"a path here":      {"resources: ['file:///etc']", ErrRemote, shown + ":1: "},
		"out by Git":       {"resources: ['https://h/o/r.git//../x']", ErrOutside, shown + ":1: "},
		"helm":             {"\nhelmCharts: [{name: a}]", ErrUnsupported, shown + ":2: "},
		"in a plugin": {"transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: x}\n  path: " + deep,
			ErrRemote, shown + ":2: "},
		"file and folder":     {"resources: [https://h/o/b.yaml]\ncomponents: [https://h/o/b.yaml]", ErrUnsupported, shown},
		"itself as a file":    {"resources: ['https://h/o/r//b?ref=v1']\nnamePrefix: x-\nconfigMapGenerator: [{name: a, files: [kustomization.yaml]}]", ErrUnsupported, shown},
		"kustomize's message": {"patches: [{patch: '[{\"op\": \"remove\", \"path\": \"/x\"}]', target: {kind: X}}]\nresources: [../b]\nnamePrefix: '='\nreplicas: [{name: nope, count: 1}]", nil, shown},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{
				"app/kustomization.yaml": {Data: []byte("resources: ['" + deep + "']\n")}, "app/a.yaml": {Data: []byte(oneObject)},
			}
			r := &remotes{by: map[string]fs.FS{
				"https://h/o/r?ref=v1": fstest.MapFS{
					"deploy/kustomization.yaml": {Data: []byte(c.remote)}, "b/b.yaml": {Data: []byte(oneObject)},
					"b/kustomization.yaml": {Data: []byte("resources: [b.yaml]")}, "kustomization.yaml": {Data: []byte("namePrefix: x")},
				},
				"https://h/o/b.yaml": fstest.MapFS{"b.yaml": {Data: []byte(oneObject)}},
			}}
			objects, err := Build(context.Background(), fsys, "app", Options{Remote: r.get})
			if c.want != nil && !errors.Is(err, c.want) || err == nil || objects != nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), remoteRoot) {
				t.Errorf("the error has a name of ours: %v", err)
			}
		})
	}
}

// TestRemotesAreBounded has repositories that name each other twice, one after the other, and one that has a new ref each time.
func TestRemotesAreBounded(t *testing.T) {
	asked := 0
	remote := func(next func(Reference) string) func(context.Context, Reference) (fs.FS, error) {
		return func(_ context.Context, ref Reference) (fs.FS, error) {
			asked++
			left := "namePrefix: l-\nresources: ['" + next(ref) + "']"
			return fstest.MapFS{
				"kustomization.yaml":   {Data: []byte("resources: [l, r]")},
				"l/kustomization.yaml": {Data: []byte(left)}, "r/kustomization.yaml": {Data: []byte(left)},
			}, nil
		}
	}
	fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: ['https://h/o/r?ref=v']")}}
	grow := func(ref Reference) string { return ref.Text + "v" }
	_, err := Build(context.Background(), fsys, ".", Options{Remote: remote(grow)})
	if !errors.Is(err, ErrTooLarge) || asked > DefaultMaxDepth {
		t.Errorf("asked %d times: %v", asked, err)
	}
	asked = 0
	stop := func(ref Reference) string {
		if len(ref.Ref) > 30 {
			return "https://h/o/r.git?ref=end"
		}
		return grow(ref)
	}
	ends := func(ctx context.Context, ref Reference) (fs.FS, error) {
		if ref.Ref == "end" {
			return files("\n-- kustomization.yaml --\nresources: [a.yaml]\n-- a.yaml --\n" + oneObject), nil
		}
		return remote(stop)(ctx, ref)
	}
	_, err = Build(context.Background(), fsys, ".", Options{MaxDepth: 100, MaxFiles: 1000, Remote: ends})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "Options.MaxFiles") || asked > 31 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	huge := &remotes{by: map[string]fs.FS{"https://h/o/r?ref=v": fstest.MapFS{"kustomization.yaml": {Data: make([]byte, 2000)}}}}
	if _, err := Build(context.Background(), fsys, ".", Options{MaxFileBytes: 1000, Remote: huge.get}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestOriginsOfRemotesAreNotTold refuses annotations that would name a path that is nowhere.
func TestOriginsOfRemotesAreNotTold(t *testing.T) {
	r := &remotes{by: map[string]fs.FS{"https://h/o/r": files("\n-- kustomization.yaml --\nnamePrefix: x\n")}}
	for _, metadata := range []string{"originAnnotations", "transformerAnnotations"} {
		fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: [https://h/o/r]\nbuildMetadata: [" + metadata + "]")}}
		if _, err := Build(context.Background(), fsys, ".", Options{Remote: r.get}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: got %v", metadata, err)
		}
	}
}

// TestLinksOutOfARemote has the file system of a remote refuse them.
func TestLinksOutOfARemote(t *testing.T) {
	dir := t.TempDir()
	link(t, filepath.Join(t.TempDir(), "kustomization.yaml"), filepath.Join(dir, "kustomization.yaml"))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	r := &remotes{by: map[string]fs.FS{"https://h/o/r": root.FS()}}
	fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: [https://h/o/r]")}}
	if _, err := Build(context.Background(), fsys, ".", Options{Remote: r.get}); err == nil ||
		!strings.Contains(err.Error(), "https://h/o/r: kustomization.yaml") {
		t.Errorf("got %v", err)
	}
}

// TestErrorsOfRemote has the function fail in every way, with credentials in the reference and in what it says.
func TestErrorsOfRemote(t *testing.T) {
	failed := errors.New("failed")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, c := range map[string]struct {
		remote func(context.Context, Reference) (fs.FS, error)
		want   error
		text   string
	}{
		"error": {func(_ context.Context, r Reference) (fs.FS, error) {
			return nil, fmt.Errorf("getting %s of %s: password hunter2 or hunter%%32, token hunter3: %w", r.Text, r.URL, failed)
		}, failed, "https://h/o/r//d?ref=v1"},
		"nothing": {func(context.Context, Reference) (fs.FS, error) { return nil, nil }, nil, "Options.Remote returned no file system"},
		"empty":   {func(context.Context, Reference) (fs.FS, error) { return fstest.MapFS{}, nil }, fs.ErrNotExist, "https://h/o/r//d"},
		"not set": {nil, ErrRemote, "https://h/o/r//d"},
		"context": {func(ctx context.Context, _ Reference) (fs.FS, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}, context.Canceled, ""},
	} {
		const reference = "https://user:hunter%32@h/o/r//d?ref=v1&token=hunter3"
		fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte("resources:\n- " + reference + "\n")}}
		used := context.Background()
		if name == "context" {
			used = ctx
		}
		_, err := Build(used, fsys, ".", Options{Remote: c.remote})
		if c.want != nil && !errors.Is(err, c.want) || err == nil || !strings.Contains(err.Error(), c.text) ||
			!strings.Contains(err.Error(), "kustomization.yaml:2: ") {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: tells a credential: %v", name, err)
		}
	}
}
