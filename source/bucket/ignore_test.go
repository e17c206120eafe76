package bucket_test

import (
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// names are the paths of all files.
func names(t *testing.T, content fs.FS) []string {
	t.Helper()
	var all []string
	must(t, fs.WalkDir(content, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

// fluxRevision is the one that Flux gives to objects with these contents, which were put in one piece.
func fluxRevision(files map[string][]byte) string {
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %x\n", key, md5.Sum(files[key]))
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func TestRevisionIsThatOfFlux(t *testing.T) {
	b := testbed.S3(t)
	files := map[string][]byte{"a b": []byte("1"), "a-b": []byte("2"), "a/c": []byte("3"), "ä": {}, "prod/x": []byte("4")}
	must(t, put(t.Context(), b, files))
	if got := fetch(t, newSource(t, options(b)), source.Revision{}).Revision.Digest.Encoded(); got != fluxRevision(files) {
		t.Errorf("got %s", got)
	}
	opts := options(b)
	opts.Prefix = "prod"
	maps.DeleteFunc(files, func(key string, _ []byte) bool { return !strings.HasPrefix(key, "prod/") })
	if got := fetch(t, newSource(t, opts), source.Revision{}).Revision.Digest.Encoded(); got != fluxRevision(files) {
		t.Errorf("with a prefix: got %s", got)
	}
}

func TestIgnoreRules(t *testing.T) {
	files := map[string][]byte{
		".sourceignore": []byte("*.md\n/docs/\n"), "README.md": []byte("x"), "docs/a.yaml": []byte("x"), "app/docs/b.yaml": []byte("x"),
		"app/.sourceignore": []byte("!keep.md\nsecret.*\n"), "app/keep.md": []byte("x"), "app/secret.yaml": []byte("x"),
		"app/c.yaml": []byte("x"), "tmp/d.yaml": []byte("x"), "docs/.sourceignore": []byte("!*\n"),
	}
	for name, tt := range map[string]struct {
		opts bucket.Options
		want []string
		gets int
	}{
		"files": {bucket.Options{}, []string{"app/.sourceignore", "app/c.yaml", "app/docs/b.yaml", "app/keep.md", "tmp/d.yaml"}, 6},
		"and options": {bucket.Options{Ignore: "tmp/\n!docs/\n"},
			[]string{"app/.sourceignore", "app/c.yaml", "app/docs/b.yaml", "app/keep.md", "docs/.sourceignore", "docs/a.yaml"}, 7},
		"options alone": {bucket.Options{Ignore: "*\n!*/\n!*.yaml\n", NoIgnoreFiles: true},
			[]string{"app/c.yaml", "app/docs/b.yaml", "app/secret.yaml", "docs/a.yaml", "tmp/d.yaml"}, 5},
		"none":   {bucket.Options{NoIgnoreFiles: true}, slices.Sorted(maps.Keys(files)), 10},
		"prefix": {bucket.Options{Prefix: "app"}, []string{".sourceignore", "c.yaml", "docs/b.yaml", "keep.md"}, 4},
		"kept prefix": {bucket.Options{Prefix: "app", KeepPrefix: true, Ignore: "/app/docs/\n"},
			[]string{"app/.sourceignore", "app/c.yaml", "app/keep.md"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := testbed.S3(t)
			must(t, put(t.Context(), b, files))
			recorder := &testbed.Recorder{}
			opts := options(b)
			opts.Prefix, opts.KeepPrefix, opts.Ignore, opts.NoIgnoreFiles = tt.opts.Prefix, tt.opts.KeepPrefix, tt.opts.Ignore, tt.opts.NoIgnoreFiles
			opts.Transport = recorder
			s := newSource(t, opts)
			snapshot := fetch(t, s, source.Revision{})
			if got := names(t, snapshot); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := len(recorder.Take()); got != 1+tt.gets {
				t.Errorf("got %d requests, want a LIST and %d GETs", got, tt.gets)
			}
			if _, err := s.Fetch(t.Context(), snapshot.Revision); !errors.Is(err, source.ErrNotModified) {
				t.Errorf("got %v", err)
			}
			if got := recorder.Take(); len(got) != 1 {
				t.Errorf("nothing changed: got %q", got)
			}
		})
	}
}

// An ignore file is read anew only where its ETag moved, and what it brings in or leaves out changes the revision.
func TestIgnoreFileThatChanges(t *testing.T) {
	b := testbed.S3(t)
	must(t, put(t.Context(), b, map[string][]byte{".sourceignore": []byte("b\n"), "a": []byte("a"), "b": []byte("b")}))
	recorder := &testbed.Recorder{}
	opts := options(b)
	opts.Transport = recorder
	s := newSource(t, opts)
	first := fetch(t, s, source.Revision{})
	must(t, b.Put(t.Context(), ".sourceignore", []byte("# not b any more\n")))
	recorder.Take()
	second := fetch(t, s, first.Revision)
	if got := names(t, second); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q", got)
	}
	if got := recorder.Take(); len(got) != 3 {
		t.Errorf("got %q, want a LIST, the ignore file and b", got)
	}
	must(t, b.Put(t.Context(), ".sourceignore", []byte("# another comment\n")))
	if _, err := s.Fetch(t.Context(), second.Revision); !errors.Is(err, source.ErrNotModified) {
		t.Errorf("got %v", err)
	}
	if got := recorder.Take(); len(got) != 2 {
		t.Errorf("got %q, want a LIST and the ignore file", got)
	}
}

func TestIgnoredKeysCountForNoLimit(t *testing.T) {
	b := testbed.S3(t)
	must(t, put(t.Context(), b, map[string][]byte{"a": []byte("a"), "x/1": []byte("xxxx"), "x/2": {}, "x/y/z/2": {}}))
	opts := options(b)
	opts.Ignore, opts.Limits = "x/\n", source.Limits{MaxFiles: 1, MaxBytes: 1, MaxFileBytes: 1, MaxDepth: 1}
	fetch(t, newSource(t, opts), source.Revision{})
	opts.MaxKeys = 3
	_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrTooLarge, "Options.MaxKeys")
	opts.MaxKeys, opts.Ignore = 0, "*\n"
	_, err = newSource(t, opts).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrNotFound, "ignore")
}
