package lfs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gitopskit/gitopskit/source"
)

func many(n int) map[string]Pointer {
	files := make(map[string]Pointer)
	for i := range n {
		files[fmt.Sprintf("%04d", i)] = pointerTo(fmt.Sprint("content ", i))
	}
	return files
}

// contentOf answers with the content that a pointer of many names.
func contentOf(r *http.Request, files map[string]Pointer) *http.Response {
	for i := range files {
		var n int
		_, _ = fmt.Sscanf(i, "%d", &n)
		if body := fmt.Sprint("content ", n); strings.HasSuffix(r.URL.Path, pointerTo(body).OID) {
			return answer(r, 200, "", body)
		}
	}
	return answer(r, 404, "", "")
}

// A manyStage is a stage whose objects each have a URL.
func manyStage(files map[string]Pointer, expires int, get func(*http.Request) *http.Response) *stage {
	s := &stage{answers: make(answers)}
	s.each = func(o batchObject) any { return download("/"+o.OID, map[string]any{"expires_in": expires}) }
	for _, p := range files {
		s.answers["https://git.example/"+p.OID] = get
	}
	return s
}

func TestFetchDownloadsEightAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := many(60)
		var now, most atomic.Int64
		s := manyStage(files, 0, func(r *http.Request) *http.Response {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Minute) // until all have come that may
			return contentOf(r, files)
		})
		got, err := Fetch(t.Context(), s, parseURL(t, gitRepo), files, source.Limits{})
		if err != nil || len(got) != len(files) || most.Load() != 8 {
			t.Errorf("got %d with %d at once, %v, want %d with 8", len(got), most.Load(), err, len(files))
		}
	})
}

// The first error ends downloads that have begun, and no others begin.
func TestFetchEndsOtherDownloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := many(60)
		var begun atomic.Int64
		s := manyStage(files, 0, func(r *http.Request) *http.Response {
			if begun.Add(1) == 8 {
				return answer(r, 404, "", "")
			}
			<-r.Context().Done()
			return answer(r, 404, "", "")
		})
		got, err := Fetch(t.Context(), s, parseURL(t, gitRepo), files, source.Limits{})
		if !errors.Is(err, source.ErrNotFound) || got != nil || begun.Load() != 8 {
			t.Errorf("got %v, %v after %d downloads, want ErrNotFound after 8", got, err, begun.Load())
		}
	})
}

// A context that ends between two downloads leaves none that failed, and some that were never asked for.
func TestFetchReturnsNothingWhenItsContextEndsBetweenDownloads(t *testing.T) {
	for _, expires := range []int{0, -1} {
		ctx, cancel := context.WithCancel(t.Context())
		files := many(60)
		s := manyStage(files, expires, func(r *http.Request) *http.Response {
			cancel()
			return contentOf(r, files)
		})
		got, err := Fetch(ctx, s, parseURL(t, gitRepo), files, source.Limits{})
		if !errors.Is(err, context.Canceled) || got != nil {
			t.Errorf("got %d contents, %v, want context.Canceled", len(got), err)
		}
	}
}

// The second batch request goes where the first was redirected.
func TestFetchRemembersARedirect(t *testing.T) {
	files := many(101)
	s := manyStage(files, 0, func(r *http.Request) *http.Response { return contentOf(r, files) })
	s.answers[gitBatch] = redirect("/new.git/info/lfs/objects/batch")
	got, err := Fetch(t.Context(), s, parseURL(t, gitRepo), files, source.Limits{})
	if old := strings.Count(s.asked()+"\n", gitBatch+"\n"); err != nil || len(got) != 101 || old != 1 {
		t.Errorf("got %d, %v with %d requests for the old place, want one", len(got), err, old)
	}
}
