package source

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// A node is its own fs.FileInfo and fs.DirEntry.
func (n *node) Name() string       { return n.name }
func (n *node) Size() int64        { return n.size }
func (n *node) Mode() fs.FileMode  { return n.mode }
func (n *node) ModTime() time.Time { return time.Time{} }
func (n *node) IsDir() bool        { return n.mode.IsDir() }
func (n *node) Sys() any           { return nil }
func (n *node) Type() fs.FileMode  { return n.mode.Type() }
func (n *node) String() string     { return fs.FormatDirEntry(n) }

func (n *node) Info() (fs.FileInfo, error) { return n, nil }

func (n *node) read() ([]byte, error) {
	if n.open == nil {
		return nil, fmt.Errorf("is a folder: %w", fs.ErrInvalid)
	}
	body, err := n.open()
	if err == nil && int64(len(body)) != n.size {
		err = fmt.Errorf("has %d bytes instead of %d", len(body), n.size)
	}
	return body, err
}

// treeFS is a sealed Tree.
type treeFS struct{ root *node }

var _ readingFS = (*treeFS)(nil)

func (f *treeFS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return &openFolder{node: n, path: name}, nil
	}
	body, err := n.read()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{node: n, path: name, reader: bytes.NewReader(body)}, nil
}

func (f *treeFS) ReadFile(name string) ([]byte, error) {
	n, err := f.find("read", name, true)
	if err != nil {
		return nil, err
	}
	body, err := n.read()
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return append(make([]byte, 0, len(body)), body...), nil
}

func (f *treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fmt.Errorf("not a folder: %w", fs.ErrInvalid)}
	}
	return slices.Clone(n.entries), nil
}

func (f *treeFS) Stat(name string) (fs.FileInfo, error) { return f.info("stat", name, true) }

func (f *treeFS) Lstat(name string) (fs.FileInfo, error) { return f.info("lstat", name, false) }

func (f *treeFS) info(op, name string, follow bool) (fs.FileInfo, error) {
	n, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (f *treeFS) ReadLink(name string) (string, error) {
	n, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.mode.Type() != fs.ModeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return n.target, nil
}

func (f *treeFS) Sub(dir string) (fs.FS, error) { return sub(f, dir) }

// openFile is one reader's view of a file.
type openFile struct {
	*node
	path   string
	reader *bytes.Reader // nil once it is closed
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }

func (f *openFile) Read(p []byte) (int, error) {
	if f.reader == nil {
		return 0, f.closed("read")
	}
	return f.reader.Read(p)
}

func (f *openFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.reader == nil {
		return 0, f.closed("read")
	}
	return f.reader.ReadAt(p, offset)
}

func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	if f.reader == nil {
		return 0, f.closed("seek")
	}
	return f.reader.Seek(offset, whence)
}

func (f *openFile) Close() error {
	if f.reader == nil {
		return f.closed("close")
	}
	f.reader = nil
	return nil
}

func (f *openFile) closed(op string) error {
	return &fs.PathError{Op: op, Path: f.path, Err: fs.ErrClosed}
}

// openFolder is one reader's view of a folder.
type openFolder struct {
	*node
	path string
	next int
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *openFolder) Close() error               { return nil }

func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.path, Err: fmt.Errorf("is a folder: %w", fs.ErrInvalid)}
}

func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := f.entries[f.next:]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 {
		rest = rest[:min(n, len(rest))]
	}
	f.next += len(rest)
	return slices.Clone(rest), nil
}
