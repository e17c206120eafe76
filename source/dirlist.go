package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// An entry is a file or a link as it was listed.
type entry struct {
	path     string
	mode     fs.FileMode
	size     int64
	modified time.Time
}

// A lister goes through a folder.
type lister struct {
	ctx           context.Context
	root          *os.Root
	most          int // files
	noIgnoreFiles bool
	entries       []entry
}

// list returns all files and links by path, without what is ignored.
func (f *folder) list(ctx context.Context, root *os.Root) ([]entry, error) {
	l := lister{ctx: ctx, root: root, most: f.opts.Limits.WithDefaults().MaxFiles, noIgnoreFiles: f.opts.NoIgnoreFiles}
	rules, err := ParseIgnore(f.opts.Ignore, f.opts.Limits)
	if err == nil {
		err = l.folder(".", rules)
	}
	slices.SortFunc(l.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return l.entries, err
}

// folder adds what is in a folder, and in its folders.
func (l *lister) folder(dir string, rules IgnoreRules) error {
	children, err := fs.ReadDir(l.root.FS(), dir)
	if err != nil {
		return vanished(dir, err)
	}
	if rules, err = l.with(rules, dir, children); err != nil {
		return err
	}
	for _, d := range children {
		name := d.Name()
		switch {
		case l.ctx.Err() != nil:
			return l.ctx.Err()
		case name == ".git" || rules.Ignores(name, d.IsDir()):
		case d.IsDir():
			err = l.folder(path.Join(dir, name), rules.Folder(name))
		case len(l.entries) >= l.most:
			err = &LimitError{Option: "Limits.MaxFiles", Max: int64(l.most)}
		default:
			err = l.add(path.Join(dir, name), d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) add(name string, d fs.DirEntry) error {
	e, err := newEntry(name, d)
	if err == nil {
		l.entries = append(l.entries, e)
	}
	return err
}

func newEntry(name string, d fs.DirEntry) (entry, error) {
	info, err := d.Info()
	if err != nil {
		return entry{}, vanished(name, err)
	}
	return entry{path: name, mode: info.Mode(), size: info.Size(), modified: info.ModTime().Truncate(0).UTC()}, nil
}

// with adds the folder's ignore file. As to Git, what is not a regular file is none.
func (l *lister) with(rules IgnoreRules, dir string, children []fs.DirEntry) (IgnoreRules, error) {
	i := slices.IndexFunc(children, func(d fs.DirEntry) bool { return d.Name() == IgnoreFile && d.Type().IsRegular() })
	if i < 0 || l.noIgnoreFiles {
		return rules, nil
	}
	e, err := newEntry(path.Join(dir, IgnoreFile), children[i])
	if err == nil {
		err = rules.admit(e.size)
	}
	if err != nil {
		return IgnoreRules{}, err
	}
	body, err := e.read(l.ctx, l.root)
	if err != nil {
		return IgnoreRules{}, err
	}
	return rules.With(body)
}

// vanished tells a file that has gone since it was listed from a folder that was never there.
func vanished(path string, err error) error {
	if path != "." && errors.Is(err, fs.ErrNotExist) {
		return ErrChanging
	}
	return err
}
