package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A folderRepository reads a repository's folder when it has to: the records and the segments' indexes when an object is
// first asked for after a Lock, Records or Add, and a frame when one of its objects is. It keeps what it read as long as it
// is of use.
type folderRepository struct {
	cache *folder
	name  string

	mu       sync.RWMutex
	stale    bool // the folder may have other files than when it was listed
	records  []storedRecord
	segments map[string]*segment
	index    map[object.Hash]*entry
	bad      map[string]bool // segments that were found broken
	damage   error           // what is not told yet
	loaded   atomic.Int64    // bytes of frames
	decoder  func() *zstd.Decoder
}

// mostLoaded is how many times the cache's bound a repository's content may be in memory: one that is compressed better
// than that is not kept, or is made to fill the memory.
const mostLoaded = 8

func newFolderRepository(cache *folder, name string) *folderRepository {
	return &folderRepository{cache: cache, name: name, stale: true, decoder: sync.OnceValue(func() *zstd.Decoder {
		d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true)) // valid options
		return d
	})}
}

// Lock begins anew: what was read for an earlier fetch is let go.
func (r *folderRepository) Lock(ctx context.Context) (unlock func(), err error) {
	if unlock, err = r.cache.lock(ctx, r.name); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale, r.segments, r.index = true, nil, nil
	r.loaded.Store(0)
	return unlock, nil
}

func (r *folderRepository) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale = true
}

func (r *folderRepository) Records(ctx context.Context) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.expire()
	root, err := r.cache.open(r.name)
	if err != nil {
		return nil, nil // what cannot be read is not there
	}
	defer root.Close()
	l, _ := list(root)
	var records []Record
	for _, stored := range l.records {
		records = append(records, stored.Record)
	}
	return records, nil
}

func (r *folderRepository) Object(hash object.Hash) (object.Object, bool) {
	for {
		e := r.find(hash)
		if e == nil {
			return object.Object{}, false
		}
		err := e.frame.load(r)
		if err == nil {
			if e.kind == object.Commit {
				r.touch(hash)
			}
			return e.object, true
		}
		if errors.Is(err, errTooLarge) {
			return object.Object{}, false
		}
		r.drop(e.frame.segment.name, err) // another segment may have it too
	}
}

func (r *folderRepository) find(hash object.Hash) *entry {
	r.mu.RLock()
	if !r.stale {
		defer r.mu.RUnlock()
		return r.index[hash]
	}
	r.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.index[hash]
}

// refresh lists the folder and opens the segments that are new. Of an object in two segments, that of the newer record
// counts.
func (r *folderRepository) refresh() {
	if !r.stale {
		return
	}
	before := r.segments
	r.stale, r.records, r.segments, r.index = false, nil, map[string]*segment{}, map[object.Hash]*entry{}
	root, err := r.cache.open(r.name)
	if err != nil {
		return
	}
	defer root.Close()
	l, _ := list(root)
	if r.records = l.records; l.broken != "" {
		r.found(l.broken, errBroken)
	}
	for _, record := range l.records {
		for _, name := range record.segments {
			if r.segments[name.Name] != nil || r.bad[name.Name] {
				continue
			}
			s := before[name.Name]
			if s == nil {
				if s, err = openSegment(root, name, r.cache.maxBytes); err != nil {
					r.markBad(root, name.Name, err)
					continue
				}
			}
			if len(r.index)+len(s.entries) <= maxObjects {
				r.include(s)
			}
		}
	}
}

func (r *folderRepository) include(s *segment) {
	r.segments[s.name] = s
	for i := range s.entries {
		if e := &s.entries[i]; r.index[e.hash] == nil {
			r.index[e.hash] = e
		}
	}
}

// drop takes a segment out of use that could not be read.
func (r *folderRepository) drop(name string, because error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale = true
	root, err := r.cache.open(r.name)
	if err == nil {
		defer root.Close()
	}
	r.markBad(root, name, because)
}

// markBad remembers a segment that could not be read, and removes it if that is for what is in it.
func (r *folderRepository) markBad(root *os.Root, name string, because error) {
	if r.bad == nil {
		r.bad = map[string]bool{}
	}
	r.bad[name] = true
	if errors.Is(because, errBroken) {
		r.found(name, because)
	}
	if root != nil && errors.Is(because, errBroken) {
		_ = root.Remove(name) // in a folder that cannot be written to it stays, and is bad to everyone
	}
}

func (r *folderRepository) found(name string, broken error) {
	r.damage = fmt.Errorf("the cache folder %q: %s: %w: what was in it is fetched again", r.cache.dir, name, broken)
}

// Damage implements [Repository].
func (r *folderRepository) Damage() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	damage := r.damage
	r.damage = nil
	return damage
}

// touch notes that the records of a commit have been used, once for each listing.
func (r *folderRepository) touch(commit object.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.records {
		record := &r.records[i]
		if record.Commit != commit || record.file == "" {
			continue
		}
		if root, err := r.cache.open(r.name); err == nil {
			_ = use(root, record.file) // else it goes a little earlier
			_ = root.Close()
		}
		record.file = ""
	}
}

func (r *folderRepository) Add(ctx context.Context, record Record, needed object.Set) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale = true
	err := r.add(ctx, record, needed)
	r.stale = true
	if err == nil || errors.Is(err, errTooLarge) {
		return nil
	}
	return fmt.Errorf("keeping commit %s in the cache folder %q, which has to be writable and to have room: %w",
		record.Commit, r.cache.dir, err)
}

func (r *folderRepository) add(ctx context.Context, record Record, needed object.Set) error {
	content := int64(0)
	for _, o := range needed {
		if content += int64(o.Size()); int64(o.Size()) > r.cache.maxBytes || content/mostLoaded > r.cache.maxBytes {
			return errTooLarge
		}
	}
	root, err := r.cache.make(r.name)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := sweep(root); err != nil {
		return err
	}
	r.refresh()
	segments, missing := r.divide(needed)
	total := int64(0)
	for _, s := range segments {
		total += s.Size
	}
	if len(missing) > 0 {
		added, err := writeSegment(ctx, root, missing, needed, r.cache.maxBytes-total)
		if err != nil {
			return err
		}
		segments = append(segments, added)
		total += added.Size
	}
	name, err := writeRecord(root, record, segments, r.cache.maxBytes-total)
	if err != nil {
		_ = sweep(root) // of the segment
		return err
	}
	if err := retire(root, record.Scope, name); err != nil {
		return err
	}
	if err := syncFolder(root); err != nil {
		return err
	}
	return r.cache.evict(r.name, name)
}

// divide returns the segments that a record is to share with others, and which objects to write for it. Objects that a
// segment has are written again when they are less than half of it, or not much more than what is to be written anyway: so
// no segment is mostly garbage for its record, and many small ones become one, as sizes double from one to the next.
func (r *folderRepository) divide(needed object.Set) (shared []segmentName, missing []object.Hash) {
	useful := map[*segment]int64{}
	pending := int64(0)
	for hash, o := range needed {
		if e := r.index[hash]; e != nil {
			useful[e.frame.segment] += weight(e.size)
		} else {
			pending += weight(o.Size())
		}
	}
	smallestFirst := slices.SortedFunc(maps.Keys(useful), func(a, b *segment) int { return cmp.Compare(useful[a], useful[b]) })
	keep := map[*segment]bool{}
	for i, s := range smallestFirst {
		if 2*useful[s] < s.weight || useful[s] < 2*pending || len(smallestFirst)-i >= maxSegments {
			pending += useful[s]
			continue
		}
		keep[s] = true
		shared = append(shared, segmentName{s.name, s.stored})
	}
	for hash := range needed {
		if e := r.index[hash]; e == nil || !keep[e.frame.segment] {
			missing = append(missing, hash)
		}
	}
	return shared, missing
}

// retire removes the records of a scope that were used longest ago, besides the added one, whatever the clock says; and
// what no record needs any more.
func retire(root *os.Root, scope, added string) error {
	l, err := list(root)
	if err != nil {
		return err
	}
	kept := 1
	for _, record := range l.records {
		if record.Scope != scope || record.file == added {
			continue
		}
		if kept++; kept > recordsOfScope {
			if err := root.Remove(record.file); err != nil {
				return err
			}
		}
	}
	return sweep(root)
}
