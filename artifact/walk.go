package artifact

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"
)

// An item is what a folder lists, and where it stands in the archive.
type item struct {
	path string
	key  string // what items of a folder are sorted by
	kind fs.FileMode
}

// A walk lists the tree in the archive's order, ahead of who packs it.
type walk struct {
	crew  *crew
	fsys  fs.FS
	links fs.ReadLinkFS // fsys, or nil
	batch *batch
	pool  batchPool
	send  func(*batch) bool // tells whether to go on
}

// all lists the whole tree. An error is the last of what is sent.
func (w *walk) all() {
	w.batch = w.pool.get()
	w.folder(".")
	w.send(w.batch)
}

// folder sends what is in dir. It goes down into each folder at its place in
// the order, so that only the listings between the root and dir are held.
func (w *walk) folder(dir string) bool {
	items, err := w.list(dir)
	if err != nil {
		w.emit(candidate{item: item{path: dir}, err: in("pack", dir, err)})
		return false
	}
	for _, it := range items {
		if !w.emit(candidate{item: it}) {
			return false
		}
		if it.kind == fs.ModeDir && !w.folder(it.path) {
			return false
		}
	}
	return true
}

func (w *walk) emit(e candidate) bool {
	w.batch.entries = append(w.batch.entries, e)
	if len(w.batch.entries) < batchEntries {
		return true
	}
	full := w.batch
	w.batch = w.pool.get()
	return w.send(full)
}

// list returns dir's items in the archive's order. Full paths sort bytewise if
// in each folder a folder's name is taken with its slash: a.txt < a/b < a0.
func (w *walk) list(dir string) (items []item, err error) {
	w.crew.work(func() {
		var entries []fs.DirEntry
		if entries, err = fs.ReadDir(w.fsys, dir); err != nil {
			return
		}
		items = make([]item, 0, len(entries))
		for _, entry := range entries {
			if err = w.crew.err(); err != nil {
				return
			}
			var it item
			if it, err = w.look(dir, entry); err != nil {
				err = in("pack", it.path, err)
				return
			}
			items = append(items, it)
		}
		slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.key, b.key) })
	})
	return items, err
}

// look finds out what entry is. A type that is not one of the three that an
// artifact may hold may be one that the file system did not care to find out. A
// wrong one does no harm: who packs the entry will see that it is something else.
func (w *walk) look(dir string, entry fs.DirEntry) (item, error) {
	name := entry.Name()
	if name == "." || name == ".." || !fs.ValidPath(name) || strings.Contains(name, "/") {
		return item{path: dir}, unsafef("folder with an entry named %q", name)
	}
	it := item{path: name, key: name, kind: entry.Type()}
	if dir != "." {
		it.path = dir + "/" + name
	}
	if it.kind != 0 && it.kind != fs.ModeDir && it.kind != fs.ModeSymlink {
		info, err := w.stat(it.path, entry)
		if err != nil {
			return it, err
		}
		it.kind = info.Mode().Type()
	}
	if it.kind == fs.ModeDir {
		it.key += "/"
	}
	return it, nil
}

// stat does not follow links. [fs.Lstat] would, without an fs.ReadLinkFS.
func (w *walk) stat(name string, entry fs.DirEntry) (fs.FileInfo, error) {
	if w.links != nil {
		return w.links.Lstat(name)
	}
	return entry.Info()
}
