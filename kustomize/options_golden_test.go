package kustomize

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

// optionsFile is the first file of each archive in testdata/options: what the options say.
const optionsFile = "options.yaml"

// TestBuildGoldenWithOptions builds the trees in testdata/options. What an overlay gives is held against kustomize's too, with
// the overlay in a file.
func TestBuildGoldenWithOptions(t *testing.T) {
	paths, err := filepath.Glob("testdata/options/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, p := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(p), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(p)
			if err != nil {
				t.Fatal(err)
			}
			g := &golden{path: p, archive: a, dir: "app"}
			input, want := g.split()
			fsys := archiveFS(input)
			var said struct {
				Overlay Overlay           `json:"overlay"`
				Values  map[string]string `json:"values"`
			}
			if err := yaml.UnmarshalStrict(fsys[optionsFile].Data, &said); err != nil {
				t.Fatal(err)
			}
			delete(fsys, optionsFile)
			objects, err := Build(context.Background(), fsys, g.dir, Options{Overlay: said.Overlay, Variables: Variables{Values: said.Values}})
			got := result(t, objects, err)
			if *update {
				g.write(t, input, got)
			} else if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if said.Values != nil {
				return
			}
			with, beside := writtenOut(t, fsys, g.dir, said.Overlay)
			text, wantErr := oracle(t, listing(t, with, g.dir), beside)
			if (err == nil) != (wantErr == nil) || err == nil && text != got {
				t.Errorf("kustomize: %v\n%s", wantErr, text)
			}
		})
	}
}
