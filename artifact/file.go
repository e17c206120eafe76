package artifact

import (
	"io"
	"io/fs"
	"time"
)

// An entry is a node under a name: fs.FileInfo and fs.DirEntry in one.
type entry struct {
	name string
	node *node
}

func (e entry) Name() string               { return e.name }
func (e entry) Mode() fs.FileMode          { return e.node.mode }
func (e entry) Type() fs.FileMode          { return e.node.mode.Type() }
func (e entry) IsDir() bool                { return e.node.mode.IsDir() }
func (e entry) Info() (fs.FileInfo, error) { return e, nil }
func (e entry) ModTime() time.Time         { return time.Time{} }
func (e entry) Sys() any                   { return nil }
func (e entry) String() string             { return fs.FormatDirEntry(e) }

// Size is 0 for a folder and, as in a file system, the target's length for a
// link.
func (e entry) Size() int64 {
	if e.node.spooled != nil {
		return e.node.spooled.Size()
	}
	return int64(len(e.node.data) + len(e.node.target))
}

// An openFile also seeks and reads at offsets.
type openFile struct {
	contentReader
	entry entry
}

type contentReader interface {
	io.Reader
	io.ReaderAt
	io.Seeker
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

type openFolder struct {
	entry entry
	next  int // index of the first entry that ReadDir did not return yet
}

func (d *openFolder) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *openFolder) Close() error               { return nil }

func (d *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.entry.name, Err: errIsFolder}
}

// ReadDir is as in [fs.ReadDirFile].
func (d *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	left := d.entry.node.kids[d.next:]
	if n > 0 && len(left) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(left) {
		left = left[:n]
	}
	d.next += len(left)
	return append(make([]fs.DirEntry, 0, len(left)), left...), nil
}
