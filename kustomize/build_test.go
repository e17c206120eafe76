package kustomize

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"
)

const (
	oneObject = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	overlay   = `
-- app/kustomization.yaml --
resources: [../base, extra.yaml]
namePrefix: x-
-- app/extra.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
-- base/kustomization.yaml --
resources: [a.yaml, ../shared/b.yaml]
-- base/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
-- shared/b.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
-- other/c.yaml --
not read
`
)

// TestErrorsMatch says what callers can branch on.
func TestErrorsMatch(t *testing.T) {
	for name, c := range map[string]struct {
		kustomization string
		want          error
	}{
		"missing resource":      {"resources: [nope.yaml]", fs.ErrNotExist},
		"missing component":     {"components: [nope]", fs.ErrNotExist},
		"missing patch":         {"resources: [a.yaml]\npatches: [{path: nope}]", fs.ErrNotExist},
		"missing kustomization": {"resources: [../empty]", fs.ErrNotExist},
		"missing generator":     {"generators: [nope]", fs.ErrNotExist},
		"missing env file":      {"configMapGenerator: [{name: a, env: nope}]", fs.ErrNotExist},
		"remote":                {"resources: ['https://example.com/a.yaml']", ErrRemote},
		"remote generator":      {"generators: ['https://example.com/a.yaml']", ErrRemote},
		"helm":                  {"helmChartInflationGenerator: [{chartName: a}]", ErrUnsupported},
		"outside":               {"resources: [../../a.yaml]", ErrOutside},
		"remote that is text": {"generators:\n- |-\n" + strings.Repeat("  https://github.com/org/repo?x: y\n  apiVersion: builtin\n"+
			"  kind: HashTransformer\n  metadata: {name: a}\n  ---\n", 2), ErrRemote},
		"cycle":                  {"resources: [.]", ErrCycle},
		"cycle of plugins":       {"transformers: [.]", ErrCycle},
		"not an object":          {"resources: [values.yaml]", ErrNotObject},
		"duplicate":              {"resources: [a.yaml, a.yaml]", ErrDuplicate},
		"duplicate to kustomize": {"resources: [a.yaml, a.yaml]\nnamePrefix: x-", ErrDuplicate},
		"too deep":               {"resources: [../deep]", ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Build(context.Background(), fstest.MapFS{
				"app/kustomization.yaml":    {Data: []byte(c.kustomization)},
				"app/a.yaml":                {Data: []byte(oneObject)},
				"app/values.yaml":           {Data: []byte("replicas: 1\n")},
				"empty/README":              {},
				"deep/kustomization.yaml":   {Data: []byte("resources: [../deeper]")},
				"deeper/kustomization.yaml": {Data: []byte("resources: [../app/a.yaml]")},
			}, "app", Options{MaxDepth: 2})
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want one that matches %q", err, c.want)
			}
		})
	}
}

// TestBuildTakesAnySpellingOfDir says which paths dir may be.
func TestBuildTakesAnySpellingOfDir(t *testing.T) {
	fsys := fstest.MapFS{"a.yaml": {Data: []byte(oneObject)}, "app/sub/a.yaml": {Data: []byte(oneObject)}}
	for _, dir := range []string{"app", "./app", "app/", "app/sub", "app/../app"} {
		if objects, err := Build(context.Background(), fsys, dir, Options{}); err != nil || len(objects) != 1 {
			t.Errorf("%q: %d objects, %v", dir, len(objects), err)
		}
	}
	for _, dir := range []string{".", ""} {
		if _, err := Build(context.Background(), fsys, dir, Options{}); !errors.Is(err, ErrDuplicate) {
			t.Errorf("%q: %v", dir, err)
		}
	}
	for _, dir := range []string{"/app", "..", "../app", "app/../.."} {
		if _, err := Build(context.Background(), fsys, dir, Options{}); !errors.Is(err, ErrOutside) {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

// recordingFS counts how often each file is opened, and fails where it is told to.
type recordingFS struct {
	fs.FS
	mu     sync.Mutex
	opened map[string]int
	fail   string
	open   func(name string)
}

func (r *recordingFS) Open(name string) (fs.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened[name]++
	if r.open != nil {
		r.open(name)
	}
	if name == r.fail {
		return nil, &fs.PathError{Op: "open", Path: name, Err: iotest.ErrTimeout}
	}
	return r.FS.Open(name)
}

// TestBuildReadsWhatItNeedsOnce counts the accesses to the file system.
func TestBuildReadsWhatItNeedsOnce(t *testing.T) {
	fsys := &recordingFS{FS: files(overlay), opened: map[string]int{}}
	if _, err := Build(context.Background(), fsys, "app", Options{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app/extra.yaml", "base/a.yaml", "shared/b.yaml", "base/kustomization.yaml"} {
		if fsys.opened[name] != 1 {
			t.Errorf("%s was opened %d times", name, fsys.opened[name])
		}
	}
	if fsys.opened["other/c.yaml"] > 0 || fsys.opened["other"] > 0 {
		t.Error("other was looked at, though nothing names it")
	}
}

// TestBuildReturnsErrorsOfTheFileSystem fails each file in turn. None may be passed over, also not where kustomize would try
// something else.
func TestBuildReturnsErrorsOfTheFileSystem(t *testing.T) {
	all := files(overlay)
	delete(all, "other/c.yaml")
	for name := range all {
		fsys := &recordingFS{FS: all, opened: map[string]int{}, fail: name}
		_, err := Build(context.Background(), fsys, "app", Options{})
		if !errors.Is(err, iotest.ErrTimeout) || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("%s cannot be read: got %v", name, err)
		}
	}
}

// TestBuildFollowsLinksOfTheFileSystem builds from a directory on disk: a link to a file is a file, one that leads out of an
// os.Root is an error, and a link to a folder is not walked.
func TestBuildFollowsLinksOfTheFileSystem(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	for name, content := range map[string]string{
		filepath.Join(dir, "real", "a.yaml"): oneObject,
		outside:                              strings.Replace(oneObject, "name: a", "name: secret", 1),
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link(t, filepath.Join("..", "real", "a.yaml"), filepath.Join(dir, "links", "a.yaml"))
	link(t, "..", filepath.Join(dir, "links", "round"))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	objects, err := Build(context.Background(), root.FS(), "links", Options{})
	if err != nil || len(objects) != 1 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
	link(t, outside, filepath.Join(dir, "links", "escape.yaml"))
	if objects, err := Build(context.Background(), root.FS(), "links", Options{}); err == nil {
		t.Errorf("a link out of the root gave %d objects", len(objects))
	} else if !strings.Contains(err.Error(), "links/escape.yaml") {
		t.Errorf("the error does not name the link: %v", err)
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Skip(err)
	}
}

// TestObjectsShareNothing changes the objects of one build and expects those of the next to be as before.
func TestObjectsShareNothing(t *testing.T) {
	const anchors = "apiVersion: v1\nkind: List\nitems:\n" +
		"- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: &l {x: y}}}\n" +
		"- {apiVersion: v1, kind: ConfigMap, metadata: {name: b, labels: *l}}\n"
	fsys := fstest.MapFS{"a.yaml": {Data: []byte(anchors)}}
	first, err := Build(context.Background(), fsys, ".", Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := printed(t, first)
	first[0].Object["metadata"].(map[string]any)["labels"].(map[string]any)["x"] = "changed"
	if first[1].GetLabels()["x"] != "y" {
		t.Error("two objects share their labels")
	}
	second, err := Build(context.Background(), fsys, ".", Options{})
	if err != nil || printed(t, second) != before {
		t.Errorf("a second build differs: %v", err)
	}
}

// TestErrorsDoNotTellSecrets plants one where kustomize quotes what it works on.
func TestErrorsDoNotTellSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, kustomization := range []string{
		"secretGenerator: [{name: a, literals: [hunter2]}]",
		"secretGenerator: [{name: a, files: ['a=b=hunter2']}]",
		"secretGenerator: [{name: a, envs: [bad.env]}]",
		"secretGenerator: [{name: a, literals: ['a=hunter2', 'a=hunter2']}]",
		"secretGenerator: [{name: 'a b', type: [hunter2], literals: ['a=hunter2']}]",
		"resources: [s.yaml]\npatches: [{patch: 'hunter2'}]",
		"resources: [s.yaml]\npatches: [{patch: '{\"stringData\": \"hunter2\"}'}]",
		"resources: [s.yaml]\npatches: [{path: bad.env}]",
		"resources: [s.yaml]\npatchesStrategicMerge:\n- |-\n  kind: Secret\n  stringData: {password: hunter2}\n",
		"resources: [s.yaml]\npatches:\n- target: {kind: Secret}\n  patch: '[{\"op\": \"test\", \"path\": \"/data/a\", \"value\": \"hunter2\"}]'",
		"resources: [s.yaml]\nreplacements:\n- source: {kind: Secret, fieldPath: data.password, options: {delimiter: x, index: 9}}\n  targets: [{select: {kind: Secret}, fieldPaths: [data.a]}]",
		"resources: [s.yaml]\nreplacements:\n- source: {kind: Secret, fieldPath: data.password}\n  targets: [{select: {kind: Secret}, fieldPaths: [count], options: {create: true}}]",
		"resources: [s.yaml, s2.yaml]\nnamespace: x",
		"resources: [broken.yaml]",
		"resources: ['https://hunter2@example.com/x']",
		"namePrefix: [hunter2]",
		"generators:\n- |-\n  apiVersion: builtin\n  kind: SecretGenerator\n  literals: [a=hunter2\n",
	} {
		_, err := Build(context.Background(), fstest.MapFS{
			"kustomization.yaml": {Data: []byte(kustomization)},
			"bad.env":            {Data: []byte("hunter2\xff=hunter2\n")},
			"s.yaml":             {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ncount: 1\ndata: {password: hunter2}\n")},
			"s2.yaml":            {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: b}\ndata: {password: hunter2}\n")},
			"broken.yaml":        {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: !!int hunter2}\n")},
		}, ".", Options{})
		if err == nil {
			t.Errorf("no error for %s", kustomization)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s\ntells the secret: %v", kustomization, err)
		}
	}
}
