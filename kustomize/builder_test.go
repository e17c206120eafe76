package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// identified is a file system that knows its files' identities, and counts who opens them.
type identified struct {
	*recordingFS
	ids    map[string]string
	asked  int
	nobody bool // it knows none
}

func newIdentified(fsys fs.FS) *identified {
	return &identified{recordingFS: &recordingFS{FS: fsys, opened: map[string]int{}}, ids: map[string]string{}}
}

func (f *identified) Identity(name string) (string, error) {
	f.asked++
	if f.nobody || name == "." {
		return "", nil
	}
	content, err := fs.ReadFile(f.FS, name)
	return hashed(content)[1:], err
}

// changes is what can happen to the tree overlay, and whether its build is concerned.
var changes = map[string]struct {
	change    func(fsys fstest.MapFS)
	concerned bool
}{
	"nothing":                     {func(fstest.MapFS) {}, false},
	"a manifest":                  {func(f fstest.MapFS) { f["base/a.yaml"] = file(strings.Replace(oneObject, "name: a", "name: z", 1)) }, true},
	"a kustomization":             {func(f fstest.MapFS) { f["app/kustomization.yaml"] = file("resources: [../base]\n") }, true},
	"a file that nothing names":   {func(f fstest.MapFS) { f["other/c.yaml"] = file("x") }, false},
	"a new file that is not used": {func(f fstest.MapFS) { f["app/README.md"] = file("x") }, false},
	"a second kustomization":      {func(f fstest.MapFS) { f["base/kustomization.yml"] = file("resources: [a.yaml]\n") }, true},
	"a manifest gone":             {func(f fstest.MapFS) { delete(f, "base/a.yaml") }, true},
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

// TestBuilderBuildsWhereItsInputsChanged makes each change, in file systems with and without identities.
func TestBuilderBuildsWhereItsInputsChanged(t *testing.T) {
	for name, c := range changes {
		for _, nobody := range []bool{false, true} {
			before := files(overlay)
			known := newIdentified(before)
			known.nobody = nobody
			b := &Builder{Dir: "app"}
			first, err := b.Build(context.Background(), known)
			if err != nil {
				t.Fatal(err)
			}
			after := maps.Clone(before)
			c.change(after)
			next := newIdentified(after)
			next.nobody = nobody
			got, err := b.Build(context.Background(), next)
			want, wantErr := Build(context.Background(), after, "app", Options{})
			if (err == nil) != (wantErr == nil) || printed(t, got) != printed(t, want) {
				t.Errorf("%s: %v, want %v\ngot  %swant %s", name, err, wantErr, printed(t, got), printed(t, want))
			}
			if !c.concerned && printed(t, got) != printed(t, first) {
				t.Errorf("%s: the objects differ", name)
			}
			if read := next.opened["app/kustomization.yaml"] > 0; read != (c.concerned || nobody) {
				t.Errorf("%s, identities %v: files were read: %v", name, !nobody, read)
			}
		}
	}
}

// TestBuilderReturnsItsObjectsAgain gives the same objects in a slice of their own, and new ones where something has changed.
func TestBuilderReturnsItsObjectsAgain(t *testing.T) {
	b, fsys := &Builder{Dir: "app"}, files(overlay)
	first, err := b.Build(context.Background(), fsys)
	if err != nil {
		t.Fatal(err)
	}
	kept := slices.Clone(first)
	first[0] = nil
	second, err := b.Build(context.Background(), fsys)
	if err != nil || !slices.Equal(second, kept) {
		t.Errorf("%v, %v, want %v", second, err, kept)
	}
	before := printed(t, kept)
	fsys["base/a.yaml"] = file(strings.Replace(oneObject, "name: a", "name: z", 1))
	third, err := b.Build(context.Background(), fsys)
	if err != nil || printed(t, kept) != before || printed(t, third) == before {
		t.Errorf("%v, %s", err, printed(t, third))
	}
	for _, o := range third {
		if slices.Contains(kept, o) {
			t.Errorf("an object of the last build: %v", o)
		}
	}
}

func TestBuilderWithoutAnything(t *testing.T) {
	b := &Builder{Dir: "empty"}
	for range 2 {
		objects, err := b.Build(context.Background(), fstest.MapFS{"empty": {Mode: fs.ModeDir}})
		if err != nil || objects == nil || len(objects) > 0 {
			t.Errorf("%v, %v", objects, err)
		}
	}
}

// TestBuilderAfterAFailure neither keeps an error nor loses the last good build.
func TestBuilderAfterAFailure(t *testing.T) {
	good, b := files(overlay), &Builder{Dir: "app"}
	if _, err := b.Build(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	bad := maps.Clone(good)
	bad["base/a.yaml"] = file("kind: x")
	for range 2 {
		if objects, err := b.Build(context.Background(), bad); !errors.Is(err, ErrNotObject) || objects != nil {
			t.Errorf("%v, %v", objects, err)
		}
	}
	if in := b.Inputs(); !in.Concern("base/a.yaml") {
		t.Errorf("the failed build says nothing of the file that it failed at: %+v", in)
	}
	known := newIdentified(good)
	if _, err := b.Build(context.Background(), known); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if objects, err := b.Build(ctx, good); !errors.Is(err, context.Canceled) || objects != nil {
		t.Errorf("%v, %v", objects, err)
	}
}

func TestInputs(t *testing.T) {
	b := &Builder{Dir: "app"}
	if _, err := b.Build(context.Background(), files(overlay)); err != nil {
		t.Fatal(err)
	}
	in := b.Inputs()
	for _, name := range []string{"app/kustomization.yaml", "base/kustomization.yaml", "base/a.yaml"} {
		if !slices.Contains(in.Files, name) {
			t.Errorf("%s is not in %v", name, in.Files)
		}
	}
	if !slices.Contains(in.Absent, "app/Kustomization") || len(in.Folders) > 0 {
		t.Errorf("absent %v, folders %v", in.Absent, in.Folders)
	}
	if in.Concern("other/c.yaml") || in.Concern("app/new.yaml") || !in.Concern("app/kustomization.yml") {
		t.Error("wrong about what concerns it")
	}
}

// TestInputsOfAFolderWithoutAKustomization depends on what comes into the folder. Each file is added by itself, and what
// Concern says has to be what happens.
func TestInputsOfAFolderWithoutAKustomization(t *testing.T) {
	before := fstest.MapFS{
		"app/a.yaml":                    file(oneObject),
		"app/sub/b.yaml":                file(strings.Replace(oneObject, "name: a", "name: b", 1)),
		"app/built/c.yaml":              file(strings.Replace(oneObject, "name: a", "name: c", 1)),
		"app/built/kustomization.yaml":  file("resources: [c.yaml]\n"),
		"app/.hidden/d.yaml":            file("x"),
		"app/docs/readme.md":            file("x"),
		"app/docs/deep/.keep":           file(""),
		"elsewhere/kustomization.yaml":  file("resources: [x.yaml]\n"),
		"app/built/deep/er/another.yml": file("x"),
	}
	b := &Builder{Dir: "app"}
	first, err := b.Build(context.Background(), before)
	if err != nil {
		t.Fatal(err)
	}
	in := b.Inputs()
	for name, concern := range map[string]bool{
		"app/new.yaml": true, "app/new.yml": true, "app/new.txt": false, "app/.new.yaml": false, "app/Kustomization": true,
		"app/new/x/y.yaml": true, "app/new/.x/y.yaml": false, "app/built/new.yaml": false, "app/built/new/x.yaml": false,
		"app/built/kustomization.yml": true, "app/sub/kustomization.yaml": true, "app/docs/deep/x.yaml": true,
		"app/.hidden/x.yaml": false, "new.yaml": false, "elsewhere/x.yaml": false, "app/docs/x.md": false,
	} {
		if in.Concern(name) != concern {
			t.Errorf("%s: Concern says %v", name, !concern)
		}
		after := maps.Clone(before)
		after[name] = file(strings.Replace(oneObject, "name: a", "name: new", 1))
		if path.Base(name) == "kustomization.yml" || strings.Contains(name, "ustomization") {
			after[name] = file("resources: []\nnamePrefix: x-\n")
		}
		got, err := b.Build(context.Background(), after)
		want, wantErr := Build(context.Background(), after, "app", Options{})
		if (err == nil) != (wantErr == nil) || printed(t, got) != printed(t, want) {
			t.Errorf("%s: %v, want %v: %s", name, err, wantErr, printed(t, got))
		}
		if changed := err != nil || printed(t, got) != printed(t, first); changed != concern {
			t.Errorf("%s: the build has changed: %v", name, changed)
		}
	}
}

// TestBuilderIsUsedByMany builds two trees in turn, from several goroutines.
func TestBuilderIsUsedByMany(t *testing.T) {
	one, two := files(overlay), files(overlay)
	two["base/a.yaml"] = file(strings.Replace(oneObject, "name: a", "name: z", 1))
	b := &Builder{Dir: "app"}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			fsys := []fs.FS{one, two}[i%2]
			want, err := Build(context.Background(), fsys, "app", Options{})
			if err != nil {
				t.Error(err)
			}
			for range 20 {
				got, err := b.Build(context.Background(), fsys)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v, %v", got, err)
				}
				b.Inputs()
			}
		})
	}
	all.Wait()
}

// TestBuilderBuildsWhereAVariableChanged asks for what the build looked up, and for nothing else.
func TestBuilderBuildsWhereAVariableChanged(t *testing.T) {
	values, asked := map[string]string{"a": "1", "unused": "1"}, 0
	b := &Builder{Dir: ".", Options: Options{Variables: Variables{
		Lookup: func(_ context.Context, name string) (string, bool, error) {
			asked++
			value, ok := values[name]
			return value, ok, nil
		},
	}}}
	fsys := fstest.MapFS{"a.yaml": file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: \"${a}\", b: \"${b:=none}\"}\n")}
	for i, step := range []struct{ name, value, want string }{
		{"", "", `{"a":"1","b":"none"}`},
		{"unused", "2", `{"a":"1","b":"none"}`},
		{"a", "2", `{"a":"2","b":"none"}`},
		{"b", "here", `{"a":"2","b":"here"}`},
	} {
		if step.name != "" {
			values[step.name] = step.value
		}
		known := &recordingFS{FS: fsys, opened: map[string]int{}}
		asked = 0
		objects, err := b.Build(context.Background(), known)
		if err != nil || !strings.Contains(printed(t, objects), step.want) {
			t.Errorf("step %d: %v, %s", i, err, printed(t, objects))
		}
		if asked > 4 || i == 1 && asked != 2 {
			t.Errorf("step %d: asked %d times", i, asked)
		}
	}
}

// TestBuilderNoticesALinkThatLeadsElsewhere changes nothing but where the base is.
func TestBuilderNoticesALinkThatLeadsElsewhere(t *testing.T) {
	link := func(to string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink} }
	before := fstest.MapFS{
		"app/kustomization.yaml": file("resources: [../base]\n"), "base": link("one"),
		"one/kustomization.yaml": file("resources: [a.yaml]\n"), "one/a.yaml": file(oneObject),
		"two/kustomization.yaml": file("resources: [a.yaml]\n"), "two/a.yaml": file(strings.Replace(oneObject, "name: a", "name: b", 1)),
	}
	after := maps.Clone(before)
	after["base"] = link("two")
	b := &Builder{Dir: "app"}
	for _, step := range []struct {
		fsys fstest.MapFS
		name string
	}{{before, "a"}, {after, "b"}, {after, "b"}, {before, "a"}} {
		objects, err := b.Build(context.Background(), step.fsys)
		if err != nil || objects[0].GetName() != step.name {
			t.Fatalf("got %v, %v, want %s", objects, err, step.name)
		}
		if !b.Inputs().Concern("base") {
			t.Error("the link does not concern it")
		}
	}
}

// TestBuilderAsksForRemoteBasesAgain serves a base that changes.
func TestBuilderAsksForRemoteBasesAgain(t *testing.T) {
	served, asked := fstest.MapFS{"kustomization.yaml": file("resources: [a.yaml]\n"), "a.yaml": file(oneObject)}, 0
	b := &Builder{Dir: ".", Options: Options{Remote: func(context.Context, Reference) (fs.FS, error) {
		asked++
		return maps.Clone(served), nil
	}}}
	fsys := fstest.MapFS{"kustomization.yaml": file("resources: ['https://h/o/r?ref=v1']\nnamePrefix: x-\n")}
	for i, step := range []struct {
		object, name string
		asked        int
	}{{oneObject, "x-a", 1}, {oneObject, "x-a", 2}, {strings.Replace(oneObject, "name: a", "name: b", 1), "x-b", 3}} {
		served["a.yaml"] = file(step.object)
		objects, err := b.Build(context.Background(), fsys)
		if err != nil || objects[0].GetName() != step.name || asked != step.asked {
			t.Fatalf("step %d: %v, %v, asked %d times", i, objects, err, asked)
		}
	}
	in := b.Inputs()
	if len(in.Remote) != 1 || in.Remote[0].Reference.Ref != "v1" || !in.Remote[0].Inputs.Concern("a.yaml") || in.Concern("a.yaml") {
		t.Errorf("inputs: %+v", in)
	}
}

// TestBuilderNoticesAFolderThatBecomesAFile has one with the name of a kustomization, which kustomize passes over.
func TestBuilderNoticesAFolderThatBecomesAFile(t *testing.T) {
	before := fstest.MapFS{
		"app/kustomization.yaml": file("resources: [a.yaml]\n"), "app/a.yaml": file(oneObject), "app/Kustomization/x": file("x"),
	}
	after := maps.Clone(before)
	delete(after, "app/Kustomization/x")
	after["app/Kustomization"] = file("resources: []\n")
	b := &Builder{Dir: "app"}
	for range 2 {
		if objects, err := b.Build(context.Background(), before); err != nil || len(objects) != 1 {
			t.Fatalf("%v, %v", objects, err)
		}
		if !b.Inputs().Concern("app/Kustomization") {
			t.Error("the folder does not concern it")
		}
		if _, err := b.Build(context.Background(), after); err == nil || !strings.Contains(err.Error(), "a second kustomization file") {
			t.Errorf("got %v", err)
		}
	}
}

// TestBuilderNoticesAFolderThatBecomesALink moves a folder and leaves a link: all its files are the same, but not where they
// go up to. So does one without a kustomization, and links to itself at last.
func TestBuilderNoticesAFolderThatBecomesALink(t *testing.T) {
	link := func(to string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink} }
	other := file(strings.Replace(oneObject, "name: a", "name: b", 1))
	kustomization := file("resources: [../a.yaml]\nnamePrefix: x-\n")
	before := fstest.MapFS{"app/kustomization.yaml": kustomization, "a.yaml": file(oneObject), "list/a.yaml": file(oneObject)}
	after := fstest.MapFS{
		"app": link("deep/app"), "deep/app/kustomization.yaml": kustomization, "a.yaml": file(oneObject), "deep/a.yaml": other,
		"list": link("list"),
	}
	b := &Builder{Dir: "app"}
	for _, step := range []struct {
		fsys fs.FS
		name string
	}{{before, "x-a"}, {after, "x-b"}, {before, "x-a"}} {
		if objects, err := b.Build(context.Background(), step.fsys); err != nil || objects[0].GetName() != step.name {
			t.Errorf("%v, %v, want %s", objects, err, step.name)
		}
	}
	b = &Builder{Dir: "list"}
	if _, err := b.Build(context.Background(), before); err != nil {
		t.Fatal(err)
	}
	if objects, err := b.Build(context.Background(), after); !errors.Is(err, ErrCycle) {
		t.Errorf("%v, %v", objects, err)
	}
}

// TestInputsOfABuildThatFailed have what it failed at.
func TestInputsOfABuildThatFailed(t *testing.T) {
	for name, fsys := range map[string]fstest.MapFS{
		"too large":           {"a.yaml": file(strings.Repeat("#", 1000))},
		"a link to elsewhere": {"a.yaml": &fstest.MapFile{Data: []byte("/elsewhere"), Mode: fs.ModeSymlink}},
		"a link to nothing":   {"a.yaml": &fstest.MapFile{Data: []byte("nothing"), Mode: fs.ModeSymlink}},
		"absent":              {},
		"a folder":            {"a.yaml/b.yaml": file("x")},
	} {
		fsys["kustomization.yaml"] = file("resources: [a.yaml]\n")
		b := &Builder{Dir: ".", Options: Options{MaxFileBytes: 500}}
		if _, err := b.Build(context.Background(), fsys); err == nil {
			t.Errorf("%s: no error", name)
		}
		concern := "a.yaml"
		if name == "a folder" {
			concern = "a.yaml/kustomization.yaml"
		}
		if in := b.Inputs(); !in.Concern(concern) {
			t.Errorf("%s: %s does not concern it: %+v", name, concern, in)
		}
	}
}

// TestInputsOfAMissingComponent depend on the folder that is not there, which is there as soon as there is anything in it.
func TestInputsOfAMissingComponent(t *testing.T) {
	b := &Builder{Dir: "app", Options: Options{Overlay: Overlay{
		Components: []string{"debug", "new/er"}, IgnoreMissingComponents: true,
	}}}
	for tree, listed := range map[string]bool{"resources: [a.yaml]\n": false, "": true} {
		fsys := fstest.MapFS{"app/a.yaml": file(oneObject)}
		if tree != "" {
			fsys["app/kustomization.yaml"] = file(tree)
		}
		if _, err := b.Build(context.Background(), fsys); err != nil {
			t.Fatal(err)
		}
		in := b.Inputs()
		for name, concern := range map[string]bool{
			"app/debug": true, "app/debug/kustomization.yaml": true, "app/debug/README.md": true, "app/new/er/x/y": true,
			"app/new/x.yaml": listed, "app/new/README.md": false, "app/debugger/README.md": false, "debug/a.yaml": false,
			"/app/a.yaml": true, "../app/a.yaml": true, "app/../a.yaml": false, "./app/debug/": true, "": false, "/": true, // nobody knows of those
		} {
			if in.Concern(name) != concern {
				t.Errorf("listed %v: of %q Concern says %v", listed, name, !concern)
			}
		}
		after := maps.Clone(fsys)
		after["app/debug/kustomization.yaml"] = file("kind: Component\nnamePrefix: debug-\n")
		if objects, err := b.Build(context.Background(), after); err != nil && !listed || err == nil && objects[0].GetName() != "debug-a" {
			t.Errorf("listed %v: %v, %v", listed, objects, err)
		}
	}
}

// TestInputsAfterAMistakeThatWasTakenBack are those of the good build again, and between the two those of both.
func TestInputsAfterAMistakeThatWasTakenBack(t *testing.T) {
	good := fstest.MapFS{
		"app/kustomization.yaml": file("resources: [a.yaml, z.yaml]\n"), "app/a.yaml": file(oneObject),
		"app/z.yaml": file(strings.Replace(oneObject, "name: a", "name: z", 1)),
	}
	bad := maps.Clone(good)
	bad["app/kustomization.yaml"] = file("resources: [b.yaml, a.yaml, z.yaml]\n")
	b := &Builder{Dir: "app"}
	if !b.Inputs().Concern("anything") {
		t.Error("before the first build nothing concerns it")
	}
	for i, step := range []struct {
		fsys fs.FS
		ok   bool
	}{{good, true}, {bad, false}, {good, true}} {
		_, err := b.Build(context.Background(), step.fsys)
		if (err == nil) != step.ok {
			t.Fatal(err)
		}
		in := b.Inputs()
		if !in.Concern("app/z.yaml") || !in.Concern("app/a.yaml") || in.Concern("app/b.yaml") == step.ok {
			t.Errorf("step %d: %+v", i, in)
		}
	}
}

// TestPrintingABuilderShowsNoSecrets prints it after a build with credentials in a reference and in a variable.
func TestPrintingABuilderShowsNoSecrets(t *testing.T) {
	b := &Builder{Dir: ".", Options: Options{
		Remote: func(context.Context, Reference) (fs.FS, error) {
			return fstest.MapFS{"kustomization.yaml": file("resources: [a.yaml]\n"), "a.yaml": file(oneObject + "data: {a: '${v}'}\n")}, nil
		},
		Variables: Variables{Values: map[string]string{"v": "s3cret"}},
	}}
	fsys := fstest.MapFS{"kustomization.yaml": file("resources: ['https://user:s3cret@h/o/r?ref=v1&token=s3cret']\n")}
	if _, err := b.Build(context.Background(), fsys); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, printed := range []any{b, b.Inputs(), b.Options} {
			if text := fmt.Sprintf(verb, printed); strings.Contains(text, "s3cret") {
				t.Errorf("%s: %s", verb, text)
			}
		}
	}
}
