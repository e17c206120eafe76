package bucket_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// Whatever versions a store lists, a state is told by them or a typed error.
func TestOddHistories(t *testing.T) {
	version := func(key, id, at string, latest bool) listedVersion {
		return listedVersion{Key: key, VersionId: id, LastModified: at, ETag: "e" + id, IsLatest: latest, Size: 1}
	}
	for name, tt := range map[string]struct {
		page versionPage
		want string // the revision's listing as of 2024; empty: an error
		text string
	}{
		"latest twice":   {versionPage{Version: []listedVersion{version("a", "2", "2023-01-02T00:00:00Z", true), version("a", "1", "2023-01-01T00:00:00Z", true)}}, "a e2", ""},
		"none is latest": {versionPage{Version: []listedVersion{version("a", "2", "2023-01-02T00:00:00Z", false), version("a", "1", "2023-01-01T00:00:00Z", false)}}, "a e2", ""},
		"far future":     {versionPage{Version: []listedVersion{version("a", "2", "9999-12-31T23:59:59Z", true), version("a", "1", "2023-01-01T00:00:00Z", false)}}, "a e1", ""},
		"far past":       {versionPage{Version: []listedVersion{version("a", "2", "0001-01-01T00:00:01Z", true), version("a", "1", "0001-01-01T00:00:00Z", false)}}, "a e2", ""},
		"deleted, unknown": {versionPage{Version: []listedVersion{version("a", "1", "2023-01-01T00:00:00Z", true)},
			DeleteMarker: []listedVersion{version("b", "1", "2023-01-01T00:00:00Z", true)}}, "a e1", ""},
		"deleted, only": {versionPage{DeleteMarker: []listedVersion{version("b", "1", "2023-01-01T00:00:00Z", true)}}, "", "not found"},
		"no time":       {versionPage{Version: []listedVersion{version("a", "1", "", true)}}, "", ""},
		"no id":         {versionPage{Version: []listedVersion{version("a", "", "2023-01-01T00:00:00Z", true)}}, "", "no ids"},
		"same twice":    {versionPage{Version: []listedVersion{version("a", "1", "2023-01-01T00:00:00Z", true), version("a", "1", "2023-01-01T00:00:00Z", true)}}, "a e1", ""},
		"odd id":        {versionPage{Version: []listedVersion{version("a", "1&versionId=2 \t#é", "2023-01-01T00:00:00Z", true)}}, "", "ETag"},
		"nothing":       {versionPage{}, "", "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Has("versions") {
					_ = xml.NewEncoder(w).Encode(tt.page)
					return
				}
				w.Header().Set("ETag", `"e`+r.URL.Query().Get("versionId")+`"`)
				fmt.Fprint(w, "x")
			}))
			defer server.Close()
			opts := bucket.Options{Endpoint: server.URL, Bucket: "fleet", AsOf: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
			snapshot, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if tt.want == "" {
				checkError(t, err, nil, tt.text)
			} else if must(t, err); snapshot.Revision != revisionOf(tt.want+"\n") {
				t.Errorf("got %s", snapshot.Revision)
			}
			changes, err := newSource(t, opts).History(t.Context(), 0)
			if err == nil && len(changes) == 0 || err != nil && changes != nil {
				t.Errorf("got %v, %v", changes, err)
			}
			for _, change := range changes {
				opts.AsOf, opts.Before = time.Time{}, change.Revision
				if change.Revision.IsZero() {
					continue
				}
				if _, err := newSource(t, opts).Fetch(t.Context(), source.Revision{}); err != nil && !errors.Is(err, source.ErrNotFound) && tt.want != "" {
					t.Errorf("before %s: got %v", change.Revision, err)
				}
			}
		})
	}
}

func revisionOf(text string) source.Revision {
	return source.Revision{Digest: digest.FromString(text)}
}

// Many versions of ignore files, with many keys, end with the context.
func TestWalkingBackEndsWithTheContext(t *testing.T) {
	h := newHistoryStore()
	for i := range 2000 {
		h.write(fmt.Sprintf("k%05d", i), "1")
	}
	for i := range 2000 {
		h.after(time.Millisecond).write(".sourceignore", fmt.Sprint("# ", i%2))
	}
	for _, change := range []func(*bucket.Options){
		func(*bucket.Options) {},
		func(o *bucket.Options) { o.Before = revisionOf("none") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		s := h.source(t, change)
		if changes, err := s.History(ctx, 0); changes != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %d changes, %v", len(changes), err)
		}
		_, err := s.Fetch(ctx, source.Revision{})
		checkError(t, err, context.DeadlineExceeded, "")
		cancel()
	}
}

// Options that change what is read, all at once, and several sources that share what they read.
func TestOptionsTogether(t *testing.T) {
	h := newHistoryStore()
	h.write("prod/a", "1", "prod/.sourceignore", "*.md", "prod/x.md", "1", "prod/sub/b", "1", "other/c", "1", ".sourceignore", "*")
	before := h.now
	h.after(time.Hour).write("prod/a", "2", "prod/sub/b", "")
	c := bucket.NewCache(bucket.CacheOptions{})
	var group sync.WaitGroup
	for _, tt := range []struct {
		set  func(*bucket.Options)
		want string
	}{
		{func(o *bucket.Options) {}, "map[.sourceignore:*.md a:2]"},
		{func(o *bucket.Options) { o.KeepPrefix = true }, "map[prod/.sourceignore:*.md prod/a:2]"},
		{func(o *bucket.Options) { o.AsOf = before }, "map[.sourceignore:*.md a:1 sub/b:1]"},
		{func(o *bucket.Options) { o.AsOf, o.KeepPrefix, o.Ignore = before, true, "/prod/sub" }, "map[prod/.sourceignore:*.md prod/a:1]"},
		{func(o *bucket.Options) { o.AsOf, o.Ignore = before, "/sub\n.sourceignore" }, "map[a:1]"},
		{func(o *bucket.Options) { o.NoIgnoreFiles = true }, "map[.sourceignore:*.md a:2 x.md:1]"},
		{func(o *bucket.Options) { o.NoIgnoreFiles, o.Ignore, o.AsOf = true, "*\n!x.md", before }, "map[x.md:1]"},
	} {
		s := h.source(t, func(o *bucket.Options) { o.Prefix, o.Cache = "prod", c; tt.set(o) })
		for range 3 {
			group.Go(func() {
				snapshot, err := s.Fetch(t.Context(), source.Revision{})
				if err != nil {
					t.Error(err)
				} else if got := fmt.Sprint(historyContent(t, snapshot)); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		}
	}
	group.Wait()
	// The way back with a prefix kept, by rules that other sources have not.
	now := fetch(t, h.source(t, func(o *bucket.Options) { o.Prefix, o.Ignore = "prod/", "sub" }), source.Revision{})
	s := h.source(t, func(o *bucket.Options) {
		o.Prefix, o.Ignore, o.Before, o.KeepPrefix = "prod", "sub", now.Revision, true
	})
	if got := fmt.Sprint(historyContent(t, fetch(t, s, source.Revision{}))); !strings.Contains(got, "prod/a:1") || strings.Contains(got, "sub") {
		t.Errorf("got %s", got)
	}
}
