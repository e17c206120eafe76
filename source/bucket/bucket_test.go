package bucket_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
	"github.com/gitopskit/gitopskit/source/sourcetest"
)

func options(b *testbed.Bucket) bucket.Options {
	return bucket.Options{Endpoint: "http://" + b.Endpoint, Bucket: b.Name, AccessKey: b.AccessKey, SecretKey: b.SecretKey}
}

func newSource(t *testing.T, opts bucket.Options) *bucket.Source {
	t.Helper()
	s, err := bucket.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fetch(t *testing.T, s source.Source, known source.Revision) *source.Snapshot {
	t.Helper()
	snapshot, err := s.Fetch(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// put writes files under their names; a nil body removes one.
func put(ctx context.Context, b *testbed.Bucket, files map[string][]byte) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for key, body := range files {
		group.Go(func() error {
			if body == nil {
				return b.Remove(ctx, key)
			}
			return b.Put(ctx, key, body)
		})
	}
	return group.Wait()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, content fs.FS, name string) string {
	t.Helper()
	body, err := fs.ReadFile(content, name)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	for _, prefix := range []string{"", "some/folder"} {
		t.Run("prefix="+prefix, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Origin {
				b := testbed.S3(t)
				opts := options(b)
				opts.Prefix = prefix
				return sourcetest.Origin{
					New: func() (source.Source, error) { return bucket.New(opts) },
					Write: func(ctx context.Context, files map[string][]byte) error {
						keyed := make(map[string][]byte)
						for name, body := range files {
							keyed[strings.TrimPrefix(prefix+"/"+name, "/")] = body
						}
						return put(ctx, b, keyed)
					},
				}
			})
		})
	}
}

func TestFetchCostsListsAndOneGetForEachNewObject(t *testing.T) {
	b := testbed.S3(t)
	files := make(map[string][]byte)
	for i := range 1005 {
		files[fmt.Sprintf("f/%04d", i)] = fmt.Appendf(nil, "%d", i)
	}
	must(t, put(t.Context(), b, files))
	recorder := &testbed.Recorder{}
	opts := options(b)
	opts.Transport = recorder
	s := newSource(t, opts)

	expect := func(when string, lists, gets int) {
		t.Helper()
		lines := recorder.Take()
		if l, g := testbed.Count(lines, "GET /"+b.Name+"/?"), testbed.Count(lines, "GET /"+b.Name+"/f/"); l != lists || g != gets || len(lines) != lists+gets {
			t.Errorf("%s: got %d LISTs, %d GETs, %d requests, want %d and %d: %q", when, l, g, len(lines), lists, gets, lines[:min(len(lines), 4)])
		}
	}
	first := fetch(t, s, source.Revision{})
	expect("first", 2, 1005)
	if _, err := s.Fetch(t.Context(), first.Revision); !errors.Is(err, source.ErrNotModified) {
		t.Fatal(err)
	}
	expect("nothing changed", 2, 0)
	must(t, b.Put(t.Context(), "f/0007", []byte("new")))
	second := fetch(t, s, first.Revision)
	expect("one key changed", 2, 1)
	if read(t, second, "f/0007") != "new" || read(t, first, "f/0007") != "7" || read(t, second, "f/0008") != "8" {
		t.Error("content is mixed up")
	}
	must(t, b.Remove(t.Context(), "f/1004"))
	fetch(t, s, second.Revision)
	expect("one key removed", 2, 0)
}

func TestRewrittenObjectIsNotModified(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "a", []byte("same")))
	s := newSource(t, options(b))
	first := fetch(t, s, source.Revision{})
	must(t, b.Put(t.Context(), "a", []byte("same"))) // only its time is another one
	if _, err := s.Fetch(t.Context(), first.Revision); !errors.Is(err, source.ErrNotModified) {
		t.Errorf("got %v", err)
	}
}

func TestObjectChangedBetweenListAndGet(t *testing.T) {
	for name, change := range map[string]func(*testbed.Bucket) error{
		"overwritten": func(b *testbed.Bucket) error { return b.Put(context.Background(), "b", []byte("later")) },
		"removed":     func(b *testbed.Bucket) error { return b.Remove(context.Background(), "b") },
	} {
		t.Run(name, func(t *testing.T) {
			b := testbed.S3(t)
			must(t, put(t.Context(), b, map[string][]byte{"a": []byte("1"), "b": []byte("first"), "c": []byte("1")}))
			opts := options(b)
			var once atomic.Bool
			recorder := &testbed.Recorder{Before: func(r *http.Request) error {
				if strings.HasSuffix(r.URL.Path, "/b") && once.CompareAndSwap(false, true) {
					return change(b)
				}
				return nil
			}}
			opts.Transport = recorder
			got := fetch(t, newSource(t, opts), source.Revision{})
			now := fetch(t, newSource(t, options(b)), source.Revision{})
			if got.Revision != now.Revision {
				t.Errorf("got revision %s, want that of what is there: %s", got.Revision, now.Revision)
			}
			gotNames, _ := fs.Glob(got, "*")
			nowNames, _ := fs.Glob(now, "*")
			if !slices.Equal(gotNames, nowNames) {
				t.Errorf("got %q, want %q", gotNames, nowNames)
			}
			if name == "overwritten" && read(t, got, "b") != "later" {
				t.Error("the content is not that of the listing")
			}
			if lists := testbed.Count(recorder.Take(), "GET /"+b.Name+"/?"); lists != 2 {
				t.Errorf("got %d LISTs", lists)
			}
		})
	}
}

func TestObjectThatKeepsChangingIsAnError(t *testing.T) {
	b := testbed.S3(t)
	must(t, b.Put(t.Context(), "a", []byte("0")))
	opts := options(b)
	opts.Transport = &testbed.Recorder{Before: func(r *http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/a") {
			return b.Put(context.Background(), "a", []byte(rand.Text()))
		}
		return nil
	}}
	if _, err := newSource(t, opts).Fetch(t.Context(), source.Revision{}); err == nil || !strings.Contains(err.Error(), "kept changing") {
		t.Errorf("got %v", err)
	}
}

func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		name string
		keys []string
		text string // of the error, if there is to be one
	}{
		{"placeholders", []string{"a/", "a/b/", "a/b/c"}, ""},
		{"backslash", []string{`a\b`}, ""},
		{"only placeholders", []string{"a/", "a/b/"}, "no objects"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := testbed.S3(t)
			for _, key := range tt.keys {
				if err := b.Put(t.Context(), key, nil); err != nil {
					t.Skipf("this server has no such key %q: %v", key, err)
				}
			}
			_, err := newSource(t, options(b)).Fetch(t.Context(), source.Revision{})
			if (err != nil) != (tt.text != "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
}

func TestPrefixIsAFolder(t *testing.T) {
	b := testbed.S3(t)
	must(t, put(t.Context(), b, map[string][]byte{"prod/a": []byte("a"), "production/b": []byte("b"), "prod.yaml": []byte("c")}))
	var revisions []source.Revision
	for _, prefix := range []string{"prod", "prod/"} {
		opts := options(b)
		opts.Prefix = prefix
		snapshot := fetch(t, newSource(t, opts), source.Revision{})
		if names, err := fs.Glob(snapshot, "*"); err != nil || !slices.Equal(names, []string{"a"}) {
			t.Errorf("%s: got %q, %v", prefix, names, err)
		}
		revisions = append(revisions, snapshot.Revision)
	}
	if revisions[0] != revisions[1] {
		t.Errorf("got %v", revisions)
	}
}
