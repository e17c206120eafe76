package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLimits crosses each limit by one and then reaches it.
func TestLimits(t *testing.T) {
	fsys := files(overlay) // 5 files, 3 objects, 2 kustomizations deep
	var total, largest int64
	for name, f := range fsys {
		if !strings.HasPrefix(name, "other") {
			total += int64(len(f.Data))
			largest = max(largest, int64(len(f.Data)))
		}
	}
	for name, c := range map[string]struct{ below, enough Options }{
		"MaxFiles":     {Options{MaxFiles: 4}, Options{MaxFiles: 5}},
		"MaxBytes":     {Options{MaxBytes: total - 1}, Options{MaxBytes: total}},
		"MaxFileBytes": {Options{MaxFileBytes: largest - 1}, Options{MaxFileBytes: largest}},
		"MaxObjects":   {Options{MaxObjects: 2}, Options{MaxObjects: 3}},
		"MaxDepth":     {Options{MaxDepth: 1}, Options{MaxDepth: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(context.Background(), fsys, "app", c.below)
			if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "Options."+name) {
				t.Errorf("below: got %v", err)
			}
			if _, err := Build(context.Background(), fsys, "app", c.enough); err != nil {
				t.Errorf("at the limit: %v", err)
			}
		})
	}
}

// TestLimitsHoldInFolders has a folder without a kustomization cross them.
func TestLimitsHoldInFolders(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 10 {
		fsys[fmt.Sprintf("app/%d.yaml", i)] = &fstest.MapFile{
			Data: fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: n%d}\n", i),
		}
	}
	for _, opts := range []Options{{MaxFiles: 9}, {MaxObjects: 9}, {MaxBytes: 100}} {
		if _, err := Build(context.Background(), fsys, "app", opts); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%+v: got %v", opts, err)
		}
	}
	if objects, err := Build(context.Background(), fsys, "app", Options{MaxFiles: 10, MaxObjects: 10}); len(objects) != 10 {
		t.Errorf("got %d objects, %v", len(objects), err)
	}
}

// TestTreeThatGrowsExponentially builds 2³⁰ objects of 60 small files, or would.
func TestTreeThatGrowsExponentially(t *testing.T) {
	fsys := fstest.MapFS{"k0/kustomization.yaml": {Data: []byte("resources: [a.yaml]\n")}, "k0/a.yaml": {Data: []byte(oneObject)}}
	for i := 1; i <= 30; i++ {
		dir := fmt.Sprintf("k%d", i)
		fsys[dir+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [left, right]\n")}
		for _, side := range []string{"left", "right"} {
			fsys[dir+"/"+side+"/kustomization.yaml"] = &fstest.MapFile{
				Data: fmt.Appendf(nil, "resources: [../../k%d]\nnamePrefix: %s-\n", i-1, side),
			}
		}
	}
	_, err := Build(context.Background(), fsys, "k30", Options{MaxDepth: 100, MaxObjects: 1000})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestGeneratedObjectsCount counts what a kustomization generates among the objects.
func TestGeneratedObjectsCount(t *testing.T) {
	kustomization := "configMapGenerator:\n" + strings.Repeat("- {name: a, literals: [a=b]}\n", 11)
	fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte(kustomization)}}
	if _, err := Build(context.Background(), fsys, ".", Options{MaxObjects: 10}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// liar is a file system whose files have more, or a stranger size, than they say.
type liar struct {
	fstest.MapFS
	size int64
}

type lyingFile struct {
	fs.File
	size int64
}

type lyingInfo struct {
	fs.FileInfo
	size int64
}

func (l liar) Open(name string) (fs.File, error) {
	f, err := l.MapFS.Open(name)
	return lyingFile{f, l.size}, err
}

func (f lyingFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return lyingInfo{info, f.size}, err
}

func (i lyingInfo) Size() int64 { return i.size }

func TestFilesThatAreLargerThanTheySay(t *testing.T) {
	content := strings.Repeat("# filler\n", 1000) + oneObject
	fsys := fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: [a.yaml]")}, "a.yaml": {Data: []byte(content)}}
	for _, size := range []int64{0, -1, 10, math.MinInt64} {
		if _, err := Build(context.Background(), liar{fsys, size}, ".", Options{MaxFileBytes: 1000}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("size %d: got %v", size, err)
		}
		if _, err := Build(context.Background(), liar{fsys, size}, ".", Options{}); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if _, err := Build(context.Background(), liar{fsys, math.MaxInt64}, ".", Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// bomb is ten lists, each of ten of the one before.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec:\n  l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n")
	for i := 1; i < levels; i++ {
		alias := fmt.Sprintf("*l%d", i-1)
		fmt.Fprintf(&b, "  l%d: &l%d [%s]\n", i, i, strings.Join(slicesRepeat(alias, 10), ", "))
	}
	return b.String()
}

func slicesRepeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// TestAliasesAreBounded puts aliases that grow exponentially, and one that is inside its anchor, wherever YAML can stand.
func TestAliasesAreBounded(t *testing.T) {
	indented := func(text string) string { return strings.ReplaceAll("\n"+text, "\n", "\n  ") }
	for name, evil := range map[string]string{"bomb": bomb(12), "loop": "apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: &x [*x]\n"} {
		for where, kustomization := range map[string]string{
			"listed":        "resources: [evil.yaml]",
			"transformed":   "resources: [evil.yaml]\nnamePrefix: x-",
			"patch file":    "resources: [a.yaml]\npatches: [{path: evil.yaml}]",
			"patch":         "resources: [a.yaml]\npatches:\n- patch: |-" + indented("  "+strings.ReplaceAll(evil, "\n", "\n  ")),
			"old patch":     "resources: [a.yaml]\npatchesStrategicMerge:\n- |-" + indented(evil),
			"generator":     "generators: [evil.yaml]",
			"transformer":   "resources: [a.yaml]\ntransformers:\n- |-" + indented(evil),
			"openapi":       "resources: [a.yaml]\nopenapi: {path: evil.yaml}",
			"crds":          "resources: [a.yaml]\ncrds: [evil.yaml]",
			"replacement":   "resources: [a.yaml]\nreplacements: [{path: evil.yaml}]",
			"config":        "resources: [a.yaml]\nconfigurations: [evil.yaml]",
			"kustomization": evil,
		} {
			t.Run(name+" in "+where, func(t *testing.T) {
				_, err := Build(context.Background(), fstest.MapFS{
					"kustomization.yaml": {Data: []byte(kustomization)},
					"a.yaml":             {Data: []byte(oneObject)},
					"evil.yaml":          {Data: []byte(evil)},
				}, ".", Options{})
				if err == nil || !strings.Contains(err.Error(), "alias") && !strings.Contains(err.Error(), "anchor") {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// TestHarmlessAliasesPass has as many as people use.
func TestHarmlessAliasesPass(t *testing.T) {
	fsys := fstest.MapFS{"a.yaml": {Data: []byte(bomb(4))}}
	if _, err := Build(context.Background(), fsys, ".", Options{}); err != nil {
		t.Error(err)
	}
}

// TestWorkOfKustomizeIsBounded has maps that are nested deep, or wide: some kilobytes that would keep kustomize busy. Where
// it has no part in the build they are no problem.
func TestWorkOfKustomizeIsBounded(t *testing.T) {
	var wide strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&wide, "  k%d: v\n", i)
	}
	for name, content := range map[string]string{
		"deep":  oneObject + "data: " + strings.Repeat("{a: ", 1_000) + "x" + strings.Repeat("}", 1_000) + "\n",
		"wide":  oneObject + "data:\n" + wide.String(),
		"alias": oneObject + "x: &x " + strings.Repeat("{a: ", 1_000) + "x" + strings.Repeat("}", 1_000) + "\ny: *x\n",
	} {
		for kustomization, works := range map[string]bool{
			"resources: [evil.yaml]":                                                   name != "alias",
			"resources: [evil.yaml]\nnamePrefix: x-":                                   false,
			"resources: [a.yaml]\npatches: [{path: evil.yaml}]":                        false,
			"resources: [a.yaml]\npatchesStrategicMerge: [evil.yaml]":                  false,
			"resources: [a.yaml]\ntransformers: [evil.yaml]":                           false,
			"resources: [a.yaml]\nconfigMapGenerator: [{name: b, files: [evil.yaml]}]": true,
		} {
			_, err := Build(context.Background(), fstest.MapFS{
				"kustomization.yaml": {Data: []byte(kustomization)},
				"a.yaml":             {Data: []byte(oneObject)},
				"evil.yaml":          {Data: []byte(content)},
			}, ".", Options{MaxWork: 300_000})
			if works && err != nil || !works && (!errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "Options.MaxWork")) {
				t.Errorf("%s in %q: got %v", name, kustomization, err)
			}
		}
	}
}
