package artifact

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folders makes and opens the folders of an archive's files, and keeps those open
// that lead to the last file, as the next is mostly near it. It is for one
// goroutine; many may do so in one root.
type folders struct {
	root  *os.Root
	names []string
	open  []*os.Root // the folders of names, each in the one before
}

// write writes the files of b.
func (f *folders) write(b *parcel) error {
	for _, file := range b.files {
		if err := f.writeFile(file); err != nil {
			return in("unpack", file.name, err)
		}
	}
	return nil
}

func (f *folders) writeFile(file smallFile) error {
	to, err := f.create(file.name, file.perm)
	if err != nil {
		return err
	}
	if len(file.data) > 0 {
		_, err = to.Write(file.data)
	}
	return errors.Join(err, to.Close())
}

// create makes the file, and the folders above it. With O_EXCL the last element
// is not followed if it is a link.
func (f *folders) create(name string, perm fs.FileMode) (*os.File, error) {
	dir, base, err := f.place(name)
	if err != nil {
		return nil, err
	}
	return dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
}

// place returns the folder of name, which is good until the next call, and the
// last element of name in the system's notation.
func (f *folders) place(name string) (*os.Root, string, error) {
	i := strings.LastIndexByte(name, '/')
	base, err := localize(name[i+1:])
	if err != nil {
		return nil, "", err
	}
	depth := 0
	if i > 0 {
		for elem := range strings.SplitSeq(name[:i], "/") {
			if err := f.enter(depth, elem); err != nil {
				return nil, "", err
			}
			depth++
		}
	}
	f.leave(depth)
	return f.last(), base, nil
}

// enter makes elem the folder at that depth.
func (f *folders) enter(depth int, elem string) error {
	if depth < len(f.names) && f.names[depth] == elem {
		return nil
	}
	f.leave(depth)
	local, err := localize(elem)
	if err != nil {
		return err
	}
	if err := f.last().Mkdir(local, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := f.last().OpenRoot(local)
	if err != nil {
		return err
	}
	f.names, f.open = append(f.names, elem), append(f.open, dir)
	return nil
}

func (f *folders) last() *os.Root {
	if len(f.open) == 0 {
		return f.root
	}
	return f.open[len(f.open)-1]
}

// leave closes all folders but the first depth.
func (f *folders) leave(depth int) {
	for _, dir := range f.open[depth:] {
		_ = dir.Close()
	}
	f.names, f.open = f.names[:depth], f.open[:depth]
}

func (f *folders) close() { f.leave(0) }

func localize(elem string) (string, error) {
	local, err := filepath.Localize(elem)
	if err != nil {
		return "", unsafef("no path on this system")
	}
	return local, nil
}
