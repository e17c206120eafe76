package git_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/internal/testbed"
	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/git"
)

// Two caches of one folder are to each other as two processes are: one of them, which is suspended, keeps its lock.
func TestALockThatIsKeptStopsNobody(t *testing.T) {
	repo := testbed.Git(t)
	hash := commit(t, repo, map[string][]byte{"a": []byte("1")})
	var asked atomic.Int32
	locked, released := make(chan struct{}), make(chan struct{})
	server := front(t, repo, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Method == http.MethodPost && asked.Add(1) == 1 {
			close(locked)
			<-released
		}
		pass.ServeHTTP(w, r)
	})
	dir, url := t.TempDir(), server.URL+"/"+repo.Name+".git"
	var told []error
	open := func(stall time.Duration) *git.Source {
		return cached(t, url, dir, git.Options{StallTimeout: stall, OnCacheError: func(err error) { told = append(told, err) }})
	}
	first := make(chan error)
	go func() {
		_, err := open(time.Hour).Fetch(t.Context(), source.Revision{})
		first <- err
	}()
	<-locked
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := open(time.Hour).Fetch(ctx, source.Revision{})
	checkError(t, err, context.DeadlineExceeded, dir)
	if len(told) > 0 {
		t.Errorf("within its time, one was told %v", told)
	}
	snapshot := fetch(t, open(200*time.Millisecond), source.Revision{})
	if got := snapshot.Revision.Digest.Encoded(); got != hash || readFile(t, snapshot, "a") != "1" {
		t.Errorf("got %s", got)
	}
	if len(told) != 1 || !errors.As(told[0], new(*source.Error)) || !strings.Contains(told[0].Error(), dir) ||
		!strings.Contains(told[0].Error(), "Options.StallTimeout") {
		t.Errorf("was told %v", told)
	}
	close(released)
	must(t, <-first)
	fetch(t, open(time.Hour), source.Revision{})
	if got := asked.Load(); got != 2 || len(told) != 1 {
		t.Errorf("%d packs were asked for, and was told %v", got, told)
	}
}

func TestACacheNeedsAFolder(t *testing.T) {
	cache, err := git.OpenCache("", git.CacheOptions{})
	if checkError(t, err, nil, "opening the cache: the folder's name is empty"); cache != nil {
		t.Error("there is a cache")
	}
}
