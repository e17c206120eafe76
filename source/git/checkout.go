package git

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/gitopskit/gitopskit/source"
)

// A checkout is a commit's files, and the objects that they and their folders are. Nobody changes it.
type checkout struct {
	commit  plumbing.Hash
	files   fs.FS
	objects objects
}

func newCheckout(ctx context.Context, commit plumbing.Hash, fresh, have objects, limits source.Limits) (*checkout, error) {
	w := &walk{ctx: ctx, fresh: fresh, have: have, used: make(objects), files: source.NewTree(limits), limits: limits}
	body, err := w.object(commit, plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	root, err := treeOf(body)
	if err == nil {
		err = w.folder("", root)
	}
	if err != nil {
		return nil, fmt.Errorf("commit %s: %w", commit, err)
	}
	return &checkout{commit: commit, files: w.files.FS(), objects: w.used}, nil
}

// treeOf reads a commit's first line.
func treeOf(commit []byte) (plumbing.Hash, error) {
	var tree plumbing.Hash
	line, _, _ := bytes.Cut(commit, []byte("\n"))
	encoded, ok := bytes.CutPrefix(line, []byte("tree "))
	if !ok || len(encoded) != hex.EncodedLen(len(tree)) {
		return tree, errors.New("malformed commit: it does not start with its tree")
	}
	_, err := hex.Decode(tree[:], encoded)
	return tree, err
}

// A walk goes through a commit's folders.
type walk struct {
	ctx         context.Context
	fresh, have objects
	used        objects
	files       *source.Tree
	limits      source.Limits
	entries     int
}

func (w *walk) object(hash plumbing.Hash, kind plumbing.ObjectType) ([]byte, error) {
	o, ok := w.fresh[hash]
	if !ok {
		o, ok = w.have[hash]
	}
	if !ok {
		return nil, fmt.Errorf("%s %s: %w", kind, hash, errIncomplete)
	}
	if o.kind != kind {
		return nil, fmt.Errorf("object %s is a %s instead of a %s", hash, o.kind, kind)
	}
	w.used[hash] = o
	return o.body, nil
}

func (w *walk) folder(name string, hash plumbing.Hash) error {
	body, err := w.object(hash, plumbing.TreeObject)
	if err != nil {
		return err
	}
	if name != "" && strings.Count(name, "/")+1 >= w.limits.MaxDepth {
		return &source.LimitError{Option: "Limits.MaxDepth", Max: int64(w.limits.MaxDepth), Name: name}
	}
	before := w.files.Len()
	for len(body) > 0 {
		var e treeEntry
		if e, body, err = nextEntry(body); err != nil {
			return fmt.Errorf("folder %q: %w", name, err)
		}
		// The same few trees inside each other can be a billion entries without one file.
		if w.entries++; w.entries > w.limits.MaxFiles {
			return &source.LimitError{Option: "Limits.MaxFiles", Max: int64(w.limits.MaxFiles)}
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.entry(name, e); err != nil {
			return err
		}
	}
	if w.files.Len() == before {
		return nil // with nothing in it, or only submodules, there is no such folder in the snapshot
	}
	return w.files.Identify(cmp.Or(name, "."), identity(hash))
}

// identity is told apart from a plain SHA-1 of the content: Git hashes a header, too.
func identity(hash plumbing.Hash) string { return "git-sha1:" + hash.String() }

func (w *walk) entry(folder string, e treeEntry) error {
	name := e.name
	if folder != "" {
		name = folder + "/" + e.name
	}
	if e.name == "" || e.name == "." || e.name == ".." || strings.Contains(e.name, "/") || strings.EqualFold(e.name, ".git") {
		return &source.NameError{Name: name, Reason: "is a name that no entry of a Git tree may have"}
	}
	switch e.mode {
	case "40000", "040000": // old tools wrote the zero
		return w.folder(name, e.hash)
	case "160000":
		return nil // a submodule
	}
	body, err := w.object(e.hash, plumbing.BlobObject)
	switch {
	case err != nil:
		return fmt.Errorf("%q: %w", name, err)
	case e.mode == "120000":
		return w.files.AddSymlink(name, string(body))
	case len(e.mode) == 6 && strings.HasPrefix(e.mode, "100"):
		if err := w.files.AddFile(name, strings.Contains("1357", e.mode[3:4]), body); err != nil {
			return err
		}
		return w.files.Identify(name, identity(e.hash))
	}
	return fmt.Errorf("%q has the mode %.10q, which Git does not know", name, e.mode)
}

// A treeEntry is a line of a tree: "100644 name\x00" and a hash of 20 bytes.
type treeEntry struct {
	mode, name string
	hash       plumbing.Hash
}

func nextEntry(body []byte) (treeEntry, []byte, error) {
	var e treeEntry
	mode, rest, ok := bytes.Cut(body, []byte(" "))
	name, rest, found := bytes.Cut(rest, []byte{0})
	if !ok || !found || len(rest) < len(e.hash) {
		return e, nil, errors.New("malformed tree")
	}
	e.mode, e.name = string(mode), string(name)
	copy(e.hash[:], rest)
	return e, rest[len(e.hash):], nil
}
