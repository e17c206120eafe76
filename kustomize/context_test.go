package kustomize

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// TestBuildStopsAtEachAccess ends the context at each access to the file system in turn.
func TestBuildStopsAtEachAccess(t *testing.T) {
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(context.Background())
		var n int
		fsys := &recordingFS{FS: files(overlay), opened: map[string]int{}, open: func(string) {
			if n++; n == stop {
				cancel()
			}
		}}
		objects, err := Build(ctx, fsys, "app", Options{})
		cancel()
		if err == nil {
			if n >= stop {
				t.Fatalf("the context ended at access %d and the build went on", stop)
			}
			return
		}
		if !errors.Is(err, context.Canceled) || objects != nil {
			t.Fatalf("access %d: got %v", stop, err)
		}
		if n > stop {
			t.Fatalf("%d accesses, though the context ended at number %d", n, stop)
		}
	}
}

// countingContext ends when it has been asked a number of times.
type countingContext struct {
	context.Context
	left atomic.Int64
}

func (c *countingContext) Err() error {
	if c.left.Add(-1) < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestBuildStopsInsideKustomize ends the context wherever it is looked at, also while kustomize is at work.
func TestBuildStopsInsideKustomize(t *testing.T) {
	for n := int64(0); ; n++ {
		ctx := &countingContext{Context: context.Background()}
		ctx.left.Store(n)
		objects, err := Build(ctx, files(overlay), "app", Options{})
		if err == nil {
			if n < 10 {
				t.Errorf("the context was looked at %d times in all", n)
			}
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) || objects != nil {
			t.Fatalf("after %d looks: got %v", n, err)
		}
	}
}

// TestBuildStopsBeforeItBegins has a context that ended long ago.
func TestBuildStopsBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fsys := &recordingFS{FS: files(overlay), opened: map[string]int{}}
	if _, err := Build(ctx, fsys, "app", Options{}); !errors.Is(err, context.Canceled) || len(fsys.opened) > 0 {
		t.Errorf("got %v after %d accesses", err, len(fsys.opened))
	}
}
