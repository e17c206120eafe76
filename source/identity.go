package source

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"sync"

	"github.com/opencontainers/go-digest"
)

// An IdentityFS is a file system that can tell what stands at a path without reading it, so that who has the result of
// reading it before need not read it again.
//
// Identity returns a text that stands for the content of a file, or for all that is in a folder: names, contents, executable
// bits, and where links lead. One identity is one content: wherever else the same text is met, under another name, in
// another revision or in another file system, what stands there is the same, and a file's is never a folder's. What only
// means something in one place, as an ETag does, therefore has that place in it. The other way around there is no promise
// between places: one content may have several identities. In one place the identity stays as long as the content does.
//
// An empty text along with no error means that something is there and its identity is not known: it has to be read.
//
// Links are followed as Open follows them, and errors are those of Stat: [fs.ErrNotExist] and others, in a [*fs.PathError].
// A folder's identity covers the targets of the links in it as they are written, and not what stands outside of the folder
// where they may lead. Who follows such a link asks for the identity there.
//
// The method has only types of the standard library, so that a package need not import this one to ask for it.
type IdentityFS interface {
	fs.FS
	Identity(name string) (string, error)
}

// Identity returns what fsys tells of name, if it is an [IdentityFS]. Otherwise that is the empty text, or Stat's error.
func Identity(fsys fs.FS, name string) (string, error) {
	if f, ok := fsys.(IdentityFS); ok {
		return f.Identity(name)
	}
	_, err := fs.Stat(fsys, name)
	return "", err
}

// Identify tells the identity of a file that was added, or of a folder after all that is in it was; "." is the root. It is
// for who knows it already: otherwise what was added with AddFile is hashed when somebody asks for the first time, a
// folder's identity is made of those of its entries, and what was added with AddLazyFile has none, nor have the folders
// above it.
//
// An identity starts with how it was made, such as "sha256:", and holds to what [IdentityFS] promises. The tree puts the
// kind before it. An empty one tells nothing. A second one for the same name is a [*NameError], for it would be of other
// content.
func (t *Tree) Identify(name, identity string) error {
	if t.sealed {
		return errSealed
	}
	n := t.root
	if name != "." {
		n = t.at(name)
	}
	switch {
	case n == nil:
		return &NameError{Name: name, Reason: "is not there, and gets an identity"}
	case n.mode.Type() == fs.ModeSymlink:
		return &NameError{Name: name, Reason: "is a symbolic link, which has no identity but its target's"}
	case n.identity != "":
		return &NameError{Name: name, Reason: "is there twice: it gets a second identity"}
	}
	n.identity = identity
	return nil
}

func (n *node) kind() string {
	if n.IsDir() {
		return "folder:"
	}
	return "file:"
}

// An identifying node finds its identity out once.
type identifying struct {
	once     sync.Once
	identity string // without the kind; empty until it is told or found out, and for good where it is not known
}

func (n *node) identify() string {
	n.once.Do(func() {
		switch {
		case n.identity != "":
		case n.IsDir():
			n.identity = n.identifyFolder()
		case n.held:
			if body, err := n.read(); err == nil {
				n.identity = digest.FromBytes(body).String()
			}
		}
	})
	if n.identity == "" {
		return ""
	}
	return n.kind() + n.identity
}

// identifyFolder is as deep as the tree, which Limits bound.
func (n *node) identifyFolder() string {
	sum := sha256.New()
	for _, e := range n.entries {
		child := e.(*node)
		what := child.target
		if child.mode.Type() != fs.ModeSymlink {
			if what = child.identify(); what == "" {
				return ""
			}
		}
		fmt.Fprintf(sum, "%o %q %q\n", uint32(child.mode), child.name, what)
	}
	return digest.NewDigest(digest.SHA256, sum).String()
}

// Identity implements [IdentityFS].
func (f *treeFS) Identity(name string) (string, error) {
	n, err := f.find("identity", name, true)
	if err != nil {
		return "", err
	}
	return n.identify(), nil
}
