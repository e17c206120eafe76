package pack

import (
	"sort"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// An entry is an object as it lies in a pack. What it says besides its offset is guarded by the pack, from when it was sent
// to the workers on.
type entry struct {
	offset int64 // in the pack
	// Until it is settled, the object has the bytes that came; those of a delta are a patch, and of no kind.
	object  object.Object
	settled bool
	slab    *slab // which has what came, or nil
	// The base of a delta: an earlier entry, or what has a hash. They stay as they are.
	base *entry
	hash *object.Hash
	// Deltas that wait for this entry, and the next one that waits for what this one waits for.
	waiting, next *entry
}

// isWhole reports whether e is not a delta.
func (e *entry) isWhole() bool { return e.base == nil && e.hash == nil }

const chunk = 512

// entries are all those of a pack, by their offsets. They are not moved once they are there.
type entries struct {
	chunks [][]entry
	sent   int // of the last chunk
}

func (s *entries) last() *[]entry { return &s.chunks[len(s.chunks)-1] }

// full reports whether the next entry is of another chunk.
func (s *entries) full() bool { return len(s.chunks) == 0 || len(*s.last()) == chunk }

// add returns a new last entry. What was added to a full chunk has been sent.
func (s *entries) add() *entry {
	if s.full() {
		s.chunks, s.sent = append(s.chunks, make([]entry, 0, chunk)), 0
	}
	c := s.last()
	*c = append(*c, entry{})
	return &(*c)[len(*c)-1]
}

func (s *entries) unsent() int { return len(*s.last()) - s.sent }

func (s *entries) send(to chan<- []entry) {
	if len(s.chunks) > 0 && s.unsent() > 0 {
		to <- (*s.last())[s.sent:]
		s.sent = len(*s.last())
	}
}

// at returns the entry at an offset of the pack, or nil.
func (s *entries) at(offset int64) *entry {
	i := sort.Search(len(s.chunks), func(i int) bool { return s.chunks[i][0].offset > offset }) - 1
	if i < 0 {
		return nil
	}
	c := s.chunks[i]
	j := sort.Search(len(c), func(j int) bool { return c[j].offset >= offset })
	if j == len(c) || c[j].offset != offset {
		return nil
	}
	return &c[j]
}
