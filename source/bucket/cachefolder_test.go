package bucket_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// cacheFiles returns the paths of what a folder's cache has, by size.
func cacheFiles(t *testing.T, dir string) (large, small []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if path := filepath.Join(dir, e.Name()); info.Size() > 1<<20 {
			large = append(large, path)
		} else if len(e.Name()) == 64 {
			small = append(small, path)
		}
	}
	return large, small
}

// damage changes the last byte of a file in its place.
func damage(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	end, err := file.Seek(-1, io.SeekEnd)
	must(t, err)
	last := make([]byte, 1)
	_, err = file.ReadAt(last, end)
	must(t, err)
	last[0]++
	_, err = file.WriteAt(last, end)
	must(t, err)
}

func TestWhatIsDamagedInTheFolderIsFetchedAgain(t *testing.T) {
	dir := t.TempDir()
	c := newCountedBucket(t)
	content := bytes.Repeat([]byte("12345"), 300_000)
	must(t, put(t.Context(), c.Bucket, map[string][]byte{"large": content, "small": []byte("small")}))
	var told []error
	opts := c.opts
	opts.OnCacheError = func(err error) { told = append(told, err) }
	s := cachedSource(t, opts, openCache(t, dir))
	snapshot := fetch(t, s, source.Revision{})
	c.expect(t, "first", 1, 2)
	large, small := cacheFiles(t, dir)
	if len(large) != 1 || len(small) != 1 {
		t.Fatalf("there are %q and %q", large, small)
	}
	damage(t, large[0])
	damage(t, small[0])
	if got, err := fs.ReadFile(snapshot, "large"); err == nil || !strings.Contains(err.Error(), "brings it again") {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if read(t, snapshot, "small") != "small" {
		t.Error("what is in memory is damaged")
	}
	again := fetch(t, s, source.Revision{})
	c.expect(t, "the same source, which has seen it", 1, 1)
	if read(t, again, "large") != string(content) {
		t.Error("content is mixed up")
	}
	damage(t, large[0])
	if len(told) != 1 {
		t.Errorf("told is %v", told)
	}
	told = nil
	another := cachedSource(t, opts, openCache(t, dir))
	other := fetch(t, another, source.Revision{})
	c.expect(t, "another process, which finds both", 1, 2)
	if len(told) != 1 || !strings.Contains(told[0].Error(), dir) || !strings.Contains(told[0].Error(), "fetched again") {
		t.Errorf("told is %v, want it once in this fetch", told)
	}
	fetch(t, another, source.Revision{})
	if fetch(t, cachedSource(t, opts, openCache(t, dir)), source.Revision{}); len(told) != 1 {
		t.Errorf("told is %v of what is not damaged", told[1:])
	}
	c.expect(t, "all is there again", 2, 0)
	if read(t, other, "large") != string(content) || read(t, other, "small") != "small" {
		t.Error("content is mixed up")
	}
}

func TestSnapshotsOutliveTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := newCountedBucket(t)
	content := bytes.Repeat([]byte("12345"), 300_000)
	must(t, c.Put(t.Context(), "large", content))
	s := cachedSource(t, c.opts, openCache(t, dir))
	snapshot := fetch(t, s, source.Revision{})
	must(t, os.RemoveAll(dir))
	must(t, c.Put(t.Context(), "new", nil))
	next := fetch(t, s, snapshot.Revision)
	for _, snapshot := range []*source.Snapshot{snapshot, next} {
		if read(t, snapshot, "large") != string(content) {
			t.Error("content is mixed up")
		}
	}
	c.expect(t, "in all", 2, 2)
}

func TestWhatTheFolderBeginsToKeepAndCannotComesAgain(t *testing.T) {
	dir := t.TempDir()
	c := newCountedBucket(t)
	content := bytes.Repeat([]byte("12345"), 300_000)
	must(t, c.Put(t.Context(), "large", content))
	fetch(t, cachedSource(t, c.opts, openCache(t, dir)), source.Revision{})
	c.Take()
	large, _ := cacheFiles(t, dir)
	must(t, os.Remove(large[0]))
	must(t, os.MkdirAll(filepath.Join(large[0], "foreign"), 0o700)) // nothing can take this name
	var told []error
	opts := c.opts
	opts.OnCacheError = func(err error) { told = append(told, err) }
	snapshot := fetch(t, cachedSource(t, opts, openCache(t, dir)), source.Revision{})
	c.expect(t, "half kept", 1, 2)
	if read(t, snapshot, "large") != string(content) || len(told) != 1 {
		t.Errorf("content is mixed up, or it is not told: %v", told)
	}
	must(t, snapshot.Close())
}

// A store that sends a large object without having it in memory.
type largeStore struct {
	size int
	gets int
}

func (s *largeStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/a") {
		page(w, false, key("a", s.size))
		return
	}
	s.gets++
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Length", fmt.Sprint(s.size))
	s.write(w)
}

func (s *largeStore) write(w io.Writer) {
	chunk := make([]byte, 64<<10)
	for sent := 0; sent < s.size; sent += len(chunk) {
		chunk[0], chunk[1], chunk[2] = byte(sent>>16), byte(sent>>24), byte(sent>>8)
		if _, err := w.Write(chunk[:min(len(chunk), s.size-sent)]); err != nil {
			return
		}
	}
}

func (s *largeStore) sum() hash.Hash {
	h := sha256.New()
	s.write(h)
	return h
}

func TestLargeObjectsDoNotGoThroughMemory(t *testing.T) {
	store := &largeStore{size: 60<<20 + 1}
	server := httptest.NewServer(store)
	defer server.Close()
	dir := t.TempDir()
	opts := bucket.Options{Endpoint: server.URL, Bucket: "fleet"}
	for i, gets := range []int{1, 1} { // the second one finds it in the folder
		s := cachedSource(t, opts, openCache(t, dir))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		snapshot := fetch(t, s, source.Revision{})
		runtime.ReadMemStats(&after)
		// All that was allocated, and not only what is left: this bounds the peak too. The store's is among it.
		if n := after.TotalAlloc - before.TotalAlloc; n > 20<<20 {
			t.Errorf("fetch %d allocated %d MB", i+1, n>>20)
		}
		if store.gets != gets {
			t.Errorf("fetch %d: there were %d GETs, want %d", i+1, store.gets, gets)
		}
		file, err := snapshot.Open("a")
		must(t, err)
		got := sha256.New()
		if n, err := io.Copy(got, file); n != int64(store.size) || err != nil || !bytes.Equal(got.Sum(nil), store.sum().Sum(nil)) {
			t.Errorf("fetch %d: got %d bytes of something else, %v", i+1, n, err)
		}
		must(t, file.Close())
	}
}

func TestCustomerKeysKeepContentApart(t *testing.T) {
	store := &largeStore{size: 100}
	server := httptest.NewTLSServer(store)
	defer server.Close()
	eachCache(t, func(t *testing.T, again func() *bucket.Cache) {
		store.gets = 0
		for i, tt := range []struct {
			key  string
			gets int
		}{{"a", 1}, {"a", 1}, {"b", 2}, {"", 3}, {"b", 3}, {"", 3}} {
			opts := bucket.Options{Endpoint: server.URL, Bucket: "fleet", Transport: server.Client().Transport}
			opts.CustomerKey = []byte(strings.Repeat(tt.key, 32))
			fetch(t, cachedSource(t, opts, again()), source.Revision{})
			if store.gets != tt.gets {
				t.Errorf("fetch %d, with the key %q: %d GETs, want %d", i, tt.key, store.gets, tt.gets)
			}
		}
	})
}

func TestACacheNeedsAFolder(t *testing.T) {
	c, err := bucket.OpenCache("", bucket.CacheOptions{})
	if checkError(t, err, nil, "opening the cache: the folder's name is empty"); c != nil {
		t.Error("there is a cache")
	}
}
