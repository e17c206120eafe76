package source

import (
	"io/fs"
	"path"
	"strings"
)

// A subFS is what [fs.Sub] gives of a file system, with what fs.Sub's own would lack: Identity and Stat. As there, links
// lead to where they do in the whole: out of the folder, and not out of the root.
type subFS struct {
	whole fs.FS
	dir   string
}

var _ readingFS = (*subFS)(nil)

func sub(whole fs.FS, dir string) (fs.FS, error) {
	switch {
	case !fs.ValidPath(dir):
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: fs.ErrInvalid}
	case dir == ".":
		return whole, nil
	}
	return &subFS{whole, dir}, nil
}

func (f *subFS) Open(name string) (fs.File, error) {
	return below(f, "open", name, fs.FS.Open)
}

func (f *subFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return below(f, "readdir", name, fs.ReadDir)
}

func (f *subFS) ReadFile(name string) ([]byte, error) {
	return below(f, "read", name, fs.ReadFile)
}

func (f *subFS) Stat(name string) (fs.FileInfo, error) {
	return below(f, "stat", name, fs.Stat)
}

func (f *subFS) Lstat(name string) (fs.FileInfo, error) {
	return below(f, "lstat", name, fs.Lstat)
}

func (f *subFS) ReadLink(name string) (string, error) {
	return below(f, "readlink", name, fs.ReadLink)
}

func (f *subFS) Identity(name string) (string, error) {
	return below(f, "identity", name, Identity)
}

func (f *subFS) Sub(dir string) (fs.FS, error) {
	if !fs.ValidPath(dir) {
		return nil, &fs.PathError{Op: "sub", Path: dir, Err: fs.ErrInvalid}
	}
	return sub(f.whole, path.Join(f.dir, dir))
}

// below asks the whole, and puts the caller's name into the error.
func below[T any](f *subFS, op, name string, do func(fs.FS, string) (T, error)) (T, error) {
	if !fs.ValidPath(name) {
		var none T
		return none, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	result, err := do(f.whole, path.Join(f.dir, name))
	if placed, ok := err.(*fs.PathError); ok {
		shown := *placed // the whole's own may be shared
		if shown.Path = strings.TrimPrefix(placed.Path, f.dir+"/"); placed.Path == f.dir {
			shown.Path = "."
		}
		err = &shown
	}
	return result, err
}
