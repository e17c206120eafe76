package bucket_test

import (
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// Whoever gets nothing learns why there is nothing.
func TestNothingSaysWhy(t *testing.T) {
	files := map[string]string{"dev/anna/a": "1", "dev/anna/b": "2", "marked/": "", "marked/in/": "", "own/.sourceignore": "*",
		"own/c": "3"}
	for name, tt := range map[string]struct {
		objects map[string]string
		change  func(*bucket.Options)
		text    string
	}{
		"empty":      {nil, func(*bucket.Options) {}, "not found: the bucket has no objects"},
		"own only":   {map[string]string{".sourceignore": "x"}, func(*bucket.Options) {}, "no objects in the bucket but markers of folders or"},
		"prefix":     {files, func(o *bucket.Options) { o.Prefix = "dve" }, `no key starts with Options.Prefix, "dve/", which is case-sensitive`},
		"case":       {files, func(o *bucket.Options) { o.Prefix = "Dev" }, `no key starts with Options.Prefix, "Dev/", which is case-sensitive`},
		"an object":  {files, func(o *bucket.Options) { o.Prefix = "dev/anna/a" }, `"dev/anna/a/", which is case-sensitive and names a folder`},
		"all of it":  {files, func(o *bucket.Options) { o.Ignore = "*" }, "in the bucket that are not ignored: all 4 are, by Options.Ignore or"},
		"ignored":    {files, func(o *bucket.Options) { o.Prefix, o.Ignore, o.NoIgnoreFiles = "dev/anna", "*", true }, `no objects under the prefix "dev/anna/" that are not ignored: all 2 are, by Options.Ignore`},
		"own rules":  {files, func(o *bucket.Options) { o.Prefix = "own" }, "all 2 are, by .sourceignore files"},
		"marked":     {files, func(o *bucket.Options) { o.Prefix = "marked" }, `no objects under the prefix "marked/" but markers`},
		"as of then": {nil, func(o *bucket.Options) { o.Prefix, o.AsOf = "dve", time.Now() }, `no version of any key is under Options.Prefix, "dve/"`},
		"before":     {nil, func(o *bucket.Options) { o.Before.Digest = "sha256:00" }, "the bucket has no version of any key"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := bucket.Options{Driver: &memoryDriver{objects: tt.objects}}
			tt.change(&opts)
			s := newSource(t, opts)
			_, err := s.Fetch(t.Context(), source.Revision{})
			checkError(t, err, source.ErrNotFound, tt.text)
			if len(tt.objects) == 0 {
				_, err := s.History(t.Context(), 1)
				checkError(t, err, source.ErrNotFound, "no version of any key")
			}
		})
	}
}
