package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/artifact"
	"github.com/gitopskit/gitopskit/source"
)

// originTag is the name under which the Store has each revision of the loop's source, whatever it changes: one for all loops,
// since a thousand tags take seconds. It is empty where the source has no text, or another one of the group has the same,
// which may have other content at the same revision.
func (l *Loop) originTag() string {
	text := originText(l.Source)
	if p := l.placed(); text == "" || p != nil && !p.run.alone(p.origin) {
		return ""
	}
	return "sources/" + digest.FromString(fmt.Sprintf("%T %s", l.Source, text)).Encoded()
}

// keepContent has the Store keep what b was built from. Where b has new objects that is tagged with the loop's name once they
// are applied.
func (l *Loop) keepContent(ctx context.Context, from *content, b *built) {
	if l.Store == nil {
		return
	}
	name := l.originTag()
	tagged := name != "" && b.same(l.core.applied) && !l.core.broken && l.core.storeErr == nil
	limited, cancel := l.limit(ctx, "Build", l.Timeouts.Build)
	defer cancel()
	d, err := from.pack(limited, l.Store, name)
	if err != nil {
		l.notKept(ctx, b, err)
	}
	if !tagged {
		b.artifact = d
	}
}

// keepTag has the loop's name in the Store stand for what was applied.
func (l *Loop) keepTag(ctx context.Context, b *built) {
	if b.artifact == "" {
		return
	}
	limited, cancel := l.limit(ctx, "", 0)
	defer cancel()
	tagged, err := l.Store.Resolve(limited, l.Name)
	switch {
	case err == nil && tagged.Digest == b.artifact && tagged.Revision == b.revision.String():
		err = nil
	case err == nil, errors.Is(err, artifact.ErrNotFound):
		err = l.Store.Tag(limited, l.Name, b.artifact, b.revision.String())
	}
	if err != nil {
		l.notKept(ctx, b, err)
		return
	}
	l.update(func(c *core) []Event {
		c.storeErr = nil
		kept := Kept{l.Name, b.revision, b.artifact}
		b.artifact = ""
		return []Event{kept}
	})
}

func (l *Loop) notKept(ctx context.Context, b *built, err error) {
	if ctx.Err() != nil {
		return
	}
	l.update(func(c *core) []Event {
		c.storeErr = err
		return []Event{NotKept{l.Name, b.revision, err}}
	})
}

// open returns the content that a tag of the Store stands for.
func (l *Loop) open(ctx context.Context, tagged artifact.Tagged) (*content, error) {
	revision, err := source.ParseRevision(tagged.Revision)
	if err != nil {
		return nil, err
	}
	want, err := l.Store.Stat(ctx, tagged.Digest)
	if err != nil {
		return nil, err
	}
	r, err := l.Store.Open(ctx, tagged.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	fsys, err := artifact.Open(ctx, r, want, artifact.UnpackOptions{})
	if err != nil {
		return nil, err
	}
	c := newContent(source.NewSnapshot(fsys, revision))
	if reflect.ValueOf(l.Store).Comparable() {
		c.packed[l.Store] = packed{digest: tagged.Digest}
	}
	return c, nil
}

// A keptKey names content that many loops restore at once, when a process starts while their source is out of reach.
type keptKey struct {
	store  Store
	tagged artifact.Tagged // but for its Name and Time
}

// A kept is content of the Store that is open for those who come soon.
type kept struct {
	mu sync.Mutex // held while it is opened
	*content
}

// reopen is open, once for all loops that want the same within a while. The caller releases the content.
func (r *run) reopen(ctx context.Context, l *Loop, tagged artifact.Tagged) (*content, error) {
	if !reflect.ValueOf(l.Store).Comparable() {
		return l.open(ctx, tagged)
	}
	key := keptKey{l.Store, artifact.Tagged{Digest: tagged.Digest, Revision: tagged.Revision}}
	r.mu.Lock()
	k := r.kept[key]
	if k == nil {
		k = new(kept)
		r.kept[key] = k
	}
	r.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.content == nil {
		c, err := l.open(ctx, tagged)
		if err != nil {
			return nil, err
		}
		k.content = c
		time.AfterFunc(patient, func() { r.drop(key, k) })
	}
	return k.content.acquire(), nil
}

// drop lets go of what was kept open. Who has found k just before it does may open it once more, for another while.
func (r *run) drop(key keptKey, k *kept) {
	r.mu.Lock()
	if r.kept[key] == k {
		delete(r.kept, key)
	}
	r.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.content != nil {
		k.content.release()
		k.content = nil
	}
}

// restoreLast builds what the Store says was applied last, since the source cannot be fetched, or what it has does not
// build, and nothing is known in this process.
func (l *Loop) restoreLast(p *place) {
	l.set(func(c *core) { c.busy = Restoring })
	start := time.Now()
	ctx, cancel := l.limit(p.ctx, "Fetch", l.Timeouts.Fetch)
	defer cancel()
	tagged, err := l.Store.Resolve(ctx, l.Name)
	var from *content
	if err == nil {
		from, err = p.run.reopen(ctx, l, tagged)
	}
	if err != nil {
		l.notRestored(p, late(ctx, err))
		return
	}
	defer from.release()
	took := time.Since(start)
	l.tell(Restored{l.Name, from.Revision, took})
	l.core.mu.Lock()
	failed := l.core.unbuilt
	l.core.mu.Unlock()
	built := l.build(p.ctx, from, from.Revision, Durations{Fetch: took})
	l.set(func(c *core) {
		if failed != nil {
			c.unbuilt = failed // of what the source has
		}
		switch c.restored = built; {
		case built:
			c.built.proven = true
		case p.ctx.Err() == nil:
			l.restoreLater(c)
		}
	})
}

// notRestored has the Store be asked again, unless it has nothing.
func (l *Loop) notRestored(p *place, err error) {
	l.update(func(c *core) []Event {
		c.busy = ""
		switch {
		case p.ctx.Err() != nil:
			return nil
		case errors.Is(err, artifact.ErrNotFound):
			c.restored = true
			return nil
		}
		c.storeErr = fmt.Errorf("restoring what was applied last: %w", err)
		delay := l.restoreLater(c)
		return []Event{Failed{Loop: l.Name, Stage: Restoring, Err: c.storeErr, Failures: c.restoreBad, RetryIn: delay}}
	})
	l.deliver()
}

func (l *Loop) restoreLater(c *core) time.Duration {
	c.restoreBad++
	delay := l.delay(c.restoreBad)
	c.restoreAt = time.Now().Add(delay)
	return delay
}
