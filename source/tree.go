package source

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
)

// A Tree collects an origin's files in any order, holds them to limits, and becomes a [Snapshot]. It is for those who write
// a [Source]; it is filled by one goroutine.
type Tree struct {
	limits Limits
	root   *node
	count  int   // nodes without the root
	bytes  int64 // of all files
	sealed bool
	// The folder that something was added to last, where the next one often goes, and its path, of the root none.
	last     *node
	lastPath string
}

var errSealed = errors.New("adding to a tree that is a snapshot already")

// NewTree returns an empty Tree.
func NewTree(limits Limits) *Tree {
	root := newFolder(".")
	return &Tree{limits: limits.WithDefaults(), root: root, last: root}
}

// AddFile adds a regular file under a slash-separated path. The tree keeps body, which must not change any more.
func (t *Tree) AddFile(name string, executable bool, body []byte) error {
	open := func() ([]byte, error) { return body, nil }
	return t.addFile(name, executable, &node{size: int64(len(body)), open: open, held: true})
}

// AddLazyFile adds a regular file whose content open brings, whenever somebody reads it, perhaps many times and at once.
// open always returns the same size bytes, which nobody changes.
func (t *Tree) AddLazyFile(name string, executable bool, size int64, open func() ([]byte, error)) error {
	return t.addFile(name, executable, &node{size: size, open: open})
}

func (t *Tree) addFile(name string, executable bool, n *node) error {
	if err := t.admit(name, n.size); err != nil {
		return err
	}
	n.mode = 0o644
	if executable {
		n.mode = 0o755
	}
	if err := t.insert(name, n); err != nil {
		return err
	}
	t.bytes += n.size
	return nil
}

// AddSymlink adds a symbolic link. Any target will do: it is judged when the link is followed.
func (t *Tree) AddSymlink(name, target string) error {
	if len(target) > t.limits.MaxPathBytes {
		return t.crossed("MaxPathBytes", int64(t.limits.MaxPathBytes), name)
	}
	if err := t.admit(name, 0); err != nil {
		return err
	}
	return t.insert(name, &node{mode: fs.ModeSymlink | 0o777, size: int64(len(target)), target: target})
}

// Len returns how many files, links and folders there are, without the root.
func (t *Tree) Len() int { return t.count }

// Snapshot is [NewSnapshot] of what was added.
func (t *Tree) Snapshot(revision Revision) *Snapshot { return NewSnapshot(t.FS(), revision) }

// FS returns what was added, after which nothing can be added. Like a [Snapshot] it implements all of [io/fs]' interfaces
// for reading, and [IdentityFS].
func (t *Tree) FS() fs.FS {
	if !t.sealed {
		t.root.seal()
	}
	t.sealed = true
	return &treeFS{root: t.root}
}

// admit checks what can be told of a file by itself.
func (t *Tree) admit(name string, size int64) error {
	switch {
	case t.sealed:
		return errSealed
	case !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, 0):
		return &NameError{Name: name, Reason: "is not a valid path"}
	case len(name) > t.limits.MaxPathBytes:
		return t.crossed("MaxPathBytes", int64(t.limits.MaxPathBytes), name[:min(len(name), 64)]+"…")
	case strings.Count(name, "/") >= t.limits.MaxDepth:
		return t.crossed("MaxDepth", int64(t.limits.MaxDepth), name)
	case size > t.limits.MaxFileBytes:
		return t.crossed("MaxFileBytes", t.limits.MaxFileBytes, name)
	case size < 0 || size > math.MaxInt64-t.bytes || t.bytes+size > t.limits.MaxBytes:
		return t.crossed("MaxBytes", t.limits.MaxBytes, "")
	}
	return nil
}

func (t *Tree) crossed(option string, limit int64, name string) error {
	return &LimitError{Option: "Limits." + option, Max: limit, Name: name}
}

// insert makes the folders that name needs, and puts n there.
func (t *Tree) insert(name string, n *node) error {
	parent, element := split(name)
	if parent != t.lastPath {
		folder, err := t.folder(name)
		if err != nil {
			return err
		}
		t.last, t.lastPath = folder, parent
	}
	n.name = element
	if other := t.last.children[n.name]; other != nil {
		if other.mode.IsDir() && !n.mode.IsDir() {
			return &NameError{Name: name, Reason: fmt.Sprintf("is a file and a folder, with %q in it", other.any())}
		}
		return &NameError{Name: name, Reason: "is there twice"}
	}
	return t.put(t.last, n)
}

// split returns the path of the folder that name is in, which is empty for the root, and the last element.
func split(name string) (parent, element string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

// folder makes the folders on the way to name, and returns the last of them.
func (t *Tree) folder(name string) (*node, error) {
	folder := t.root
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		element := name[strings.LastIndexByte(name[:i], '/')+1 : i]
		next, ok := folder.children[element]
		if !ok {
			next = newFolder(element)
			if err := t.put(folder, next); err != nil {
				return nil, err
			}
		}
		if !next.mode.IsDir() {
			return nil, &NameError{Name: name, Reason: fmt.Sprintf("has to be in %q, which is not a folder", name[:i])}
		}
		folder = next
	}
	return folder, nil
}

// at returns what is under a name, or nil.
func (t *Tree) at(name string) *node {
	if parent, element := split(name); parent == t.lastPath {
		return t.last.children[element]
	}
	n := t.root
	for element := range strings.SplitSeq(name, "/") {
		if n = n.children[element]; n == nil {
			return nil
		}
	}
	return n
}

func (t *Tree) put(folder, n *node) error {
	if t.count >= t.limits.MaxFiles {
		return t.crossed("MaxFiles", int64(t.limits.MaxFiles), "")
	}
	t.count++
	folder.children[n.name] = n
	return nil
}

// A node is a file, a link or a folder.
type node struct {
	name     string // the last element
	mode     fs.FileMode
	size     int64
	target   string                 // of a link
	open     func() ([]byte, error) // of a file
	held     bool                   // what open brings is in memory
	children map[string]*node       // of a folder that is not sealed
	entries  []fs.DirEntry          // of a sealed folder: the children as nodes, by name
	withheld map[string]error       // of a folder: what is not among the children, and why
	identifying
}

func newFolder(name string) *node {
	return &node{name: name, mode: fs.ModeDir | 0o755, children: make(map[string]*node)}
}

// any returns the path of some child, relative to n; a folder always has one.
func (n *node) any() string {
	for name := range n.children {
		return n.name + "/" + name
	}
	return n.name
}

func (n *node) seal() {
	n.entries = make([]fs.DirEntry, 0, len(n.children))
	for _, child := range n.children {
		n.entries = append(n.entries, child)
		if child.mode.IsDir() {
			child.seal()
		}
	}
	slices.SortFunc(n.entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	n.children = nil
}

// child returns what a sealed folder has under a name, or nil.
func (n *node) child(name string) *node {
	i, ok := slices.BinarySearchFunc(n.entries, name, func(e fs.DirEntry, name string) int {
		return strings.Compare(e.Name(), name)
	})
	if !ok {
		return nil
	}
	return n.entries[i].(*node)
}
