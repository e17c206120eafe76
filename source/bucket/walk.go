package bucket

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/gitopskit/gitopskit/source"
)

// A walk goes back through a bucket's states, from now on, one event at a time. What would be done for each state anew, to
// judge all keys by the ignore rules and to write the listing that is hashed, is done for what an event touches: so a
// state costs one SHA-256 over the listing from that key on, which is half of 1 MB for 10,000 keys.
type walk struct {
	*timeline
	s    *Source
	kept contents // ignore files

	next   int       // index in events: what is undone next
	undone time.Time // of the event that was undone last
	at     []int     // of each key, the index of the version that counts
	// ignored says of each key what the rules do, at this state's ignore files.
	ignored []bool
	tags    []string       // of each key, the ETag in the listing; empty: it is not listed
	own     int            // the key of the bucket's own ignore file, which is never listed; or -1
	was     map[int]string // what tags had when this map was made, of keys that changed since

	blocks  [][]byte    // the lines of the listing, of blockKeys keys each; nil: to be written
	heads   []hash.Hash // of the listing up to each block, without it
	changed int         // the first block that is not in now
	now     source.Revision
	digests int // how many were computed
}

const blockKeys = 64

// walk starts at what there is now.
func (s *Source) walk(ctx context.Context, l *timeline, kept contents) (*walk, error) {
	n := len(l.keys)
	w := &walk{timeline: l, s: s, kept: kept, at: make([]int, n), ignored: make([]bool, n), tags: make([]string, n),
		own: -1, was: make(map[int]string),
		blocks: make([][]byte, (n+blockKeys-1)/blockKeys), heads: []hash.Hash{sha256.New()}}
	if i, ok := slices.BinarySearch(l.keys, source.IgnoreFile); ok && !s.opts.NoIgnoreFiles {
		w.own = i
	}
	if err := w.judge(ctx); err != nil {
		return nil, err
	}
	w.skip()
	return w, nil
}

// object returns what a key was at this state.
func (w *walk) object(key int) (Object, bool) {
	if w.at[key] == len(w.versions[key]) {
		return Object{}, false
	}
	o := w.versions[key][w.at[key]]
	return o, !o.Deleted
}

// objects returns what there was at this state, what is ignored too.
func (w *walk) objects() []Object {
	var all []Object
	for key := range w.keys {
		if o, ok := w.object(key); ok {
			all = append(all, o)
		}
	}
	return all
}

// judge finds out what the ignore files of this state leave out.
func (w *walk) judge(ctx context.Context) error {
	files := make(map[string]Object) // by path
	paths := make([]string, len(w.keys))
	for key := range w.keys {
		paths[key] = w.s.name(Object{Key: w.keys[key]})
		if o, ok := w.object(key); ok && w.ruling(key) {
			files[paths[key]] = o
		}
	}
	w.forget(files)
	left := paths
	if w.s.opts.Ignore != "" || len(files) > 0 {
		var err error
		left, err = w.s.rules.Filter(ctx, paths, w.s.ignoreReader(ctx, files, w.kept))
		if errors.Is(err, source.ErrTooLarge) {
			left = nil // such a state was no snapshot, and has no revision
		} else if err != nil {
			return err
		}
	}
	for key, path := range paths {
		w.ignored[key] = key == w.own || len(left) == 0 || left[0] != path
		if len(left) > 0 && left[0] == path {
			left = left[1:]
		}
		w.list(key)
	}
	return nil
}

// ruling reports whether a key is an ignore file.
func (w *walk) ruling(key int) bool {
	name := w.s.name(Object{Key: w.keys[key]})
	return !w.s.opts.NoIgnoreFiles && (name == source.IgnoreFile || strings.HasSuffix(name, "/"+source.IgnoreFile))
}

// forget keeps no more ignore files of other states than Source does, besides those of this one.
func (w *walk) forget(files map[string]Object) {
	if len(w.kept) < maxIgnoreFiles {
		return
	}
	here := make(contents, len(files))
	for _, o := range files {
		if body := w.kept.at(o); body != nil {
			here[o.content()] = body
		}
	}
	clear(w.kept)
	maps.Copy(w.kept, here)
}

// tag returns what the listing has of a key at this state.
func (w *walk) tag(key int) string {
	if o, ok := w.object(key); ok && !w.ignored[key] && !isPlaceholder(o) {
		return o.ETag
	}
	return ""
}

// list brings the listing up to date with a key.
func (w *walk) list(key int) {
	if tag := w.tag(key); tag != w.tags[key] {
		if _, ok := w.was[key]; !ok {
			w.was[key] = w.tags[key]
		}
		w.tags[key], w.blocks[key/blockKeys] = tag, nil
		w.changed = min(w.changed, key/blockKeys)
	}
}

// ends reports whether there is nothing left to undo: what was in the place of a null version nobody knows.
func (w *walk) ends() bool {
	if w.next == len(w.events) {
		return true
	}
	key := w.events[w.next].key
	return w.versions[key][w.at[key]].Version == nullVersion
}

// rests reports whether this state stood for longer than a change pauses.
func (w *walk) rests() bool {
	return w.ends() || w.undone.Sub(w.events[w.next].at) > max(w.s.opts.ChangeGap, 0)
}

// step undoes an event, and those before it that changed nothing. It reports whether there was one.
func (w *walk) step(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if w.ends() {
		return false, nil
	}
	w.undone = w.events[w.next].at
	if err := w.undo(ctx); err != nil {
		return false, err
	}
	w.skip()
	return true, nil
}

func (w *walk) undo(ctx context.Context) error {
	key := w.events[w.next].key
	w.next++
	w.at[key]++
	if w.ruling(key) {
		return w.judge(ctx)
	}
	w.list(key)
	return nil
}

// skip undoes what made no difference, so that a file which is ignored and written again and again does not join changes.
func (w *walk) skip() {
	for !w.ends() {
		key := w.events[w.next].key
		w.at[key]++
		if w.ruling(key) || w.tag(key) != w.tags[key] {
			w.at[key]--
			return
		}
		w.next++
	}
}

// digest returns this state's revision: that of [Source.Fetch]. Without anything there it is zero.
func (w *walk) digest(ctx context.Context) (source.Revision, error) {
	if w.changed == len(w.blocks) {
		return w.now, nil
	}
	if err := ctx.Err(); err != nil {
		return source.Revision{}, err
	}
	w.heads = w.heads[:w.changed+1]
	for i := w.changed; i < len(w.blocks); i++ {
		if w.blocks[i] == nil {
			w.blocks[i] = w.write(i)
		}
		sum, err := w.heads[i].(hash.Cloner).Clone()
		if err != nil {
			return source.Revision{}, err
		}
		_, _ = sum.Write(w.blocks[i]) // a hash returns no error
		w.heads = append(w.heads, sum)
	}
	w.changed = len(w.blocks)
	w.now = source.Revision{}
	if slices.ContainsFunc(w.blocks, func(lines []byte) bool { return len(lines) > 0 }) {
		w.now.Digest = digest.NewDigest(digest.SHA256, w.heads[w.changed])
	}
	w.digests++
	return w.now, nil
}

func (w *walk) write(block int) []byte {
	lines := make([]byte, 0, blockKeys*64)
	for key := block * blockKeys; key < min((block+1)*blockKeys, len(w.keys)); key++ {
		if w.tags[key] != "" {
			lines = appendLine(lines, w.keys[key], w.tags[key])
		}
	}
	return lines
}
