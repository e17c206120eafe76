package kustomize

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/yaml"
)

// TestFieldTableIsThatOfKustomize reads the field specifications out of the source of the kustomize that is built against,
// where no program can import them, and holds the table to them. With -update it writes the table.
func TestFieldTableIsThatOfKustomize(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kustomize/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(dir)), "internal", "konfig", "builtinpluginconsts")
	want := tableOf(t, stringConstants(t, source))
	if *update {
		if err := os.WriteFile("fieldtable.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if fieldTableText != want {
		t.Errorf("fieldtable.txt is not what kustomize has; run this test with -update and read the difference")
	}
}

// stringConstants evaluates the string constants of a Go package that are made of literals and each other.
func stringConstants(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	exprs := map[string]ast.Expr{}
	for _, name := range files {
		f, err := goparser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
				for i, id := range v.Names {
					exprs[id.Name] = v.Values[i]
				}
			}
			return true
		})
	}
	var eval func(ast.Expr) string
	eval = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			s, err := strconv.Unquote(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			return s
		case *ast.BinaryExpr:
			return eval(e.X) + eval(e.Y)
		case *ast.Ident:
			return eval(exprs[e.Name])
		}
		t.Fatalf("%T in a string constant", e)
		return ""
	}
	constants := map[string]string{}
	for name, e := range exprs {
		constants[name] = eval(e)
	}
	return constants
}

// tableOf writes field specifications as fieldtable.txt has them: one a line, sorted.
func tableOf(t *testing.T, constants map[string]string) string {
	t.Helper()
	var lines []string
	add := func(field string, fs types.FieldSpec) {
		create := "keep"
		if fs.CreateIfNotPresent {
			create = "create"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", field, create, gvkWord(fs.Gvk), fs.Path))
	}
	for name, text := range constants {
		var fields map[string][]struct {
			types.FieldSpec
			Referrers []types.FieldSpec `json:"fieldSpecs"`
		}
		if !strings.HasSuffix(name, "FieldSpecs") || yaml.Unmarshal([]byte(text), &fields) != nil {
			continue // a part of others
		}
		for field, entries := range fields {
			for _, e := range entries {
				if field != "nameReference" {
					add(field, e.FieldSpec)
					continue
				}
				for _, fs := range e.Referrers {
					add(field+"="+gvkWord(e.Gvk), fs)
				}
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

func gvkWord(gvk resid.Gvk) string {
	return fmt.Sprintf("%s,%s,%s", gvk.Group, gvk.Version, gvk.Kind)
}
