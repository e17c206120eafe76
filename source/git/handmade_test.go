package git_test

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gitopskit/gitopskit/source/git/internal/object"
)

// A handmade repository is one that a test wrote object by object, since git would not write it. Its server is not git
// either: it hands out whatever is asked for, and what it answers can be bent.
type handmade struct {
	objects object.Set
	refs    []string // lines of a list in version 0: "hash name"
	filters bool     // it serves partial clones
	head    string   // what HEAD is

	// bend changes the answer to the request with a number, from 0. It is called by the server's goroutines.
	bend func(round int, q handmadeRequest, answer []byte) []byte
	// give says which objects a pack has, instead of those asked for.
	give func(round int, q handmadeRequest) []object.Hash

	rounds atomic.Int32 // packs that were asked for
	mu     sync.Mutex
	packed map[object.Hash][]byte // entries of packs
}

func newHandmade() *handmade {
	return &handmade{objects: make(object.Set), filters: true, head: "refs/heads/main", packed: make(map[object.Hash][]byte)}
}

func (r *handmade) add(kind object.Kind, body string) object.Hash {
	hash, err := object.NewHasher().Sum(kind, []byte(body))
	if err != nil {
		panic(err)
	}
	r.objects[hash] = object.New(kind, []byte(body))
	return hash
}

func (r *handmade) blob(body string) object.Hash { return r.add(object.Blob, body) }

// An entryLine is an entry of a tree as it lies there.
func entryLine(mode, name string, hash object.Hash) string {
	return mode + " " + name + "\x00" + string(hash[:])
}

func (r *handmade) tree(entries ...string) object.Hash {
	return r.add(object.Tree, strings.Join(entries, ""))
}

const handmadeAuthor = "a <a@example.com> 1700000000 +0000"

// commit makes main a commit of the tree.
func (r *handmade) commit(tree object.Hash) object.Hash {
	hash := r.add(object.Commit, fmt.Sprintf("tree %s\nauthor %s\ncommitter %[2]s\n\nx\n", tree, handmadeAuthor))
	r.main(hash)
	return hash
}

func (r *handmade) main(hash object.Hash) {
	r.refs = []string{hash.String() + " HEAD", hash.String() + " refs/heads/main"}
}

// tag tags an object and returns the tag.
func (r *handmade) tag(name string, kind object.Kind, target object.Hash) object.Hash {
	return r.add(object.Tag, fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger %s\n\nx\n", target, kind, name, handmadeAuthor))
}

// sample is a small repository with a folder in a folder.
func sample() (*handmade, object.Hash) {
	r := newHandmade()
	web := r.tree(entryLine("100644", "a.yaml", r.blob("a: 1\n")), entryLine("100755", "run.sh", r.blob("#!/bin/sh\n")))
	apps := r.tree(entryLine("40000", "api", r.tree(entryLine("100644", "b.yaml", r.blob("b: 2\n")))),
		entryLine("40000", "web", web))
	return r, r.commit(r.tree(entryLine("100644", "README", r.blob("read me\n")), entryLine("40000", "apps", apps)))
}

// pick returns what a request wants, as git's filters do.
func (r *handmade) pick(q handmadeRequest) []object.Hash {
	deepest, blobs := 1<<30, !strings.Contains(q.filter, "blob:none")
	if _, depth, ok := strings.Cut(q.filter, "tree:"); ok {
		_, _ = fmt.Sscan(depth, &deepest)
	}
	seen := make(map[object.Hash]bool)
	var all []object.Hash
	var visit func(hash object.Hash, depth int, wanted bool)
	visit = func(hash object.Hash, depth int, wanted bool) {
		o, ok := r.objects[hash]
		inTree := o.Kind == object.Tree || o.Kind == object.Blob
		if !ok || seen[hash] || inTree && !wanted && depth >= deepest || o.Kind == object.Blob && !wanted && !blobs {
			return
		}
		seen[hash] = true
		all = append(all, hash)
		switch o.Kind {
		case object.Commit:
			if tree, err := object.TreeOf(o.Body()); err == nil {
				visit(tree, 0, false)
			}
		case object.Tag:
			if target, err := object.TargetOf(o.Body()); err == nil {
				visit(target.Hash, 0, false)
			}
		case object.Tree:
			for body := o.Body(); len(body) > 0; {
				e, rest, err := object.NextEntry(body)
				if err != nil {
					return
				}
				body = rest
				visit(e.Hash, depth+1, false)
			}
		}
	}
	for _, want := range q.wants {
		visit(want, 0, true)
	}
	return all
}

// pack is a pack of the objects, those that are there.
func (r *handmade) pack(hashes []object.Hash) []byte {
	var body []byte
	count := 0
	for _, hash := range hashes {
		if o, ok := r.objects[hash]; ok {
			body = append(body, r.packEntry(hash, o)...)
			count++
		}
	}
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), uint32(count))
	out = append(out, body...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// packEntry is an object as it lies in a pack. It is kept, since it is asked for at every byte.
func (r *handmade) packEntry(hash object.Hash, o object.Object) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if made, ok := r.packed[hash]; ok {
		return made
	}
	made := packHead(o.Kind, uint64(len(o.Body())))
	body := bytes.NewBuffer(made)
	z := zlib.NewWriter(body)
	_, _ = z.Write(o.Body())
	_ = z.Close()
	r.packed[hash] = body.Bytes()
	return body.Bytes()
}

// packHead is what an entry of a pack starts with.
func packHead(kind object.Kind, size uint64) []byte {
	first := byte(kind)<<4 | byte(size&15)
	if size >>= 4; size == 0 {
		return []byte{first}
	}
	return binary.AppendUvarint([]byte{first | 0x80}, size)
}

// banded is a pack as lines of the channel that packs come through.
func banded(pack []byte) []byte {
	var out []byte
	for piece := range slices.Chunk(pack, 1000) {
		out = append(out, line("\x01"+string(piece))...)
	}
	return append(out, "0000"...)
}

func TestHandmadeServerIsLikeGit(t *testing.T) {
	r, commit := sample()
	all := len(r.objects)
	for filter, want := range map[string]int{"": all, "tree:0": 1, "combine:blob:none+tree:1": 2, "blob:none": 5, "tree:2": 4} {
		if got := r.pick(handmadeRequest{wants: []object.Hash{commit}, filter: filter}); len(got) != want {
			t.Errorf("%q: got %d of %d objects, want %d", filter, len(got), all, want)
		}
	}
}
