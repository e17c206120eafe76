package kustomize

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links one path may lead through, as on Linux.
const maxLinks = 40

// links finds out where paths lead in a file system that has symbolic links and can show them. Such a file system follows
// them by itself where it opens a file, that of os.DirFS also out of its root. So each path is looked at before. In a
// file system without fs.ReadLinkFS each path stands for itself.
type links struct {
	fsys  fs.ReadLinkFS     // nil if it has no links
	known map[string]string // where paths lead, for those that were looked at and are there
}

func newLinks(fsys fs.FS) *links {
	l := &links{known: map[string]string{".": "."}}
	l.fsys, _ = fsys.(fs.ReadLinkFS)
	return l
}

// real returns the path without links that name leads to. An error about a link names it and what it points to.
func (l *links) real(name string) (string, error) {
	if l.fsys == nil {
		return name, nil
	}
	return l.follow(name, 0)
}

// follow looks at each path once: at the folders of a file with the first file in them.
func (l *links) follow(name string, passed int) (string, error) {
	if found, ok := l.known[name]; ok {
		return found, nil
	}
	dir, err := l.follow(path.Dir(name), passed)
	if err != nil {
		return "", err
	}
	found := path.Join(dir, path.Base(name))
	info, err := l.fsys.Lstat(found)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if found, err = l.target(found, passed+1); err != nil {
			return "", err
		}
	}
	l.known[name] = found
	return found, nil
}

// target returns where a link leads in the end. Its elements are walked one by one: what ".." means in a link depends on
// where the elements before it lead.
func (l *links) target(link string, passed int) (string, error) {
	to, err := l.fsys.ReadLink(link)
	if err != nil {
		return "", err
	}
	if to = filepath.ToSlash(to); path.IsAbs(to) || filepath.IsAbs(to) {
		return "", fmt.Errorf("%w: the link %s is absolute, to %s", ErrOutside, link, shown(to))
	}
	if passed > maxLinks {
		return "", fmt.Errorf("%w: the link %s leads through more than %d links", ErrCycle, link, maxLinks)
	}
	here := path.Dir(link)
	for _, element := range slices.DeleteFunc(strings.Split(to, "/"), func(e string) bool { return e == "" || e == "." }) {
		switch {
		case element != "..":
			here, err = l.follow(path.Join(here, element), passed)
		case here == ".":
			err = fmt.Errorf("%w: the link %s leads out of it, to %s", ErrOutside, link, shown(to))
		default:
			here = path.Dir(here)
		}
		if err != nil {
			return "", err
		}
	}
	return here, nil
}
