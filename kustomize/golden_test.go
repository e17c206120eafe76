package kustomize

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var update = flag.Bool("update", false, "rewrite the wanted results in testdata")

// wantFile is the last file of each archive in testdata: the objects, or the error's text.
const wantFile = "want"

// golden is an archive in testdata. Its comment begins with a line that says what to build ("build overlay"); with a second
// line "alone", what comes out is not what kustomize makes of it, or kustomize cannot be let near it.
type golden struct {
	path    string
	archive *txtar.Archive
	dir     string
	alone   bool
}

func goldens(t testing.TB) []*golden {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in testdata: %v", err)
	}
	var all []*golden
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		first, rest, _ := strings.Cut(string(a.Comment), "\n")
		dir, ok := strings.CutPrefix(first, "build ")
		if !ok {
			t.Fatalf("%s begins with %q", p, first)
		}
		all = append(all, &golden{p, a, dir, strings.HasPrefix(rest, "alone")})
	}
	return all
}

// split returns the files to build and the wanted result.
func (g *golden) split() (input *txtar.Archive, want []byte) {
	input = &txtar.Archive{}
	for _, f := range g.archive.Files {
		if f.Name == wantFile {
			want = f.Data
			continue
		}
		input.Files = append(input.Files, f)
	}
	return input, want
}

// TestBuildGolden builds the trees in testdata and compares with the results written there, and with kustomize's.
func TestBuildGolden(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(g.path), ".txtar"), func(t *testing.T) {
			input, want := g.split()
			fsys := archiveFS(input)
			objects, err := Build(context.Background(), fsys, g.dir, Options{})
			got := result(t, objects, err)
			if *update {
				g.write(t, input, got)
			} else if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if !g.alone {
				g.compare(t, objects, err)
			}
		})
	}
}

// result is what stands in the file "want" of an archive.
func result(t testing.TB, objects []*unstructured.Unstructured, err error) string {
	t.Helper()
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return yamlText(t, objects)
}

func txtarText(a *txtar.Archive) []byte { return txtar.Format(a) }

func (g *golden) write(t *testing.T, input *txtar.Archive, got string) {
	t.Helper()
	input.Comment = g.archive.Comment
	input.Files = append(input.Files, txtar.File{Name: wantFile, Data: []byte(got)})
	if err := os.WriteFile(g.path, txtar.Format(input), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compare holds the result against kustomize's: the same bytes, or an error of both.
func (g *golden) compare(t *testing.T, got []*unstructured.Unstructured, err error) {
	t.Helper()
	input, _ := g.split()
	var want string
	gateErr := schemaGate.alone(context.Background(), func() error {
		var wantErr error
		want, wantErr = oracle(t, archiveFS(input), g.dir)
		if (wantErr == nil) != (err == nil) {
			t.Errorf("kustomize: %v\nBuild: %v", wantErr, err)
		}
		return nil
	})
	if gateErr != nil || !sameBytes(t, got, want) {
		t.Errorf("objects differ from kustomize's (%v)\n got: %s\nwant: %s", gateErr, yamlText(t, got), want)
	}
}

// TestErrorsAreTyped makes sure that each error of the trees in testdata is an *Error which names what was built.
func TestErrorsAreTyped(t *testing.T) {
	for _, g := range goldens(t) {
		input, _ := g.split()
		objects, err := Build(context.Background(), archiveFS(input), g.dir, Options{})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Dir != g.dir || objects != nil || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %d objects and %#v", g.path, len(objects), err)
		}
	}
}
