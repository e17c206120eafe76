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
	packed  map[Store]packed
}

// A packed is what came of it: with an error there may be an artifact, which could not be tagged.
type packed struct {
	digest digest.Digest
	err    error
}

func newContent(s *source.Snapshot) *content {
	return &content{Snapshot: s, users: 1, packed: make(map[Store]packed)}
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

// pack puts the content into the store, and tags it there with the name, where there is one: once, whoever asks for it.
func (c *content) pack(ctx context.Context, store Store, name string) (digest.Digest, error) {
	c.packing.Lock()
	defer c.packing.Unlock()
	known := reflect.ValueOf(store).Comparable()
	if known {
		if p, ok := c.packed[store]; ok {
			return p.digest, p.err
		}
	}
	described, err := artifact.PackTo(ctx, store, c.Snapshot, artifact.PackOptions{})
	if err == nil && name != "" {
		err = store.Tag(ctx, name, described.Digest, c.Revision.String())
	}
	if known && (err == nil || ctx.Err() == nil) {
		c.packed[store] = packed{described.Digest, err}
	}
	return described.Digest, err
}
