package artifact

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A tree is the file system that Open returns.
type tree struct {
	nodes map[string]*node // by real path: no link above, "." is the root
}

// A node is a file, a folder or a link. It does not know its name.
type node struct {
	mode    fs.FileMode
	data    []byte
	spooled *io.SectionReader // instead of data; nobody reads from it but at offsets
	target  string
	kids    []fs.DirEntry // sorted by name
}

// reader returns a reader of its own for a file.
func (n *node) reader() contentReader {
	if n.spooled != nil {
		return io.NewSectionReader(n.spooled, 0, n.spooled.Size())
	}
	return bytes.NewReader(n.data)
}

// content returns a copy of a file's content.
func (n *node) content() ([]byte, error) {
	if n.spooled == nil {
		return append(make([]byte, 0, len(n.data)), n.data...), nil
	}
	data := make([]byte, n.spooled.Size())
	if _, err := n.spooled.ReadAt(data, 0); err != nil && (err != io.EOF || len(data) > 0) {
		return nil, err
	}
	return data, nil
}

var (
	_ fs.ReadDirFS  = (*tree)(nil)
	_ fs.StatFS     = (*tree)(nil)
	_ fs.ReadFileFS = (*tree)(nil)
	_ fs.ReadLinkFS = (*tree)(nil)

	errIsFolder  = errors.New("is a directory")
	errNoFolder  = errors.New("not a directory")
	errManyLinks = errors.New("too many symbolic links")
)

// newTree adds the folders to nodes.
func newTree(nodes map[string]*node) *tree {
	t := &tree{nodes: nodes}
	t.folder(".")
	for _, name := range slices.Collect(maps.Keys(nodes)) {
		if name != "." {
			parent := t.folder(path.Dir(name))
			parent.kids = append(parent.kids, entry{path.Base(name), nodes[name]})
		}
	}
	for _, n := range nodes {
		slices.SortFunc(n.kids, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t
}

// folder returns the folder of that name, which it makes, with those above it,
// if need be.
func (t *tree) folder(name string) *node {
	n, ok := t.nodes[name]
	if ok {
		return n
	}
	n = &node{mode: fs.ModeDir | 0o755}
	t.nodes[name] = n
	if name != "." {
		parent := t.folder(path.Dir(name))
		parent.kids = append(parent.kids, entry{path.Base(name), n})
	}
	return n
}

// Open follows links.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	e := entry{path.Base(name), n}
	if n.mode.IsDir() {
		return &openFolder{entry: e}, nil
	}
	return &openFile{entry: e, contentReader: n.reader()}, nil
}

// ReadDir follows links.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
	}
	return slices.Clone(n.kids), nil
}

// ReadFile follows links and returns a copy.
func (t *tree) ReadFile(name string) ([]byte, error) {
	n, err := t.find("read", name, true)
	if err != nil {
		return nil, err
	}
	if n.mode.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errIsFolder}
	}
	data, err := n.content()
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// Stat follows links.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return entry{path.Base(name), n}, nil
}

// Lstat follows links above the last element only.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	n, err := t.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return entry{path.Base(name), n}, nil
}

// ReadLink returns the target as it was packed.
func (t *tree) ReadLink(name string) (string, error) {
	n, err := t.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.mode.Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.target, nil
}

func (t *tree) find(op, name string, follow bool) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if n, ok := t.nodes[name]; ok && (!follow || n.mode.Type() != fs.ModeSymlink) {
		return n, nil
	}
	n, err := t.walk(name, follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

// maxLinks is how many links one name may lead through, as in Linux.
const maxLinks = 40

// walk goes from the root element by element, as the kernel does.
func (t *tree) walk(name string, follow bool) (*node, error) {
	n, links := t.nodes["."], 0
	var above []*node // the folders above n, from the root
	for rest := name; rest != ""; {
		var elem string
		elem, rest, _ = strings.Cut(rest, "/")
		if !n.mode.IsDir() {
			return nil, errNoFolder
		}
		switch elem {
		case "", ".":
			continue
		case "..":
			if len(above) == 0 {
				return nil, ErrUnsafe // not met: the layout saw to it
			}
			n, above = above[len(above)-1], above[:len(above)-1]
			continue
		}
		found := n.kid(elem)
		if found == nil {
			return nil, fs.ErrNotExist
		}
		if found.mode.Type() == fs.ModeSymlink && (follow || rest != "") {
			if links++; links > maxLinks {
				return nil, errManyLinks
			}
			rest = found.target + "/" + rest
			continue
		}
		n, above = found, append(above, n)
	}
	return n, nil
}

// kid returns what stands in the folder under that name, or nil. A map of all paths
// would take as long as the path is.
func (n *node) kid(name string) *node {
	i, ok := slices.BinarySearchFunc(n.kids, name, func(e fs.DirEntry, name string) int {
		return strings.Compare(e.Name(), name)
	})
	if !ok {
		return nil
	}
	return n.kids[i].(entry).node
}
