package source

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links one path may lead through; it is Linux' number (MAXSYMLINKS).
const maxLinks = 40

// find returns what is under name. Links on the way are followed, and one at the end where follow says so.
func (f *treeFS) find(op, name string, follow bool) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	w := walk{stack: []*node{f.root}, todo: elements(name)}
	for len(w.todo) > 0 {
		if err := w.step(follow); err != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: err}
		}
	}
	return w.stack[len(w.stack)-1], nil
}

// A walk is where a lookup has got to.
type walk struct {
	stack []*node  // from the root to here
	todo  []string // the elements still to go, the next one last
	links int
	last  LinkError // the link that was followed last
}

func (w *walk) step(follow bool) error {
	element := w.todo[len(w.todo)-1]
	w.todo = w.todo[:len(w.todo)-1]
	if element == "" || element == "." {
		return nil
	}
	here := w.stack[len(w.stack)-1]
	switch {
	case !here.IsDir():
		return fs.ErrNotExist
	case element == ".." && len(w.stack) == 1: // only a link's target has a ".."
		return w.refuse("leads out of the root")
	case element == "..":
		w.stack = w.stack[:len(w.stack)-1]
		return nil
	}
	child := here.child(element)
	if child == nil {
		return here.absent(element)
	}
	if child.mode.Type() == fs.ModeSymlink && (follow || len(w.todo) > 0) {
		return w.follow(child)
	}
	w.stack = append(w.stack, child)
	return nil
}

func (w *walk) follow(link *node) error {
	w.links++
	w.last = LinkError{Link: path.Join(w.path(), link.name), Target: link.target}
	switch {
	case w.links > maxLinks:
		return w.refuse("leads through too many links, perhaps in a loop")
	case strings.HasPrefix(link.target, "/"):
		return w.refuse("is absolute")
	}
	w.todo = append(w.todo, elements(link.target)...)
	return nil
}

func (w *walk) refuse(reason string) error {
	refused := w.last
	refused.Reason = reason
	return &refused
}

func (w *walk) path() string {
	var names []string
	for _, n := range w.stack[1:] {
		names = append(names, n.name)
	}
	return path.Join(names...)
}

// elements returns those of a slash-separated path, the first one last.
func elements(name string) []string {
	all := strings.Split(name, "/")
	slices.Reverse(all)
	return all
}
