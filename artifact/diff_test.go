package artifact_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/gitopskit/gitopskit/artifact"
)

// before and after differ in each way in which a path can, and in the shape of
// paths that sort differently as text than as elements.
func diffBefore() fstest.MapFS {
	return fstest.MapFS{
		"app.yaml":        file("kind: Service\n"),
		"app/deploy.yaml": file("replicas: 1\n"),
		"app/gone.yaml":   file("x"),
		"app/same.yaml":   file("same"),
		"bin/both":        file("#!/bin/sh\n"),
		"bin/run":         file("#!/bin/sh\n"),
		"current":         link("app"),
		"folder":          file("soon a folder"),
		"link":            file("soon a link"),
		"swap":            file("123"),
	}
}

func diffAfter() fstest.MapFS {
	return fstest.MapFS{
		"app.yaml":         file("kind: Service\n"),
		"app-new.yaml":     file(""),
		"app/deploy.yaml":  file("replicas: 10\n"),
		"app/moved/x.yaml": file("x"),
		"app/same.yaml":    file("same"),
		"bin/both":         script("#!/bin/bash\n"),
		"bin/run":          script("#!/bin/sh\n"),
		"current":          link("bin"),
		"folder/file":      file("soon a folder"),
		"link":             link("app.yaml"),
		"swap":             file("321"),
	}
}

const diffText = `added app-new.yaml: file, 0 bytes
changed app/deploy.yaml: content, 12 to 13 bytes
removed app/gone.yaml: file, 1 byte
added app/moved/x.yaml: file, 1 byte
changed bin/both: file to executable, content, 10 to 12 bytes
changed bin/run: file to executable
changed current: target app to bin
removed folder: file, 13 bytes
added folder/file: file, 13 bytes
changed link: file, 11 bytes, became symlink to app.yaml
changed swap: content, 3 bytes`

func TestDiffTellsEachPathThatDiffers(t *testing.T) {
	from, to := contentsOf(t, diffBefore()), contentsOf(t, diffAfter())
	changes := artifact.Diff(from, to)
	if got := changes.String(); got != diffText {
		t.Errorf("changes are\n%s\nnot\n%s", got, diffText)
	}
	if got := changes.Summary(); got != "3 added, 2 removed, 6 changed" {
		t.Errorf("summary is %q", got)
	}
	for _, c := range changes {
		noFrom, noTo := c.From == artifact.Leaf{}, c.To == artifact.Leaf{}
		if noFrom != (c.Action == artifact.Added) || noTo != (c.Action == artifact.Removed) {
			t.Errorf("%v comes from %+v and goes to %+v", c, c.From, c.To)
		}
	}
	// An artifact and a tree compare as two trees do.
	data, d := pack(t, diffAfter(), artifact.PackOptions{Compression: artifact.Zstd})
	if got := artifact.Diff(from, readContents(t, data, d)); !reflect.DeepEqual(got, changes) {
		t.Errorf("changes to the artifact are\n%v", got)
	}
}

func TestDiffBackIsTheInverse(t *testing.T) {
	from, to := contentsOf(t, diffBefore()), contentsOf(t, diffAfter())
	var want artifact.Changes
	for _, c := range artifact.Diff(from, to) {
		c.From, c.To = c.To, c.From
		switch c.Action {
		case artifact.Added:
			c.Action = artifact.Removed
		case artifact.Removed:
			c.Action = artifact.Added
		}
		want = append(want, c)
	}
	if got := artifact.Diff(to, from); !reflect.DeepEqual(got, want) {
		t.Errorf("changes back are\n%v\nnot\n%v", got, want)
	}
}

func TestDiffOfEqualTreesIsEmptyAndNotNil(t *testing.T) {
	all := contentsOf(t, sample())
	for _, c := range []artifact.Contents{all, {}, nil} {
		changes := artifact.Diff(c, c)
		if text, err := json.Marshal(changes); err != nil || string(text) != "[]" {
			t.Errorf("changes of nothing are %s, %v", text, err)
		}
		if changes.String() != "" || changes.Summary() != "no changes" {
			t.Errorf("changes of nothing read %q, %q", changes, changes.Summary())
		}
	}
}

func TestDiffTakesContentsInAnyOrderAndLeavesThemSo(t *testing.T) {
	from, to := contentsOf(t, diffBefore()), contentsOf(t, diffAfter())
	slices.Reverse(from)
	slices.Reverse(to)
	wasFrom, wasTo := slices.Clone(from), slices.Clone(to)
	if got := artifact.Diff(from, to).String(); got != diffText {
		t.Errorf("changes are\n%s\nnot\n%s", got, diffText)
	}
	equalContents(t, "from", from, wasFrom)
	equalContents(t, "to", to, wasTo)
}

func TestChangesUnderAFolder(t *testing.T) {
	changes := artifact.Diff(contentsOf(t, diffBefore()), contentsOf(t, diffAfter()))
	tests := []struct {
		dir   string
		paths []string
	}{
		{"app", []string{"app/deploy.yaml", "app/gone.yaml", "app/moved/x.yaml"}},
		{"app/", []string{"app/deploy.yaml", "app/gone.yaml", "app/moved/x.yaml"}},
		{"app/moved", []string{"app/moved/x.yaml"}},
		{"folder", []string{"folder", "folder/file"}},
		{"current", []string{"current"}},
		{"app.yaml", nil},
		{"ap", nil},
		{"nowhere", nil},
	}
	for _, tt := range tests {
		var got []string
		for _, c := range changes.Under(tt.dir) {
			got = append(got, c.Path)
		}
		if !slices.Equal(got, tt.paths) {
			t.Errorf("under %q: %q, not %q", tt.dir, got, tt.paths)
		}
	}
	if got := changes.Under("."); !reflect.DeepEqual(got, changes) {
		t.Errorf("under the root: %v", got)
	}
}

func TestChangesGoThroughJSON(t *testing.T) {
	from := artifact.Contents{execEntry("bin/run", ""), linkEntry("current", "v1")}
	to := artifact.Contents{linkEntry("current", "v2"), linkEntry("next", "v3")}
	changes := artifact.Diff(from, to)
	text, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"path":"bin/run","action":"removed","from":{"kind":"executable","size":0,` +
		`"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},` +
		`{"path":"current","action":"changed","from":{"kind":"symlink","size":2,"target":"v1"},` +
		`"to":{"kind":"symlink","size":2,"target":"v2"}},` +
		`{"path":"next","action":"added","to":{"kind":"symlink","size":2,"target":"v3"}}]`
	if string(text) != want {
		t.Errorf("JSON is\n%s\nnot\n%s", text, want)
	}
	var back artifact.Changes
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, changes) {
		t.Errorf("after JSON: %v, %v", back, err)
	}
}

func TestChangesQuotePathsThatCouldMislead(t *testing.T) {
	to := artifact.Contents{fileEntry("a\nremoved b", ""), linkEntry("c", "x\x1b[2J"), fileEntry("d e", "")}
	const want = `added "a\nremoved b": file, 0 bytes
added c: symlink to "x\x1b[2J"
added "d e": file, 0 bytes`
	if got := artifact.Diff(nil, to).String(); got != want {
		t.Errorf("changes are\n%s\nnot\n%s", got, want)
	}
}
