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
// is that error, which should wrap [ErrNotFetched], and no listing shows it. Where its folder is not there, for want of
// anything in it, the same goes for that folder. Below a file nothing happens.
func (t *Tree) Withhold(name string, why error) error {
	if t.sealed {
		return errSealed
	}
	if !fs.ValidPath(name) || name == "." {
		return nil // nobody can ask for it
	}
	folder := t.root
	element, below, nested := strings.Cut(name, "/")
	for nested {
		next := folder.children[element]
		if next == nil {
			break
		}
		if folder = next; !folder.mode.IsDir() {
			return nil
		}
		element, below, nested = strings.Cut(below, "/")
	}
	if folder.withheld == nil {
		folder.withheld = make(map[string]error)
	}
	if folder.withheld[element] == nil || !nested {
		folder.withheld[element] = why
	}
	return nil
}

// absent returns why a folder has no such child.
func (n *node) absent(name string) error {
	if why := n.withheld[name]; why != nil {
		return why
	}
	return fs.ErrNotExist
}
