package reconcile

import (
	"bytes"
	"context"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
)

// A memoryStore is a Store whose parts can be told to fail.
type memoryStore struct {
	mu     sync.Mutex
	blobs  map[digest.Digest][]byte
	wants  map[digest.Digest]artifact.Descriptor
	tags   map[string][]artifact.Tagged // newest first
	putErr error
	puts   int
	tries  int // to put
	opens  int
}

func newMemoryStore() *memoryStore {
	return &memoryStore{blobs: map[digest.Digest][]byte{}, wants: map[digest.Digest]artifact.Descriptor{},
		tags: map[string][]artifact.Tagged{}}
}

func (m *memoryStore) Put(_ context.Context, r io.Reader, want artifact.Descriptor) error {
	body, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if err != nil || m.putErr != nil {
		return cmpErr(err, m.putErr)
	}
	m.puts++
	m.blobs[want.Digest], m.wants[want.Digest] = body, want
	return nil
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryStore) Open(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opens++
	body, ok := m.blobs[d]
	if !ok {
		return nil, artifact.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

func (m *memoryStore) Stat(_ context.Context, d digest.Digest) (artifact.Descriptor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	want, ok := m.wants[d]
	if !ok {
		return want, artifact.ErrNotFound
	}
	return want, nil
}

func (m *memoryStore) Tag(_ context.Context, name string, d digest.Digest, revision string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs[d] == nil {
		return artifact.ErrNotFound
	}
	m.tags[name] = append([]artifact.Tagged{{Name: name, Digest: d, Revision: revision, Time: time.Now()}}, m.tags[name]...)
	return nil
}

func (m *memoryStore) Resolve(_ context.Context, name string) (artifact.Tagged, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.tags[name]) == 0 {
		return artifact.Tagged{}, artifact.ErrNotFound
	}
	return m.tags[name][0], nil
}

func (m *memoryStore) History(_ context.Context, name string) iter.Seq2[artifact.Tagged, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := append([]artifact.Tagged{}, m.tags[name]...)
	return func(yield func(artifact.Tagged, error) bool) {
		for _, tagged := range all {
			if !yield(tagged, nil) {
				return
			}
		}
	}
}

// tag is the revision that the name stands for.
func (m *memoryStore) tag(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tags[name][0].Revision
}
