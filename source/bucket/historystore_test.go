package bucket_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gitopskit/gitopskit/source"
	"github.com/gitopskit/gitopskit/source/bucket"
)

// A historyStore is a store with versions, as S3 has them, and a clock that a test sets.
type historyStore struct {
	mu       sync.Mutex
	now      time.Time
	tick     time.Duration // how exactly times are told
	mode     string        // of versioning: "off", "suspended", or on
	apart    bool          // deletions are listed after all else
	versions map[string][]historyVersion
	ids      int
	lists    int
	gets     []string                 // key@version
	lost     func(bucket.Object) bool // says what is gone since it was listed
}

type historyVersion struct {
	bucket.Object
	body string
}

func newHistoryStore() *historyStore {
	start := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	return &historyStore{now: start, tick: time.Millisecond, versions: make(map[string][]historyVersion)}
}

func (h *historyStore) source(t testing.TB, change func(*bucket.Options)) *bucket.Source {
	t.Helper()
	opts := bucket.Options{Driver: h}
	if change != nil {
		change(&opts)
	}
	s, err := bucket.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes an object, or deletes it.
func (h *historyStore) put(key, body string, deleted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.versions[key]
	h.ids++
	v := historyVersion{body: body}
	v.Object = bucket.Object{Key: key, Version: "v" + strconv.Itoa(h.ids), Modified: h.now.Truncate(h.tick), Deleted: deleted}
	if !deleted {
		sum := md5.Sum([]byte(body))
		v.ETag, v.Size = hex.EncodeToString(sum[:]), int64(len(body))
	}
	if h.mode != "" {
		v.Version = "null"
		all = slices.DeleteFunc(all, func(o historyVersion) bool { return o.Version == "null" })
		if deleted && h.mode == "off" {
			delete(h.versions, key)
			return
		}
	}
	for i := range all {
		all[i].Latest = false
	}
	v.Latest = true
	h.versions[key] = append([]historyVersion{v}, all...)
}

// write puts bodies under keys, and deletes keys without one, all at one time.
func (h *historyStore) write(keyBodies ...string) {
	for i := 0; i < len(keyBodies); i += 2 {
		h.put(keyBodies[i], keyBodies[i+1], keyBodies[i+1] == "")
	}
}

// after lets time pass.
func (h *historyStore) after(d time.Duration) *historyStore {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
	return h
}

// expire removes a version for good, as lifecycle rules do. It is for lost.
func (h *historyStore) expire(key, version string) {
	h.versions[key] = slices.DeleteFunc(h.versions[key], func(o historyVersion) bool { return o.Version == version })
}

func (h *historyStore) List(_ context.Context, list bucket.List) iter.Seq2[bucket.Object, error] {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lists++
	var all []bucket.Object
	for _, key := range slices.Sorted(maps.Keys(h.versions)) {
		for _, v := range h.versions[key] {
			switch {
			case !strings.HasPrefix(key, list.Prefix):
			case list.Versions:
				all = append(all, v.Object)
			case v.Latest && !v.Deleted:
				all = append(all, bucket.Object{Key: key, ETag: v.ETag, Size: v.Size})
			}
		}
	}
	if h.apart {
		slices.SortStableFunc(all, func(a, b bucket.Object) int {
			return cmp.Compare(strconv.FormatBool(a.Deleted), strconv.FormatBool(b.Deleted))
		})
	}
	return func(yield func(bucket.Object, error) bool) {
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (h *historyStore) Get(_ context.Context, o bucket.Object) (io.ReadCloser, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gets = append(h.gets, o.Key+"@"+o.Version)
	if h.lost != nil && h.lost(o) {
		return nil, bucket.ErrMoved
	}
	for _, v := range h.versions[o.Key] {
		if v.ETag == o.ETag && !v.Deleted && (v.Version == o.Version || o.Version == "" && v.Latest) {
			return io.NopCloser(bytes.NewBufferString(v.body)), nil
		}
	}
	return nil, bucket.ErrMoved
}

func (h *historyStore) String() string { return "memory://history" }

// took returns how many listings and reads there were since the last call.
func (h *historyStore) took() (lists, gets int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lists, gets = h.lists, len(h.gets)
	h.lists, h.gets = 0, nil
	return lists, gets
}

// historyContent returns all files of a snapshot.
func historyContent(t testing.TB, snapshot *source.Snapshot) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(snapshot, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(snapshot, name)
		files[name] = string(body)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return files
}
