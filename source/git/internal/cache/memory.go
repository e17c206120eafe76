package cache

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// objectOverhead is about what a kept object costs besides its bytes: its place in a map and in the lists of records.
const objectOverhead = 128

// Memory returns an empty cache in memory. It holds at most maxBytes: what a repository's objects take as they are held,
// each once, however many records need it, and 128 bytes more for each. Zero or less keeps nothing.
func Memory(maxBytes int64) Cache {
	return &memory{maxBytes: maxBytes, shelves: map[string]*shelf{}}
}

type memory struct {
	maxBytes int64
	locks    locks
	clock    atomic.Int64 // counts uses

	mu      sync.RWMutex
	bytes   int64
	shelves map[string]*shelf // by key; none is empty
}

// A shelf has a repository's objects.
type shelf struct {
	objects map[object.Hash]*heldObject
	records []*heldRecord
}

type heldObject struct {
	object.Object
	hash    object.Hash
	records int // how many need it
}

type heldRecord struct {
	Record
	key   string
	needs []*heldObject
	used  atomic.Int64 // by the cache's clock
}

type memoryRepository struct {
	*memory
	key string
}

func (m *memory) Repository(key string) Repository { return memoryRepository{m, key} }

func (r memoryRepository) Lock(ctx context.Context) (unlock func(), err error) {
	if ctx.Err() != nil {
		return nil, waiting(ctx)
	}
	return r.locks.lock(ctx, r.key)
}

func (r memoryRepository) Records(ctx context.Context) ([]Record, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var records []Record
	if s := r.shelves[r.key]; s != nil {
		for _, held := range slices.SortedFunc(slices.Values(s.records), lastUsedFirst) {
			records = append(records, held.Record)
		}
	}
	return records, ctx.Err()
}

func lastUsedFirst(a, b *heldRecord) int { return cmp.Compare(b.used.Load(), a.used.Load()) }

func (r memoryRepository) Object(hash object.Hash) (object.Object, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.shelves[r.key]
	if s == nil {
		return object.Object{}, false
	}
	found := s.objects[hash]
	if found == nil {
		return object.Object{}, false
	}
	if found.Kind == object.Commit {
		for _, held := range s.records {
			if held.Commit == hash {
				held.used.Store(r.clock.Add(1))
			}
		}
	}
	return found.Object, true
}

func (r memoryRepository) Damage() error { return nil }

func (r memoryRepository) Add(ctx context.Context, record Record, needed object.Set) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	total := int64(0)
	for _, o := range needed {
		total += size(o)
	}
	if total > r.maxBytes {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hold(r.key, record, needed)
	for r.bytes > r.maxBytes {
		r.release(r.oldest())
	}
	return nil
}

func size(o object.Object) int64 { return int64(o.Held()) + objectOverhead }

// hold adds a record, and releases what it replaces.
func (m *memory) hold(key string, record Record, needed object.Set) {
	s := m.shelves[key]
	if s == nil {
		s = &shelf{objects: make(map[object.Hash]*heldObject, len(needed))}
		m.shelves[key] = s
	}
	added := &heldRecord{Record: record, key: key, needs: make([]*heldObject, 0, len(needed))}
	added.used.Store(m.clock.Add(1))
	for hash, o := range needed {
		held := s.objects[hash]
		if held == nil {
			held = &heldObject{Object: o, hash: hash}
			s.objects[hash] = held
			m.bytes += size(o)
		}
		held.records++
		added.needs = append(added.needs, held)
	}
	others := slices.SortedFunc(slices.Values(s.records), lastUsedFirst)
	s.records = append(s.records, added)
	kept := 1
	for _, held := range others {
		switch {
		case held.Scope != record.Scope:
		case held.Commit == record.Commit || kept == recordsOfScope:
			m.release(held)
		default:
			kept++
		}
	}
}

func (m *memory) oldest() *heldRecord {
	var oldest *heldRecord
	for _, s := range m.shelves {
		for _, held := range s.records {
			if oldest == nil || held.used.Load() < oldest.used.Load() {
				oldest = held
			}
		}
	}
	return oldest
}

func (m *memory) release(record *heldRecord) {
	s := m.shelves[record.key]
	for _, held := range record.needs {
		if held.records--; held.records == 0 {
			delete(s.objects, held.hash)
			m.bytes -= size(held.Object)
		}
	}
	s.records = slices.DeleteFunc(s.records, func(r *heldRecord) bool { return r == record })
	if len(s.records) == 0 {
		delete(m.shelves, record.key)
	}
}
