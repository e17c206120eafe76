package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// Rules that take long to judge, for many keys, end with the context.
func TestJudgingKeysEndsWithTheContext(t *testing.T) {
	d := &memoryDriver{objects: make(map[string]string)}
	for i := range 5_000 {
		d.objects[fmt.Sprintf("%05d", i)+strings.Repeat("a", 1000)] = ""
	}
	rules := strings.Repeat("*"+strings.Repeat("[a]", 60)+"[b]*\n", 600)
	s := newSource(t, bucket.Options{Driver: d, Ignore: rules})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Fetch(ctx, source.Revision{})
		ended <- err
	}()
	select {
	case err := <-ended:
		checkError(t, err, context.DeadlineExceeded, "")
	case <-time.After(15 * time.Second):
		t.Fatal("it goes on")
	}
}

// Folders cost no memory that goes with the square of a key's length.
func TestDeepKeysAreRefusedInLittleMemory(t *testing.T) {
	d := &memoryDriver{objects: make(map[string]string)}
	for i := range 50 {
		d.objects[fmt.Sprintf("%05d", i)+strings.Repeat("/a", 2000)] = ""
	}
	d.objects["b"] = ""
	s := newSource(t, bucket.Options{Driver: d, Ignore: "b"})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Fetch(t.Context(), source.Revision{})
	runtime.ReadMemStats(&after)
	checkError(t, err, source.ErrTooLarge, "Limits.MaxDepth")
	if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20 {
		t.Errorf("%d MB were allocated", took>>20)
	}
}

// Ignore files are read before anything is known of the rest, and are held to the same limit.
func TestIgnoreFilesCountForTheLimit(t *testing.T) {
	d := &memoryDriver{objects: map[string]string{"a": "a"}}
	for i := range 100 {
		d.objects[fmt.Sprintf("d%d/.sourceignore", i)] = strings.Repeat("#", 1000)
	}
	s := newSource(t, bucket.Options{Driver: d, Limits: source.Limits{MaxBytes: 10_000}})
	_, err := s.Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrTooLarge, "Limits.MaxBytes")
	if d.gets > 10 {
		t.Errorf("%d ignore files were read", d.gets)
	}
	if limit := new(source.LimitError); !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
}

func TestIgnoreFilesAsFolders(t *testing.T) {
	d := &memoryDriver{objects: map[string]string{".sourceignore/x": "x", "a/.sourceignore/.sourceignore": "z", "a/.sourceignore/z": "", "b": "b"}}
	got := names(t, fetch(t, newSource(t, bucket.Options{Driver: d}), source.Revision{}))
	if want := ".sourceignore/x a/.sourceignore/.sourceignore b"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
	d.objects = map[string]string{"prod": "not content", "prod/": "", "prod/a": "a", "production/b": "b"}
	for _, prefix := range []string{"prod", "prod/"} {
		if got := names(t, fetch(t, newSource(t, bucket.Options{Driver: d, Prefix: prefix}), source.Revision{})); strings.Join(got, " ") != "a" {
			t.Errorf("got %q", got)
		}
	}
	d.objects["prod/"] = "content"
	_, err := newSource(t, bucket.Options{Driver: d, Prefix: "prod"}).Fetch(t.Context(), source.Revision{})
	checkError(t, err, nil, `"prod/"`)
	d.objects = map[string]string{".sourceignore": strings.Repeat("#", 200<<10), "a": "a"}
	_, err = newSource(t, bucket.Options{Driver: d}).Fetch(t.Context(), source.Revision{})
	checkError(t, err, source.ErrTooLarge, "Limits.MaxIgnoreBytes")
	if d.gets > 6 {
		t.Errorf("%d objects were read", d.gets)
	}
}

// Limits are reached, and not crossed, by exactly so many.
func TestLimitsAtTheirBorders(t *testing.T) {
	d := &memoryDriver{objects: map[string]string{"p/a": "aaa", "p/b/c": "cc", "p/d/": "", "x": "x"}}
	for name, tt := range map[string]struct {
		set   func(*bucket.Options, int)
		least int
	}{
		"MaxKeys":      {func(o *bucket.Options, n int) { o.MaxKeys = n }, 3},
		"MaxFiles":     {func(o *bucket.Options, n int) { o.Limits.MaxFiles = n }, 3},
		"MaxBytes":     {func(o *bucket.Options, n int) { o.Limits.MaxBytes = int64(n) }, 5},
		"MaxFileBytes": {func(o *bucket.Options, n int) { o.Limits.MaxFileBytes = int64(n) }, 3},
		"MaxPathBytes": {func(o *bucket.Options, n int) { o.Limits.MaxPathBytes = n }, 3},
		"MaxDepth":     {func(o *bucket.Options, n int) { o.Limits.MaxDepth = n }, 2},
	} {
		for n, fits := range map[int]bool{tt.least: true, tt.least - 1: false} {
			opts := bucket.Options{Driver: d, Prefix: "p"}
			tt.set(&opts, n)
			_, err := newSource(t, opts).Fetch(t.Context(), source.Revision{})
			if fits && err != nil || !fits && (!errors.Is(err, source.ErrTooLarge) || !strings.Contains(err.Error(), name)) {
				t.Errorf("%s %d: got %v", name, n, err)
			}
		}
	}
}
