package source

import (
	"errors"
	"io/fs"
	"strings"
)

// ErrNotFetched means that something stands at a path in the origin, or may stand there, and was not asked for. It is not
// [io/fs.ErrNotExist].
var ErrNotFetched = errors.New("not fetched")

// Withhold says that the origin has something under name which the tree is not to have, and why; looking at it or into it
// is that error, which should wrap [ErrNotFetched], and no listing shows it. Its folder has to be there, or nothing happens.
func (t *Tree) Withhold(name string, why error) error {
	if t.sealed {
		return errSealed
	}
	if !fs.ValidPath(name) || name == "." {
		return nil // nobody can ask for it
	}
	folder := t.root
	for rest := name; ; {
		element, below, nested := strings.Cut(rest, "/")
		if !nested {
			break
		}
		if folder = folder.children[element]; folder == nil || !folder.mode.IsDir() {
			return nil
		}
		rest = below
	}
	if folder.withheld == nil {
		folder.withheld = make(map[string]error)
	}
	folder.withheld[name[strings.LastIndexByte(name, '/')+1:]] = why
	return nil
}

// absent returns why a folder has no such child.
func (n *node) absent(name string) error {
	if why := n.withheld[name]; why != nil {
		return why
	}
	return fs.ErrNotExist
}
