package cache

import (
	"container/list"
	"context"
	"io"
	"sync"
)

// bodyOverhead is about what kept content costs besides its bytes: its places in a map and a list.
const bodyOverhead = 256

// Memory returns an empty cache in memory. It holds at most maxBytes: those of the content, and 256 more for each. Zero or
// less keeps nothing. Its Put returns no [*KeepError].
func Memory(maxBytes int64) Cache {
	return &memory{maxBytes: maxBytes, kept: map[Key]*list.Element{}, used: list.New()}
}

type memory struct {
	maxBytes int64

	mu    sync.Mutex
	bytes int64
	kept  map[Key]*list.Element
	used  *list.List // of shelved, last used first
}

type shelved struct {
	key  Key
	body *Body
}

func (s shelved) cost() int64 { return s.body.size + bodyOverhead }

// Get implements [Cache].
func (m *memory) Get(key Key) (*Body, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.kept[key]
	if e == nil {
		return nil, nil
	}
	m.used.MoveToFront(e)
	return e.Value.(shelved).body, nil
}

// Put implements [Cache].
func (m *memory) Put(_ context.Context, key Key, size int64, r io.Reader) (*Body, error) {
	body, err := Read(r, size)
	if err != nil {
		return nil, err
	}
	s := shelved{key, body}
	if s.cost() > m.maxBytes {
		return body, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(m.kept[key])
	m.kept[key] = m.used.PushFront(s)
	for m.bytes += s.cost(); m.bytes > m.maxBytes; {
		m.remove(m.used.Back())
	}
	return body, nil
}

func (m *memory) remove(e *list.Element) {
	if e == nil {
		return
	}
	s := m.used.Remove(e).(shelved)
	delete(m.kept, s.key)
	m.bytes -= s.cost()
}
