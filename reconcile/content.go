package reconcile

import (
	"context"
	"reflect"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/source"
)

// A content is a snapshot that several loops build from. The last one to release it closes it.
type content struct {
	*source.Snapshot

	mu    sync.Mutex
	users int

	packing sync.Mutex // held while it is packed: once for each store
	packed  map[Store]digest.Digest
}

func newContent(s *source.Snapshot) *content {
	return &content{Snapshot: s, users: 1, packed: make(map[Store]digest.Digest)}
}

func (c *content) acquire() *content {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
	return c
}

func (c *content) release() {
	c.mu.Lock()
	c.users--
	last := c.users == 0
	c.mu.Unlock()
	if last {
		_ = c.Close() // a snapshot is memory; what a loop could do about an error is nothing
	}
}

// pack returns the digest of the artifact that has the content, after putting it into the store.
func (c *content) pack(ctx context.Context, store Store) (digest.Digest, error) {
	c.packing.Lock()
	defer c.packing.Unlock()
	known := reflect.ValueOf(store).Comparable()
	if known {
		if d := c.packed[store]; d != "" {
			return d, nil
		}
	}
	described, err := artifact.PackTo(ctx, store, c.Snapshot, artifact.PackOptions{})
	if err != nil {
		return "", err
	}
	if known {
		c.packed[store] = described.Digest
	}
	return described.Digest, nil
}
