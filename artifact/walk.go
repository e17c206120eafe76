package artifact

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
)

// An item is what a folder lists, and where it stands in the archive.
type item struct {
	path string
	key  string // what items of a folder are sorted by
	kind fs.FileMode
}

// folder packs what is in dir. It goes down into each folder at its place in
// the order, so that only the listings between the root and dir are held.
func (p *packer) folder(dir string) error {
	if dir != "." {
		if err := p.layout.folder(dir); err != nil {
			return in("pack", dir, err)
		}
	}
	items, err := p.list(dir)
	if err != nil {
		return in("pack", dir, err)
	}
	for _, it := range items {
		if err := p.item(it); err != nil {
			return in("pack", it.path, err)
		}
	}
	return nil
}

func (p *packer) item(it item) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	switch it.kind {
	case 0:
		return p.file(it.path)
	case fs.ModeSymlink:
		return p.link(it.path)
	case fs.ModeDir:
		return p.folder(it.path)
	}
	return unsafef("neither file, folder nor symbolic link: %v", it.kind)
}

// list returns dir's items in the archive's order. Full paths sort bytewise if
// in each folder a folder's name is taken with its slash: a.txt < a/b < a0.
func (p *packer) list(dir string) ([]item, error) {
	entries, err := fs.ReadDir(p.fsys, dir)
	if err != nil {
		return nil, err
	}
	items := make([]item, 0, len(entries))
	for _, entry := range entries {
		if err := p.ctx.Err(); err != nil {
			return nil, err
		}
		it, err := p.look(dir, entry)
		if err != nil {
			return nil, in("pack", it.path, err)
		}
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.key, b.key) })
	return items, nil
}

// look finds out what entry is. Not from the entry's type, which file systems
// leave out: a folder taken for a file would be sorted wrongly.
func (p *packer) look(dir string, entry fs.DirEntry) (item, error) {
	name := entry.Name()
	if name == "." || name == ".." || !fs.ValidPath(name) || path.Base(name) != name {
		return item{path: dir}, unsafef("folder with an entry named %q", name)
	}
	it := item{path: path.Join(dir, name)}
	info, err := p.stat(it.path, entry)
	if err != nil {
		return it, err
	}
	it.kind, it.key = info.Mode().Type(), name
	if it.kind == fs.ModeDir {
		it.key += "/"
	}
	return it, nil
}

// stat does not follow links. [fs.Lstat] would, without an fs.ReadLinkFS.
func (p *packer) stat(name string, entry fs.DirEntry) (fs.FileInfo, error) {
	if p.links != nil {
		return p.links.Lstat(name)
	}
	return entry.Info()
}
