package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// manyStore has so many objects of a size, and counts what is read.
func manyStore(t *testing.T, count, size int) (*http.Transport, string, *atomic.Int64) {
	t.Helper()
	gets := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			var all strings.Builder
			for i := range count {
				all.WriteString(key(fmt.Sprintf("k%04d", i), size))
			}
			page(w, false, all.String())
			return
		}
		gets.Add(1)
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for left := size; left > 0; left -= min(left, 64<<10) {
			if _, err := w.Write(make([]byte, min(left, 64<<10))); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return transport, server.URL, gets
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // no Linux
	}
	return len(entries)
}

// Whenever a fetch ends, it leaves no goroutine, no open file and nothing begun in the folder.
func TestNothingIsLeftOfAFetchThatEnded(t *testing.T) {
	const count, size = 8, 1<<20 + 100
	dir := t.TempDir()
	transport, endpoint, _ := manyStore(t, count, size)
	random := rand.New(rand.NewPCG(1, 2))
	before, files := 0, 0
	for i := range 20 {
		if i == 5 { // what there is once is there by now
			transport.CloseIdleConnections()
			settle(func() bool { return false })
			before, files = runtime.NumGoroutine(), openFiles(t)
		}
		c := openCache(t, dir)
		s := newSource(t, bucket.Options{Endpoint: endpoint, Bucket: "fleet", Transport: transport, Cache: c})
		var group sync.WaitGroup
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			after := time.Duration(random.IntN(12_000)) * time.Microsecond
			group.Go(func() {
				defer time.AfterFunc(after, cancel).Stop()
				if _, err := s.Fetch(ctx, source.Revision{}); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		must(t, os.RemoveAll(dir))
	}
	transport.CloseIdleConnections()
	if !settle(func() bool { return runtime.NumGoroutine() <= before && openFiles(t) <= files }) {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before; %d files, %d before\n%s", runtime.NumGoroutine(), before, openFiles(t), files, stacks[:runtime.Stack(stacks, true)])
	}
}

func settle(done func() bool) bool {
	for range 100 {
		runtime.GC()
		if done() {
			return true
		}
		time.Sleep(2 * time.Millisecond)
	}
	return false
}

func TestACanceledFetchLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	transport, endpoint, _ := manyStore(t, 8, 1<<20+100)
	c := openCache(t, dir)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		s := newSource(t, bucket.Options{Endpoint: endpoint, Bucket: "fleet", Transport: transport, Cache: c})
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(8_000))*time.Microsecond)
		_, _ = s.Fetch(ctx, source.Revision{})
		cancel()
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "temp-") {
			t.Errorf("%s is left", entry.Name())
		}
	}
}

// A fetch that fails takes nothing away from what another one of the same Source has brought meanwhile.
func TestAFetchThatFailsKeepsWhatAnotherBrought(t *testing.T) {
	d := &brokenDriver{began: make(chan struct{}), open: make(chan struct{})}
	d.objects = make(map[string]string)
	for i := range 100 {
		d.objects[fmt.Sprint("k", i)] = fmt.Sprint(i)
	}
	s := newSource(t, bucket.Options{Driver: d})
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := s.Fetch(context.WithValue(t.Context(), brokenKey{}, true), source.Revision{}); !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
	})
	<-d.began
	snapshot := fetch(t, s, source.Revision{})
	close(d.open)
	group.Wait()
	d.objects["k0"], d.gets = "changed", 0
	fetch(t, s, snapshot.Revision)
	if d.gets != 1 {
		t.Errorf("%d objects were read, and one has changed", d.gets)
	}
}

type brokenKey struct{}

var errBroken = errors.New("broken")

// A brokenDriver waits before it lists and then reads nothing, where the context says so.
type brokenDriver struct {
	memoryDriver
	began, open chan struct{}
}

func (d *brokenDriver) List(ctx context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	if ctx.Value(brokenKey{}) != nil {
		close(d.began)
		<-d.open
	}
	return d.memoryDriver.List(ctx, list)
}

func (d *brokenDriver) Get(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	if ctx.Value(brokenKey{}) != nil {
		return nil, errBroken
	}
	return d.memoryDriver.Get(ctx, o)
}
